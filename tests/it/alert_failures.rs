//! Receivers that fail in every way there is: what is tried again, what is given up, and that nobody
//! else waits for them.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use tollkeeper::ledger::alerts::Alerts;
use tollkeeper::model::alert::DeliveryResult::{Delivered, GivenUp, Rejected};
use tollkeeper::model::alert::NoticeStatus::{Firing, Resolved};
use tollkeeper::model::time::HOUR_MS;

use crate::support::desk::{Desk, notice, outbox};
use crate::support::receiver::{Receiver, Reply};
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

fn webhook(name: &str, url: &str) -> String {
    format!(
        "[[alerts.route]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"{url}\"\n\
         timeout = \"500ms\"\n"
    )
}

#[test]
fn a_receiver_that_fails_for_a_while_is_asked_again_until_it_answers() {
    let replies = vec![
        Reply::status(500),
        Reply::Answer(503, vec!["Retry-After: 1".to_owned()], "busy".to_owned()),
        Reply::Close,
        Reply::Garbage,
        Reply::status(408),
        Reply::status(425),
        Reply::Answer(429, vec!["Retry-After: 1".to_owned()], String::new()),
        Reply::Hang,
        Reply::Drip,
    ];
    let (work, receiver) = (WorkDir::new("retries"), Receiver::scripted(replies));
    let routes = webhook("hook", &receiver.url());
    let desk = Desk::start(&routes, work.path(), outbox([notice(1, "hook", Firing)]));
    desk.wait_settled(&[(1, Delivered)]);
    let received = receiver.received();
    assert_eq!(received.len(), 10);
    let bodies: std::collections::BTreeSet<_> = received.iter().map(|one| &one.body).collect();
    assert_eq!(bodies.len(), 1);
    let pause = |number: usize| received[number + 1].at - received[number].at;
    assert!(pause(1) >= Duration::from_secs(1), "Retry-After of 503: {:?}", pause(1));
    assert!(pause(6) >= Duration::from_secs(1), "Retry-After of 429: {:?}", pause(6));
    assert!(pause(0) < Duration::from_secs(1), "{:?}", pause(0));
    for (result, count) in [
        ("server_error", 4),
        ("network_error", 2),
        ("throttled", 1),
        ("timeout", 2),
        ("delivered", 1),
    ] {
        assert_eq!(desk.attempts("hook", result), count, "{result}");
    }
}

#[test]
fn a_receiver_that_hangs_delays_no_other_and_keeps_its_order() {
    let work = WorkDir::new("hang");
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let hanging = Receiver::start(move |number, _| {
        if number == 0 {
            released.lock().unwrap().recv().unwrap();
        }
        Reply::status(204)
    });
    let good = Receiver::good();
    let slow = webhook("bad", &hanging.url()).replace("500ms", "2m");
    let routes = format!("{slow}{}", webhook("good", &good.url()));
    let committed = outbox([
        notice(1, "bad", Firing),
        notice(2, "good", Firing),
        notice(3, "bad", Resolved),
        notice(4, "good", Resolved),
    ]);
    let desk = Desk::start(&routes, work.path(), committed);
    good.wait_for(2);
    wait_until(SOON, "the good ones to be settled", || {
        (desk.settled() == [(2, Delivered), (4, Delivered)]).then_some(())
    });
    assert_eq!(desk.deliveries.of("bad").waiting, 2);
    release.send(()).unwrap();
    let received = hanging.wait_for(2);
    let statuses: Vec<_> = received.iter().map(|one| one.json()["status"].clone()).collect();
    assert_eq!(statuses, ["firing", "resolved"]);
    wait_until(SOON, "none to wait", || {
        (desk.settled().len() == 4 && desk.deliveries.of("bad").waiting == 0).then_some(())
    });
}

