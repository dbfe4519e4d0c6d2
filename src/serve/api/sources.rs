//! What was read of each source, and how far behind it is, as JSON: the answer of `/api/v1/sources`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::metrics::Snapshot;
use crate::model::time::UnixMillis;

pub(super) fn sources(snapshot: &Snapshot, now: UnixMillis) -> Value {
    let sources = snapshot.ingest.iter().map(|(name, ingest)| {
        let facts = snapshot.sources.get(name).copied().unwrap_or_default();
        let mut lines: BTreeMap<&str, u64> = BTreeMap::new();
        for ((_, result), count) in ingest.lines.iter() {
            *lines.entry(result.as_str()).or_default() += count;
        }
        let is_behind = facts.backlog_bytes > 0 && ingest.newest.0 > 0;
        let lag_ms = if is_behind { (now.0 - ingest.newest.0).max(0) } else { 0 };
        json!({
            "source": name,
            "lines": lines,
            "bytes": ingest.bytes,
            "lost_bytes": ingest.lost_bytes,
            "late_records": ingest.late_records,
            "backlog_bytes": facts.backlog_bytes,
            "lag_seconds": lag_ms / 1_000,
            "newest_record": (ingest.newest.0 > 0).then(|| ingest.newest.second_text()),
            "files": facts.files,
            "unreadable_paths": facts.problems,
        })
    });
    json!({ "sources": sources.collect::<Vec<_>>() })
}
