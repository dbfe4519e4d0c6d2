//! `tollkeeper rules`: alert rules for those who page through Prometheus, as the config tunes them.
//!
//! Names, severities, thresholds and patience are those of the alerts that the daemon raises itself; they
//! are taken from the same values. The file `alerts/tollkeeper.rules.yml` is what is printed without a
//! config, which a test compares.

mod budgets;
mod calls;
mod meter;
mod page;
mod sources;
mod spend;

use std::io::Write as _;

use super::args::RulesArgs;
use super::failure::Failure;
use super::run::load_config;
use crate::budget::plan::Budget;
use crate::watch::rules::Rules;
use page::Page;

/// Where the runbook is if nobody says: beside the rules.
const RUNBOOK_DEFAULT: &str = "alerts/RUNBOOK.md";

/// What comes first.
const HEAD: &str = "\
# Alerts of Tollkeeper as Prometheus rules, for Prometheus 2.42 and later. Made by `tollkeeper rules`, which
# prints them for the budgets and the tuning of a config: rather change that than this.
#
# They are what the daemon raises itself, from its metrics. Let one of the two send a page, not both.
#
# What was added in ten minutes is a plain difference of sums: the counters outlive restarts, so it is
# exact for small numbers, and it counts what a series had when it appeared, which increase() leaves out.
# After a ledger was made anew the difference is below zero, and for ten minutes no ratio is looked at.
";

pub(super) fn rules(args: &RulesArgs) -> Result<(), Failure> {
    let config = args.config.as_deref().map(load_config).transpose()?;
    let configured = config.as_ref().and_then(|config| config.delivery.runbook_url.as_deref());
    let runbook = args.runbook_url.as_deref().or(configured).unwrap_or(RUNBOOK_DEFAULT);
    let text = match &config {
        Some(config) => text(&config.rules, &config.budgets, runbook, &args.job),
        None => text(&Rules::default(), &[], runbook, &args.job),
    };
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

fn text(rules: &Rules, budgets: &[Budget], runbook: &str, job: &str) -> String {
    let groups = [
        calls::group(rules),
        spend::group(rules),
        budgets::group(rules, budgets),
        sources::group(rules),
        meter::group(job),
    ];
    Page { head: HEAD, runbook, groups: &groups }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::alert::AlertName;
    use crate::watch::rules::LatencyLimit;

    fn of(rules: &Rules) -> String {
        text(rules, &[], RUNBOOK_DEFAULT, "tollkeeper")
    }

    #[test]
    fn every_alert_of_the_daemon_has_a_rule() {
        let text = of(&Rules::default());
        for name in AlertName::ALL {
            let is_there = text.contains(&format!("- alert: {}\n", name.as_str()));
            assert_eq!(is_there, *name != AlertName::Test, "{}", name.as_str());
        }
    }

    #[test]
    fn the_latency_limit_chooses_the_bucket() {
        let of_limit = |ms| {
            let latency_limit = LatencyLimit::of_ms(ms).unwrap();
            of(&Rules { latency_limit, ..Rules::default() })
        };
        let text = of_limit(5_000);
        for there in ["{le=\"2.5\"}", "took more than 2.5 s, close to the 5 s after"] {
            assert!(text.contains(there), "{there}");
        }
        assert!(of_limit(60_000).contains("{le=~\"30|30[.]0\"}"));
    }

    #[test]
    fn what_is_switched_off_has_no_rule_and_tuning_is_taken_over() {
        let mut rules = Rules::default();
        rules.throttled.over = crate::watch::rules::Ppm(25_000);
        rules.throttled.calls_min = 7;
        rules.throttled.affected_min = 3;
        rules.throttled.patience.for_ms = 90_000;
        rules.slow.enabled = false;
        rules.lag.enabled = false;
        rules.spike.enabled = false;
        let text = of(&rules);
        for there in [") > 0.025\n", ">= 7\n", ">= 3\n", "for: 1m30s\n"] {
            assert!(text.contains(there), "{there}");
        }
        for gone in ["TollkeeperLatencyNearLimit", "TollkeeperIngestLag", "TollkeeperSpendSpike"] {
            assert!(!text.contains(&format!("alert: {gone}")), "{gone}");
        }
        assert!(!text.contains("tollkeeper_request_duration_seconds"), "a sum that nothing reads");
    }
}
