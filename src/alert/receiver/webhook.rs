//! The generic webhook: JSON of a fixed schema, signed.
//!
//! | field | type | what |
//! |---|---|---|
//! | `version` | number | 1; a change that breaks readers counts it up |
//! | `status` | text | `firing` or `resolved` |
//! | `severity` | text | `page`, `ticket` or `notice` |
//! | `alert` | text | name of the alert |
//! | `labels` | object | what it is about; texts |
//! | `title`, `summary` | text | one line, with and without the labels |
//! | `details` | list of texts | who and what explains it, what to do |
//! | `values` | object | the numbers in it, as exact decimals in texts |
//! | `since`, `fired` | text | RFC 3339: true since, fired at |
//! | `ended` | text or null | when it was over |
//! | `deduplication_key` | text | the same at every attempt, and for begin and end |
//! | `number` | number | counts up in one ledger |
//! | `dashboard_url`, `runbook_url` | text or null | links |
//!
//! The header `X-Tollkeeper-Signature` is `t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256 under the secret
//! of `SECONDS.BODY`; a receiver computes it anew over the bytes it got, compares in constant time, and
//! refuses what is older than some minutes. `Idempotency-Key` is the deduplication key and the status.

use hyper::header::{HeaderName, HeaderValue};
use ring::hmac;
use serde_json::{Value, json};

use super::super::message::instant;
use super::{Links, Told, hex};
use crate::model::alert::Notice;
use crate::model::time::UnixMillis;
use crate::secret::Secret;

/// Counts up with a change that breaks readers.
const VERSION: u32 = 1;
const SIGNATURE: HeaderName = HeaderName::from_static("x-tollkeeper-signature");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Returns the body.
pub(in crate::alert) fn body(notice: &Notice, links: &Links) -> Value {
    let told = Told::from(notice);
    json!({
        "version": VERSION,
        "status": told.status.as_str(),
        "severity": told.severity.as_str(),
        "alert": told.key.name.as_str(),
        "labels": told.key.labels,
        "title": told.title(),
        "summary": told.summary(),
        "details": told.details(),
        "values": told.brief.values,
        "since": instant(told.since),
        "fired": instant(told.fired),
        "ended": told.ended.map(instant),
        "deduplication_key": notice.deduplication_key(),
        "number": notice.number,
        "dashboard_url": links.dashboard,
        "runbook_url": told.runbook(links),
    })
}

/// Returns the headers of an attempt.
pub(in crate::alert) fn headers(
    notice: &Notice,
    body: &[u8],
    secret: Option<&Secret>,
    now: UnixMillis,
) -> Vec<(HeaderName, HeaderValue)> {
    let key = format!("{}-{}", notice.deduplication_key(), notice.status.as_str());
    let signature = secret.map(|secret| (SIGNATURE, signature(body, secret, now)));
    std::iter::once((IDEMPOTENCY_KEY, key))
        .chain(signature)
        // Both are made of ASCII letters, digits and `-=,`.
        .filter_map(|(name, text)| Some((name, HeaderValue::from_str(&text).ok()?)))
        .collect()
}

fn signature(body: &[u8], secret: &Secret, now: UnixMillis) -> String {
    let seconds = now.0.div_euclid(1_000);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.exposed().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{seconds}.").as_bytes());
    context.update(body);
    format!("t={seconds},v1={}", hex(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::super::super::message::tests::spike;
    use super::*;
    use crate::model::alert::NoticeStatus;

    #[test]
    fn the_schema_is_as_documented() {
        let notice = spike(NoticeStatus::Resolved);
        let links = Links { dashboard: None, runbook: Some("https://r.example/R.md".to_owned()) };
        assert_eq!(
            body(&notice, &links),
            json!({
                "version": 1,
                "status": "resolved",
                "severity": "page",
                "alert": "TollkeeperSpendSpike",
                "labels": { "model": "anthropic.claude-v2:1" },
                "title": "[resolved] TollkeeperSpendSpike model=anthropic.claude-v2:1: spend $412/h, \
                          usual $35/h",
                "summary": "spend $412/h, usual $35/h",
                "details": ["role/log-summariser: +$377/h, 93 % of the increase"],
                "values": { "spend_usd_per_hour": "412" },
                "since": "2026-11-23T10:00:00.000Z",
                "fired": "2026-11-23T10:02:00.000Z",
                "ended": "2026-11-23T11:14:00.000Z",
                "deduplication_key": notice.deduplication_key(),
                "number": 7,
                "dashboard_url": null,
                "runbook_url": "https://r.example/R.md#tollkeeperspendspike",
            })
        );
    }

    /// Computed with `printf '1795428000.{"a":1}' | openssl dgst -sha256 -hmac k3y`.
    #[test]
    fn the_signature_is_that_of_openssl() {
        let secret = Secret::new("k3y".to_owned());
        assert_eq!(
            signature(b"{\"a\":1}", &secret, UnixMillis(1_795_428_000_123)),
            "t=1795428000,v1=a177af5bc8265ce1677ac6d84ffb158f9f225eea59ddbaf0b54d6315814ae479"
        );
    }

    #[test]
    fn begin_and_end_have_idempotency_keys_of_their_own() {
        let of = |status| headers(&spike(status), b"", None, UnixMillis(0));
        let (begin, end) = (of(NoticeStatus::Firing), of(NoticeStatus::Resolved));
        assert_eq!(begin.len(), 1, "unsigned without a secret");
        assert_eq!(begin, of(NoticeStatus::Firing));
        assert_ne!(begin, end);
    }
}
