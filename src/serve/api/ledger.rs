//! What there is to ask the ledger for, as JSON: the answer of `/api/v1/ledger`. Who shows usage needs to know what it can be told
//! apart by, and whether there is any.

use serde_json::{Value, json};

use crate::budget::scope::Label;
use crate::metrics::Snapshot;
use crate::model::time::UnixMillis;
use crate::query::Dimension;

pub(super) fn ledger(snapshot: &Snapshot) -> Value {
    let attributes = snapshot.labels.attributes.iter().map(|key| Label::Attribute(key.clone()));
    let named = Dimension::named().into_iter();
    let dimensions =
        named.chain(attributes.map(Dimension::Label)).map(|dimension| dimension.name());
    let ledger = &snapshot.ledger;
    json!({
        "created": ledger.created.second_text(),
        "committed": instant(ledger.committed),
        "newest_record": instant(newest(snapshot)),
        "series": snapshot.series.len(),
        "bytes_on_disk": ledger.bytes,
        "dimensions": dimensions.collect::<Vec<_>>(),
        "price_book": {
            "version": snapshot.book.version(),
            "made": snapshot.book.published_at().map(UnixMillis::second_text),
        },
    })
}

fn newest(snapshot: &Snapshot) -> UnixMillis {
    snapshot.ingest.values().map(|ingest| ingest.newest).max().unwrap_or_default()
}

fn instant(at: UnixMillis) -> Option<String> {
    (at.0 > 0).then(|| at.second_text())
}
