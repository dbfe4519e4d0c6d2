//! What figures of a plan rest on, in sentences: only what concerns the options that are there.

use super::offer::Offer;
use super::report::TrafficPlan;
use super::settings::Settings;
use super::{MONTH_HOURS, Window};
use crate::model::names::{Approximation, Approximations, Route};
use crate::model::time::DAY_MS;
use crate::price::Book;

/// Returns the sentences, in a fixed order.
pub(super) fn assumptions(
    traffic: &[TrafficPlan],
    window: Window,
    book: &Book,
    settings: &Settings,
    has_items: bool,
) -> Vec<String> {
    let mut all = vec![
        format!(
            "Prices are those of the price book {}, each at the time of the calls. What cannot be priced is not \
             taken for free: an option without a price says why.",
            book.version()
        ),
        "Every tier is given the same calls with the same tokens; tokens served from caches stay as they were \
         counted, though another tier may not have served them so. Batch and flex answer later, which is not \
         priced."
            .to_owned(),
    ];
    let has = |wanted: fn(&Offer) -> bool| {
        let mut quotes = traffic.iter().flat_map(|one| &one.quotes);
        quotes.any(|quote| wanted(&quote.offer) && quote.cost.is_ok())
    };
    let has_units = has(|offer| matches!(offer, Offer::Provisioned(_)));
    let has_machines = has(|offer| matches!(offer, Offer::SelfHosted(_)));
    if has_units || has_machines {
        all.extend(of_fleets(window));
    }
    if has_units {
        all.push(format!(
            "A unit does what `[[plan.capacity]]` or `[[provisioned]]` declares, of all input tokens and of output \
             tokens. A commitment is paid for 1 or 6 months at least, a started month whole; a month is {MONTH_HOURS} \
             hours."
        ));
    }
    if has_machines {
        all.push(
            "An instance reads and writes as fast as `[[plan.self_hosted]]` says, both at once; it runs all the \
             time, serves this traffic only, and is taken to do the same work with the same tokens."
                .to_owned(),
        );
    }
    if !settings.alternatives.is_empty() {
        all.push(
            "Another model is given the same token counts, on demand: other models count tokens otherwise and \
             answer at other lengths."
                .to_owned(),
        );
    }
    if traffic.iter().any(|one| one.key.route == Route::Provisioned) {
        all.push(
            "What ran on provisioned throughput is priced by the token as in-region calls of its model."
                .to_owned(),
        );
    }
    all.extend(of_minutes(traffic, window));
    all.extend(of_prices(traffic));
    if has_items {
        all.push(
            "Fixed costs and provisioned throughput of the config are paid beside every option, and are listed apart."
                .to_owned(),
        );
    }
    all
}

fn of_fleets(window: Window) -> [String; 2] {
    [
        format!(
            "Units are paid for every hour of the {} hours, a started one whole, for each row of traffic apart. \
             What they do not serve in a minute flows over to on demand, at the price of that minute's own calls. \
             The number of units that is the cheapest so is taken.",
            window.hours()
        ),
        "The load that pays is that at which the fewest units cost no more than on demand, all day, with the \
         traffic's own mix of tokens."
            .to_owned(),
    ]
}

fn of_minutes(traffic: &[TrafficPlan], window: Window) -> Option<String> {
    if window.minutes_from <= window.from {
        return None;
    }
    let longer = traffic.iter().filter_map(|one| one.minutes.longer_mean_max).max();
    let bound = match longer {
        Some(_) => {
            " Before that traffic is taken as even within an hour or a day, so what flows over is a lower bound."
        }
        None => "",
    };
    let what = if window.known_minutes() == 0 {
        "No minute of this time is known any more, so there are no percentiles.".to_owned()
    } else {
        let days = window.to.0.saturating_sub(window.minutes_from.0) / DAY_MS;
        format!(
            "Percentiles are of the {} minutes since {} (about {days} d), those without calls too.",
            window.known_minutes(),
            window.minutes_from.second_text()
        )
    };
    Some(format!("{what}{bound} `[ledger] keep_minutes` decides how long minutes are kept."))
}

fn of_prices(traffic: &[TrafficPlan]) -> Option<String> {
    let quotes = traffic.iter().flat_map(|one| &one.quotes);
    let all = quotes.fold(Approximations::default(), |all, quote| all.union(quote.approximations));
    let names: Vec<&str> = all.iter().map(Approximation::as_str).collect();
    (!names.is_empty())
        .then(|| format!("Some prices are assumed (marked with ~): {}.", names.join(", ")))
}