#[test]
fn what_a_receiver_refuses_for_good_is_settled_and_counted() {
    let replies = vec![Reply::body(400, "bad payload"), Reply::status(401), Reply::status(410)];
    let (work, receiver) = (WorkDir::new("refused"), Receiver::scripted(replies));
    let desk = Desk::start(&webhook("hook", &receiver.url()), work.path(), Alerts::default());
    for number in 1..=4 {
        desk.queue(notice(number, "hook", Firing));
    }
    desk.wait_settled(&[(1, Rejected), (2, Rejected), (3, Rejected), (4, Delivered)]);
    assert_eq!(receiver.received().len(), 4);
    let counted = desk.deliveries.of("hook").deliveries;
    let by_result: Vec<_> =
        counted.iter().map(|((name, result), count)| (name.as_str(), *result, *count)).collect();
    assert_eq!(
        by_result,
        [("TollkeeperSpendSpike", "delivered", 1), ("TollkeeperSpendSpike", "rejected", 3)]
    );
}

#[test]
fn a_redirect_is_not_followed() {
    let (work, elsewhere) = (WorkDir::new("redirect"), Receiver::good());
    let location = format!("Location: {}/", elsewhere.url());
    let redirect = Reply::Answer(307, vec![location], String::new());
    let receiver = Receiver::scripted(vec![redirect]);
    let routes = webhook("hook", &receiver.url());
    let desk = Desk::start(&routes, work.path(), outbox([notice(1, "hook", Firing)]));
    desk.wait_settled(&[(1, Rejected)]);
    assert!(elsewhere.received().is_empty());
}

#[test]
fn an_answer_without_an_end_is_cut() {
    let work = WorkDir::new("endless");
    let receiver = Receiver::scripted(vec![Reply::Endless(400)]);
    // The timeout is longer than this test waits, so the cut is by size.
    let routes = webhook("hook", &receiver.url()).replace("500ms", "2m");
    let desk = Desk::start(&routes, work.path(), outbox([notice(1, "hook", Firing)]));
    desk.wait_settled(&[(1, Rejected)]);
}

#[test]
fn a_notice_that_is_too_old_is_tried_once_more_and_given_up() {
    let work = WorkDir::new("old");
    let receiver = Receiver::start(|number, _| match number {
        0..2 => Reply::status(500),
        _ => Reply::status(200),
    });
    let mut old = notice(1, "hook", Firing);
    old.fired = old.fired.plus(-25 * HOUR_MS);
    let mut ended_long_ago = notice(2, "hook", Resolved);
    ended_long_ago.fired = ended_long_ago.fired.plus(-30 * HOUR_MS);
    ended_long_ago.ended = Some(ended_long_ago.fired.plus(HOUR_MS));
    let mut late = notice(3, "hook", Firing);
    late.fired = late.fired.plus(-25 * HOUR_MS);
    let committed = outbox([old, ended_long_ago, late]);
    let desk = Desk::start(&webhook("hook", &receiver.url()), work.path(), committed);
    desk.wait_settled(&[(1, GivenUp), (2, GivenUp), (3, Delivered)]);
    assert_eq!(receiver.received().len(), 3);
}

#[test]
fn a_receiver_that_is_not_there_yet_gets_everything_once_it_is() {
    let work = WorkDir::new("absent");
    // A port that was free a moment ago: nobody listens.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let routes = webhook("hook", &format!("http://{address}"));
    let committed = outbox((1..=20).map(|number| notice(number, "hook", Firing)));
    let desk = Desk::start(&routes, work.path(), committed);
    wait_until(SOON, "two attempts to fail", || {
        (desk.attempts("hook", "network_error") >= 2).then_some(())
    });
    assert!(desk.settled().is_empty());
    let left = desk.stop();
    assert_eq!(left.outbox().len(), 20);

    let receiver = Receiver::good();
    let desk = Desk::start(&webhook("hook", &receiver.url()), work.path(), left);
    let all: Vec<_> = (1..=20).map(|number| (number, Delivered)).collect();
    desk.wait_settled(&all);
    let numbers: Vec<_> =
        receiver.received().iter().map(|one| one.json()["number"].as_u64()).collect();
    assert_eq!(numbers, (1..=20).map(Some).collect::<Vec<_>>());
}
