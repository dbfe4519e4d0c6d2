//! Quotas as JSON: the answer of `/api/v1/quotas`, and what `tollkeeper quota` prints.

use serde_json::{Value, json};

use crate::model::time::UnixMillis;
use crate::quota::explain::{Explanation, Holder};
use crate::quota::status::QuotaStatus;
use crate::quota::tracker::PoolStatus;
use crate::watch::evidence::{ByModel, Source, Tally, WINDOWS};
use crate::watch::throttle::sentence;

/// The path of the answer.
pub const PATH: &str = "/api/v1/quotas";

/// Returns where pools stand at `now`, and what each log says of throttled calls in each of [`WINDOWS`].
pub fn quotas(pools: &[PoolStatus], throttles: &[ByModel], now: UnixMillis) -> Value {
    let logs = WINDOWS.iter().zip(throttles).flat_map(|((window, _), by_model)| {
        by_model.iter().map(move |((model, source), tally)| log(window, model, *source, tally))
    });
    json!({
        "at": now.second_text(),
        "pools": pools.iter().map(pool).collect::<Vec<_>>(),
        "logs": logs.collect::<Vec<_>>(),
    })
}

fn log(window: &str, model: &str, source: Source, tally: &Tally) -> Value {
    // A log of the service has each attempt by itself.
    let attempts = tally.amplification().filter(|_| source == Source::ApplicationLog);
    json!({
        "window": window,
        "model": model,
        "source": source.as_str(),
        "requests": tally.calls,
        "throttled_requests": tally.throttled,
        "retries": tally.retries,
        "retries_exhausted": tally.retries_exhausted,
        "retry_amplification_ratio": attempts,
        "wasted_cost_usd": tally.wasted.to_string(),
    })
}

fn pool(status: &PoolStatus) -> Value {
    let PoolStatus { pool, minute, quotas, explanations } = status;
    json!({
        "account": pool.account,
        "region": pool.region,
        "model": pool.model,
        "route": pool.route.as_str(),
        "minute": minute.minute.second_text(),
        "throttled_requests": minute.throttled,
        "open_requests_peak": minute.open_peak,
        "reserved_tokens_peak": minute.reserved_peak,
        "quotas": quotas.iter().map(quota).collect::<Vec<_>>(),
        "throttled_minutes": explanations.iter().map(|one| explanation(one)).collect::<Vec<_>>(),
    })
}

fn quota(quota: &QuotaStatus) -> Value {
    json!({
        "quota": quota.kind.as_str(),
        "limit": quota.limit.map(|limit| limit.value),
        "limit_source": quota.limit.map(|limit| limit.source.as_str()),
        "used": quota.used,
        "peak": quota.peak,
        "headroom_ratio": quota.headroom,
        "used_growth_per_minute": quota.slope,
        "reached": quota.exhausted.map(UnixMillis::second_text),
    })
}

fn explanation(one: &Explanation) -> Value {
    json!({
        "minute": one.used.minute.second_text(),
        "throttled_requests": one.used.throttled,
        "throttled_requests_elsewhere": one.elsewhere,
        "reason": one.reason.as_str(),
        "confidence": one.confidence.as_str(),
        "text": sentence(one),
        "settled_tokens": one.used.settled,
        "reserved_tokens_peak": one.used.reserved_peak,
        "taken_tokens_peak": one.used.use_peak,
        "requests_peak": one.used.requests_peak,
        "settled_tokens_of_day": one.day.settled,
        "day_is_of_account": one.day.is_of_account,
        "holders": one.holders.iter().map(holder).collect::<Vec<_>>(),
        "advice": one.advice.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "not_known": one.unknown.iter().map(|unknown| unknown.as_str()).collect::<Vec<_>>(),
    })
}

fn holder(holder: &Holder) -> Value {
    json!({
        "principal": holder.principal,
        "reserved_tokens": holder.held,
        "settled_tokens": holder.settled,
        "requests": holder.requests,
    })
}
