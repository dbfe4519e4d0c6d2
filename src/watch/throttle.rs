//! What an alert about throttled calls says of their reason. The reason itself is found by `quota`.

use super::text;
use crate::model::alert::Brief;
use crate::model::digits::grouped;
use crate::quota::explain::{Explanation, Reason};
use crate::quota::kind::QuotaKind;
use crate::quota::limits::Limit;
use crate::quota::tracker::PoolStatus;

/// Puts the reason of the minute with the most throttled calls of a model in front of what to do.
pub(super) fn explain(brief: &mut Brief, pools: &[PoolStatus], model: &str) {
    let of_model = pools.iter().filter(|status| status.pool.model == model);
    let explained =
        of_model.flat_map(|status| status.explanations.iter().map(move |one| (status, one)));
    let Some((status, worst)) = explained.max_by_key(|(_, one)| one.throttled()) else { return };
    let pool = &status.pool;
    brief.values.insert("throttle_reason".to_owned(), worst.reason.as_str().to_owned());
    brief.values.insert("throttle_confidence".to_owned(), worst.confidence.as_str().to_owned());
    let mut lines = vec![format!(
        "{} in {}, {}: {}",
        pool.route.as_str(),
        pool.region,
        worst.used.minute.second_text(),
        sentence(worst)
    )];
    lines.extend(worst.advice.iter().map(ToString::to_string));
    brief.details.splice(0..0, lines);
}

/// Returns which limit a minute ran into, with its numbers.
pub fn sentence(explanation: &Explanation) -> String {
    let Explanation { used, reason, confidence, limits, day, .. } = explanation;
    let of_limit = |amount: u64, limit: Option<Limit>| match limit {
        Some(limit) if limit.value > 0 => {
            format!("{} of {}", text::share(amount, limit.value), grouped(limit.value))
        }
        Some(_) => format!("{} of 0", grouped(amount)),
        None => grouped(amount),
    };
    let share = |amount: u64, kind: QuotaKind| of_limit(amount, limits.of(kind));
    let what = match reason {
        Reason::Reservation => format!(
            "open calls held {} tokens a minute, and settled to no more than {}",
            share(used.use_peak, QuotaKind::TokensPerMinute),
            share(used.settled, QuotaKind::TokensPerMinute)
        ),
        Reason::Settled => format!(
            "calls used {} tokens a minute",
            share(used.use_peak, QuotaKind::TokensPerMinute)
        ),
        Reason::Requests => {
            format!(
                "calls a minute were {}",
                share(used.requests_peak, QuotaKind::RequestsPerMinute)
            )
        }
        Reason::Daily => {
            let whose = if day.is_of_account { "all models of the account" } else { "the day" };
            format!("{whose} used {} tokens of the day", of_limit(day.settled, day.limit))
        }
        Reason::Unknown if limits.tokens_per_minute.is_none() => format!(
            "no limit is known; calls in this log took {} tokens a minute",
            grouped(used.use_peak)
        ),
        Reason::Unknown => format!(
            "no limit is reached by what this log shows ({} tokens a minute)",
            share(used.use_peak, QuotaKind::TokensPerMinute)
        ),
    };
    let unknown: Vec<_> = explanation.unknown.iter().map(|unknown| unknown.as_str()).collect();
    let unknown = if unknown.is_empty() {
        String::new()
    } else {
        format!("; not known: {}", unknown.join(", "))
    };
    format!("{} ({} confidence): {what}{unknown}", reason.as_str(), confidence.as_str())
}
