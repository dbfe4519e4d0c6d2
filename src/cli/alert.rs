//! `tollkeeper alert test`: does a route reach its receiver?

use std::io::Write as _;
use std::time::Instant;

use super::args::AlertTestArgs;
use super::failure::Failure;
use super::run::{environment, load_config};
use crate::alert::{AttemptResult, Links, Route};
use crate::config::DeliveryConfig;
use crate::config::route::RouteConfig;
use crate::daemon::clock;
use crate::model::alert::{AlertKey, AlertName, Brief, Notice, NoticeStatus, Severity};
use crate::model::time::UnixMillis;

pub(super) fn test(args: &AlertTestArgs) -> Result<(), Failure> {
    let config = load_config(&args.config)?.delivery;
    let chosen = choose(&config, args)?;
    let links =
        Links { dashboard: config.dashboard_url.clone(), runbook: config.runbook_url.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut failed = Vec::new();
    for config in chosen {
        let is_delivered = match Route::new(config, &links, environment) {
            Ok(route) => runtime.block_on(send_both(&route))?,
            Err(error) => {
                say(&format!("{error}\n"))?;
                false
            }
        };
        if !is_delivered {
            failed.push(format!("`{}`", config.name));
        }
    }
    // A name that is looked up by a thread of the system may still be looked up.
    runtime.shutdown_background();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::no(format!("the test did not arrive through {}", failed.join(", "))))
}

/// Returns the routes that were named.
fn choose<'c>(
    config: &'c DeliveryConfig,
    args: &AlertTestArgs,
) -> Result<Vec<&'c RouteConfig>, Failure> {
    let file = args.config.display();
    if config.routes.is_empty() {
        let text = format!("`{file}` has no `[[alerts.route]]`");
        return Err(Failure::with_hint(text, "README.md shows how to write one"));
    }
    if args.all {
        return Ok(config.routes.iter().collect());
    }
    let find = |name: &String| {
        config.routes.iter().find(|route| route.name == *name).ok_or_else(|| {
            let known: Vec<&str> = config.routes.iter().map(|route| route.name.as_str()).collect();
            let near = known
                .iter()
                .map(|known| (strsim::damerau_levenshtein(name, known), known))
                .min()
                .filter(|(distance, known)| *distance <= known.len().max(3) / 2);
            let hint = match near {
                Some((_, near)) => format!("did you mean `{near}`?"),
                None => format!("its routes are `{}`", known.join("`, `")),
            };
            Failure::with_hint(format!("`{file}` has no route `{name}`"), &hint)
        })
    };
    args.routes.iter().map(find).collect()
}

/// Sends a begin and its end, and says what happened. The end is sent also when the begin did not arrive,
/// since it may have arrived although no answer came.
async fn send_both(route: &Route) -> std::io::Result<bool> {
    let fired = clock::now();
    let mut all_arrived = true;
    for status in [NoticeStatus::Firing, NoticeStatus::Resolved] {
        let notice = test_notice(route.config(), status, fired, clock::now());
        let start = Instant::now();
        let attempt = route.send(&notice, clock::now()).await;
        let name = &route.config().name;
        let (kind, target) = (route.config().receiver.kind(), route.target());
        let took_ms = start.elapsed().as_millis();
        all_arrived &= attempt.result == AttemptResult::Delivered;
        say(&format!(
            "{name} ({kind}, {target}): {}: {} after {took_ms} ms: {}\n",
            status.as_str(),
            attempt.result.as_str(),
            attempt.text
        ))?;
    }
    Ok(all_arrived)
}

fn say(text: &str) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())
}

fn test_notice(
    route: &RouteConfig,
    status: NoticeStatus,
    fired: UnixMillis,
    now: UnixMillis,
) -> Notice {
    Notice {
        // Numbers are for the outbox, which a test does not pass through.
        number: 0,
        route: route.name.clone(),
        status,
        key: AlertKey::new(AlertName::Test, &[("route", &route.name)]),
        severity: Severity::Page,
        brief: Brief {
            summary: "this is a test, nothing is wrong".to_owned(),
            details: vec!["sent by `tollkeeper alert test`; there is nothing to do".to_owned()],
            values: std::collections::BTreeMap::new(),
        },
        since: fired,
        fired,
        ended: (status == NoticeStatus::Resolved).then_some(now),
    }
}
