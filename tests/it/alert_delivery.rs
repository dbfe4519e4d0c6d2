//! Notices reach each kind of receiver in the shape that it wants, in order, at least once.

use tollkeeper::ledger::alerts::{AlertChange, Alerts};
use tollkeeper::model::alert::DeliveryResult::{Delivered, NoRoute, Rejected};
use tollkeeper::model::alert::NoticeStatus::{Firing, Resolved};

use crate::support::desk::{Desk, notice, outbox, state};
use crate::support::receiver::{Receiver, Reply};
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

const KEY: &str = "k3y-0f-the-h00k";

fn webhook(name: &str, url: &str) -> String {
    format!(
        "[[alerts.route]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"{url}/hook\"\n\
         secret_file = \"hook.key\"\ntimeout = \"2s\"\n"
    )
}

fn work(test: &str) -> WorkDir {
    let work = WorkDir::new(test);
    work.file("hook.key", format!("{KEY}\n"));
    work
}

#[test]
fn begin_and_end_arrive_signed_in_order_and_leave_the_outbox() {
    let (work, receiver) = (work("webhook"), Receiver::good());
    let desk = Desk::start(&webhook("hook", &receiver.url()), work.path(), Alerts::default());
    desk.queue(notice(1, "hook", Firing));
    desk.queue(notice(2, "hook", Resolved));
    desk.wait_settled(&[(1, Delivered), (2, Delivered)]);
    let health = desk.deliveries.of("hook");
    assert!(health.last_delivery.0 > 0);
    assert!(desk.stop().outbox().is_empty());

    let received = receiver.received();
    let [begin, end] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(begin.path, "/hook");
    assert_eq!(begin.json()["status"], "firing");
    assert_eq!(end.json()["status"], "resolved");
    assert_eq!(begin.json()["deduplication_key"], end.json()["deduplication_key"]);
    assert_eq!(begin.header("content-type"), Some("application/json"));
    assert_ne!(begin.header("idempotency-key"), end.header("idempotency-key"));
    for request in &received {
        let signature = request.header("x-tollkeeper-signature").expect("a signature");
        let (time, hex) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let signed = format!("{time}.{}", request.body);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY.as_bytes());
        let tag: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        ring::hmac::verify(&key, signed.as_bytes(), &tag).expect("a signature that is right");
    }
}

#[test]
fn what_was_not_committed_as_sent_is_sent_again_with_the_same_key() {
    let (work, receiver) = (work("again"), Receiver::good());
    let routes = webhook("hook", &receiver.url());
    let committed = outbox([notice(7, "hook", Firing)]);
    let desk = Desk::start_with(&routes, work.path(), committed, false);
    desk.wait_settled(&[(7, Delivered)]);
    let left = desk.stop();
    assert_eq!(left.outbox().len(), 1, "the process ends before the commit");

    let desk = Desk::start(&routes, work.path(), left);
    desk.wait_settled(&[(7, Delivered)]);
    assert!(desk.stop().outbox().is_empty());
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    let keys: Vec<_> = received.iter().map(|one| one.header("idempotency-key")).collect();
    assert!(keys[0].is_some());
    assert_eq!(keys[0], keys[1]);
    assert_eq!(received[0].body, received[1].body);
}

#[test]
fn a_stop_lets_an_attempt_come_to_its_end() {
    let work = work("stop");
    let (asked, was_asked) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let receiver = Receiver::start(move |_, _| {
        asked.send(()).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        Reply::status(200)
    });
    let routes = webhook("hook", &receiver.url());
    let desk = Desk::start(&routes, work.path(), outbox([notice(1, "hook", Firing)]));
    was_asked.recv_timeout(SOON).unwrap();
    let stopping = std::thread::spawn(move || desk.stop());
    go.send(()).unwrap();
    assert!(stopping.join().unwrap().outbox().is_empty(), "the answer was waited for");
    drop(receiver);
}

