//! A real Alertmanager shows an alert once however often it is sent, and sees it end.

use tollkeeper::ledger::alerts::{AlertChange, Alerts};
use tollkeeper::model::alert::DeliveryResult::Delivered;
use tollkeeper::model::alert::NoticeStatus::{Firing, Resolved};

use crate::support::daemon::output_of;
use crate::support::desk::{Desk, notice, outbox, state};
use crate::support::servers::Alertmanager;
use crate::support::tools;
use crate::support::wait::{SOON, wait_until};
use crate::support::work_dir::WorkDir;

#[test]
fn an_alert_that_is_sent_twice_and_again_is_shown_once_and_ends() {
    let test = "delivery to a real Alertmanager";
    let Some(program) = tools::find("prometheus-alertmanager", test) else { return };
    let work = WorkDir::new("alertmanager");
    let alertmanager = Alertmanager::start(&program, &work);
    let firing = notice(1, "am", Firing);

    // A process that ends before it could commit that the notice arrived.
    let committed = outbox([firing.clone()]);
    let desk = Desk::start_with(&alertmanager.route(), work.path(), committed, false);
    desk.commit(&AlertChange::Set(firing.key.clone(), state(&firing)));
    desk.wait_settled(&[(1, Delivered)]);
    let left = desk.stop();
    assert_eq!(left.outbox().len(), 1);

    let desk = Desk::start(&alertmanager.route(), work.path(), left);
    desk.wait_settled(&[(1, Delivered)]);
    wait_until(SOON, "the alert to be sent again", || {
        (desk.attempts("am", "delivered") >= 3).then_some(())
    });
    let shown = alertmanager.alerts();
    let [alert] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!(alert["labels"]["alertname"], "TollkeeperSpendSpike");
    assert_eq!(alert["labels"]["severity"], "page");
    assert_eq!(alert["labels"]["model"], "anthropic.claude-v2:1");
    assert_eq!(alert["annotations"]["summary"], "spend $412/h, usual $35/h");
    assert_eq!(
        alert["annotations"]["runbook_url"],
        "https://r.example/RUNBOOK.md#tollkeeperspendspike"
    );

    desk.commit(&AlertChange::Clear(firing.key));
    desk.queue(notice(2, "am", Resolved));
    desk.wait_settled(&[(1, Delivered), (2, Delivered)]);
    wait_until(SOON, "the alert to be over", || alertmanager.alerts().is_empty().then_some(()));
    assert_eq!(desk.attempts("am", "rejected"), 0);
}

#[test]
fn an_alertmanager_that_forgot_everything_hears_of_it_again() {
    let test = "delivery to a restarted Alertmanager";
    let Some(program) = tools::find("prometheus-alertmanager", test) else { return };
    let work = WorkDir::new("alertmanager-anew");
    let alertmanager = Alertmanager::start(&program, &work);
    // Nothing is in the outbox: the notice arrived at an Alertmanager that is gone.
    let firing = notice(1, "am", Firing);
    let mut committed = Alerts::default();
    committed.apply(&AlertChange::Set(firing.key.clone(), state(&firing)));
    let desk = Desk::start(&alertmanager.route(), work.path(), committed);
    wait_until(SOON, "the alert to be shown", || (alertmanager.alerts().len() == 1).then_some(()));
    drop(desk);
}

#[test]
fn a_test_alert_is_taken_by_a_real_alertmanager() {
    let test = "test alert to a real Alertmanager";
    let Some(program) = tools::find("prometheus-alertmanager", test) else { return };
    let work = WorkDir::new("alertmanager-test");
    let alertmanager = Alertmanager::start(&program, &work);
    let config = work.file(
        "t.toml",
        format!("[[source]]\nname = \"a\"\ninclude = [\"x\"]\n{}", alertmanager.route()),
    );
    let arguments = ["alert", "test", "am", "--config"].map(AsRef::as_ref);
    let output = output_of(&[arguments.as_slice(), &[config.as_os_str()]].concat());
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.matches(": delivered after ").count(), 2, "{said}");
    wait_until(SOON, "the test to be over", || alertmanager.alerts().is_empty().then_some(()));
}
