//! What to do about throttled calls, with numbers.

use std::fmt;

use super::explain::{Case, Holder, Reason};
use super::flow::{Flow, MinuteUse};
use super::kind::QuotaKind;
use super::lane::{Lane, LaneSums};
use crate::model::digits::grouped;

/// Room above what 99 of 100 calls write, in percent.
const ROOM_PERCENT: u64 = 25;
/// A limit is worth lowering if it is so many times what is suggested, and if that lowers what is held at once by
/// so much, in percent.
const WORTH_TIMES: u64 = 2;
const WORTH_PERCENT: u128 = 20;

/// A suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Let the calls of a principal write less.
    LowerMaxTokens {
        /// Whose calls.
        principal: String,
        /// What they may write now, on average.
        reserves: u64,
        /// What 99 of 100 of them write at most.
        uses: u64,
        /// What to let them write.
        max_tokens: u64,
        /// The most that was held in the minute, and would have been.
        peaks: (u64, u64),
        /// The limit in tokens a minute, if it is known.
        limit: Option<u64>,
    },
    /// Ask for a higher limit, or do less.
    RaiseLimit {
        /// Of what.
        kind: QuotaKind,
        /// What it is.
        limit: u64,
        /// What all calls of the minute would have needed.
        needed: u64,
    },
    /// Wait until the day is over.
    NextDay {
        /// The limit of the day.
        limit: Option<u64>,
    },
    /// Tell the limit, which is not known.
    TellLimit,
    /// Look elsewhere: what this log shows does not reach the limit.
    LookElsewhere {
        /// The most that was held and used, and the limit.
        share: Option<(u64, u64)>,
    },
}

/// Returns what to do about a throttled minute.
pub(super) fn of(
    case: &Case<'_>,
    reason: Reason,
    used: &MinuteUse,
    holders: &[Holder],
    sums: &[LaneSums],
) -> Vec<Advice> {
    let tokens = case.limits.tokens_per_minute.map(|limit| limit.value);
    let throttled = used.throttled.saturating_add(case.elsewhere);
    let mut advice = Vec::new();
    if matches!(reason, Reason::Reservation | Reason::Unknown) {
        let lower = holders.iter().filter_map(|holder| lower(case, holder, used, tokens));
        advice.extend(lower);
    }
    match reason {
        Reason::Reservation => {}
        Reason::Settled => {
            let mean = |of: fn(&LaneSums, super::flow::Toll) -> Option<u64>| {
                let most = sums.iter().filter_map(|sums| of(sums, case.toll)).max();
                most.unwrap_or(0)
            };
            let needed =
                used.use_peak.saturating_add(throttled.saturating_mul(mean(LaneSums::mean_taken)));
            advice.extend(tokens.map(|limit| Advice::RaiseLimit {
                kind: QuotaKind::TokensPerMinute,
                limit,
                needed,
            }));
        }
        Reason::Requests => {
            let limit = case.limits.requests_per_minute;
            advice.extend(limit.map(|limit| Advice::RaiseLimit {
                kind: QuotaKind::RequestsPerMinute,
                limit: limit.value,
                needed: used.requests_peak.saturating_add(throttled),
            }));
        }
        Reason::Daily => {
            let limit = case.day.limit.map(|limit| limit.value);
            advice.push(Advice::NextDay { limit });
        }
        Reason::Unknown if tokens.is_none() => advice.push(Advice::TellLimit),
        Reason::Unknown => {
            let share = tokens.map(|limit| (used.use_peak, limit));
            advice.push(Advice::LookElsewhere { share });
        }
    }
    advice
}

fn lower(case: &Case<'_>, holder: &Holder, used: &MinuteUse, limit: Option<u64>) -> Option<Advice> {
    let is_own = |lane: &&Lane<'_>| lane.principal == holder.principal;
    let own = Lane {
        principal: &holder.principal,
        minutes: case.lanes.iter().filter(is_own).flat_map(|lane| lane.minutes.clone()).collect(),
    };
    let sums = own.sums();
    let (reserves, uses) = (sums.mean_limit(case.toll)?, sums.output_quantile()?);
    let max_tokens = rounded_up(uses + uses * ROOM_PERCENT / 100);
    if reserves < max_tokens * WORTH_TIMES {
        return None;
    }
    let mut flow = Flow::default();
    for lane in case.lanes.iter().filter(|lane| !is_own(lane)) {
        for (minute, inflight) in &lane.minutes {
            flow.add(*minute, inflight, case.toll);
        }
    }
    flow.merge(&own.flow_with(max_tokens, case.toll));
    let after = flow.minute(case.minute).reserved_peak;
    let saved = u128::from(used.reserved_peak.saturating_sub(after));
    if saved * 100 < u128::from(limit.unwrap_or(used.reserved_peak)) * WORTH_PERCENT {
        return None;
    }
    Some(Advice::LowerMaxTokens {
        principal: holder.principal.clone(),
        reserves,
        uses,
        max_tokens,
        peaks: (used.reserved_peak, after),
        limit,
    })
}

/// Rounds up to two digits: what a person would write.
fn rounded_up(tokens: u64) -> u64 {
    let mut step = 1;
    while tokens / step >= 100 {
        step *= 10;
    }
    tokens.div_ceil(step) * step
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LowerMaxTokens { principal, reserves, uses, max_tokens, peaks, limit } => {
                let (before, after) = *peaks;
                write!(
                    f,
                    "{principal} reserves {} and uses {} at p99: max_tokens {} would cut the peak reservation \
                     from {} to {}",
                    grouped(*reserves),
                    grouped(*uses),
                    grouped(*max_tokens),
                    share(before, *limit),
                    share(after, *limit)
                )
            }
            Self::RaiseLimit { kind: QuotaKind::RequestsPerMinute, limit, needed } => write!(
                f,
                "{} calls came within a minute where {} may: put small calls together, spread them, or ask for a \
                 higher quota",
                grouped(*needed),
                grouped(*limit)
            ),
            Self::RaiseLimit { limit, needed, .. } => write!(
                f,
                "about {} quota tokens were wanted within a minute where {} may be used: spread the load, move \
                 what can wait to batch or flex, or ask for a higher quota",
                grouped(*needed),
                grouped(*limit)
            ),
            Self::NextDay { limit: Some(limit) } => write!(
                f,
                "the {} quota tokens of the day are used up: calls go on at the next day (UTC), or with a higher \
                 quota",
                grouped(*limit)
            ),
            Self::NextDay { limit: None } => f.write_str(
                "the quota tokens of the day are used up: calls go on at the next day (UTC), or with a higher \
                 quota",
            ),
            Self::TellLimit => f.write_str(
                "no limit is known for this model: give `[quota] service_quotas` an export of the account's \
                 quotas, or write a `[[quota.limit]]`",
            ),
            Self::LookElsewhere { share: Some((used, limit)) } => write!(
                f,
                "calls in this log took at most {}: others of the account may take the rest, the limit may be \
                 lower than known, or AWS was short of capacity",
                share(*used, Some(*limit))
            ),
            Self::LookElsewhere { share: None } => f.write_str("no limit is known"),
        }
    }
}

fn share(amount: u64, limit: Option<u64>) -> String {
    match limit {
        Some(limit) if limit > 0 => {
            let percent = (u128::from(amount) * 100 + u128::from(limit) / 2) / u128::from(limit);
            format!("{percent} % of {}", grouped(limit))
        }
        _ => format!("{} tokens", grouped(amount)),
    }
}