#[test]
fn notices_of_a_route_that_is_gone_do_not_stay_for_ever() {
    let (work, receiver) = (work("gone"), Receiver::good());
    let committed = outbox([notice(1, "old", Firing), notice(2, "hook", Firing)]);
    let desk = Desk::start(&webhook("hook", &receiver.url()), work.path(), committed);
    wait_until(SOON, "both to be settled", || (desk.settled().len() == 2).then_some(()));
    let mut settled = desk.settled();
    settled.sort_unstable();
    assert_eq!(settled, [(1, NoRoute), (2, Delivered)]);
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn pagerduty_is_asked_again_until_pagerduty_answers() {
    let work = WorkDir::new("pagerduty");
    work.file("pager.key", "R0UT1NG-K3Y\n");
    let taken = r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#;
    let receiver = Receiver::start(move |number, _| match number {
        0 => Reply::body(200, "<html>please log in</html>"),
        _ => Reply::body(202, taken),
    });
    let routes = format!(
        "[alerts]\nrunbook_url = \"https://r.example/RUNBOOK.md\"\n\
         [[alerts.route]]\nname = \"pager\"\nkind = \"pagerduty\"\nurl = \"{}/v2/enqueue\"\n\
         routing_key_file = \"pager.key\"\n",
        receiver.url()
    );
    let desk = Desk::start(&routes, work.path(), Alerts::default());
    desk.queue(notice(1, "pager", Firing));
    desk.queue(notice(2, "pager", Resolved));
    desk.wait_settled(&[(1, Delivered), (2, Delivered)]);
    assert_eq!(desk.attempts("pager", "invalid_answer"), 1);
    let received = receiver.received();
    let [first, begin, end] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(first.body, begin.body);
    assert_eq!(begin.path, "/v2/enqueue");
    let (begin, end) = (begin.json(), end.json());
    assert_eq!(begin["routing_key"], "R0UT1NG-K3Y");
    assert_eq!(begin["event_action"], "trigger");
    assert_eq!(begin["payload"]["severity"], "critical");
    assert_eq!(
        begin["payload"]["summary"],
        "[page] TollkeeperSpendSpike model=anthropic.claude-v2:1: spend $412/h, usual $35/h"
    );
    assert_eq!(end["event_action"], "resolve");
    assert_eq!(begin["dedup_key"], end["dedup_key"]);
}

#[test]
fn slack_is_not_sent_a_message_twice_because_of_an_odd_answer() {
    let (work, receiver) = (WorkDir::new("slack"), Receiver::scripted(vec![Reply::body(200, "?")]));
    work.file("slack.url", format!("{}/services/T0/B0/s3cr3t\n", receiver.url()));
    let routes = "[[alerts.route]]\nname = \"chat\"\nkind = \"slack\"\nurl_file = \"slack.url\"\n";
    let desk = Desk::start(routes, work.path(), outbox([notice(1, "chat", Firing)]));
    desk.wait_settled(&[(1, Delivered)]);
    desk.queue(notice(2, "chat", Resolved));
    desk.wait_settled(&[(1, Delivered), (2, Delivered)]);
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].path, "/services/T0/B0/s3cr3t");
    let text = received[1].json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("[resolved] TollkeeperSpendSpike"), "{text}");
}

#[test]
fn an_alertmanager_hears_of_firing_alerts_again_even_if_it_refuses_a_notice() {
    let (work, receiver) = (work("resend"), Receiver::scripted(vec![Reply::status(400)]));
    let routes = format!(
        "[[alerts.route]]\nname = \"am\"\nkind = \"alertmanager\"\nurl = \"{}/\"\nresend = \"1s\"\n",
        receiver.url()
    );
    let firing = notice(1, "am", Firing);
    let desk = Desk::start(&routes, work.path(), outbox([firing.clone()]));
    desk.wait_settled(&[(1, Rejected)]);
    desk.commit(&AlertChange::Set(firing.key.clone(), state(&firing)));
    let received = receiver.wait_for(4);
    for request in &received {
        assert_eq!(request.path, "/api/v2/alerts");
        assert_eq!(request.json()[0]["labels"], received[0].json()[0]["labels"]);
        assert_eq!(request.json()[0]["startsAt"], received[0].json()[0]["startsAt"]);
    }
    assert_eq!(received[0].json()[0]["labels"]["service"], "tollkeeper");

    // The end is the last that is heard of it.
    desk.commit(&AlertChange::Clear(firing.key.clone()));
    desk.queue(notice(2, "am", Resolved));
    wait_until(SOON, "the end to be settled", || {
        desk.settled().contains(&(2, Delivered)).then_some(())
    });
    let count = receiver.received().len();
    desk.stop();
    let received = receiver.received();
    assert_eq!(received.len(), count);
    let last = received[count - 1].json();
    assert_eq!(last[0]["labels"], received[0].json()[0]["labels"]);
    assert!(last[0]["endsAt"].as_str() < received[0].json()[0]["endsAt"].as_str(), "{last}");
}
