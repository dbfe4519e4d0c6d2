//! The page of `/metrics`, made piece by piece while it is sent.
//!
//! At 2,000 series the page has 17 MB. It must never be held as a whole, nor the families of more
//! than some series. All pieces are of one snapshot.

use std::sync::Arc;

use prometheus::proto::MetricFamily;
use prometheus::{Encoder, TextEncoder};

use super::families::beside_series;
use super::series::{BY_SERIES, Group, family, group};
use super::snapshot::Snapshot;
use crate::model::time::UnixMillis;
use crate::watch::lookout::Evaluation;

/// Text that is sent at once where there is as much, so that a small page is one piece.
const PIECE_BYTES: usize = 64 << 10;
/// Groups of series in one part of a piece; with every bucket of a histogram this is about 150 KB of text.
const PIECE_GROUPS: usize = 32;

/// A page in the Prometheus text format, version 0.0.4; iterates over its pieces.
pub struct Page {
    snapshot: Arc<Snapshot>,
    evaluation: Arc<Evaluation>,
    now: UnixMillis,
    groups: Vec<Group>,
    piece_groups: usize,
    /// Place in [`BY_SERIES`].
    family: usize,
    /// Groups of this family that are written.
    written: usize,
    /// Whether the head of this family is written.
    begun: bool,
    ended: bool,
}

impl Page {
    /// Returns the page of `snapshot` and of the last evaluation, as of `now`.
    pub fn new(snapshot: Arc<Snapshot>, evaluation: Arc<Evaluation>, now: UnixMillis) -> Self {
        Self::in_pieces(snapshot, evaluation, now, PIECE_GROUPS)
    }

    fn in_pieces(
        snapshot: Arc<Snapshot>,
        evaluation: Arc<Evaluation>,
        now: UnixMillis,
        piece_groups: usize,
    ) -> Self {
        let groups = group(&snapshot);
        Self {
            snapshot,
            evaluation,
            now,
            groups,
            piece_groups,
            family: 0,
            written: 0,
            begun: false,
            ended: false,
        }
    }

    /// Returns the text of the next few groups of one family, or of everything beside the series.
    fn part(&mut self) -> Option<prometheus::Result<Vec<u8>>> {
        while let Some(&(metric, fill)) = BY_SERIES.get(self.family) {
            let rest = self.groups.get(self.written..).unwrap_or_default();
            let Some(piece) = rest.chunks(self.piece_groups).next() else {
                self.family += 1;
                self.written = 0;
                self.begun = false;
                continue;
            };
            self.written += piece.len();
            if let Some(family) = family(metric, fill, piece).finish() {
                let text = encoded(&[family]);
                let is_first = !std::mem::replace(&mut self.begun, true);
                return Some(if is_first { text } else { text.map(without_head) });
            }
        }
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        Some(encoded(&beside_series(&self.snapshot, &self.evaluation, &self.groups, self.now)))
    }
}

impl Iterator for Page {
    /// Fails as the encoder does, which needs every family to have samples and a name.
    type Item = prometheus::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = Vec::new();
        while piece.len() < PIECE_BYTES {
            match self.part() {
                Some(Ok(mut part)) => piece.append(&mut part),
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        (!piece.is_empty()).then_some(Ok(piece))
    }
}

fn encoded(families: &[MetricFamily]) -> prometheus::Result<Vec<u8>> {
    let mut text = Vec::new();
    TextEncoder::new().encode(families, &mut text)?;
    Ok(text)
}

/// Returns the samples of a family without its two lines of help and type.
fn without_head(mut text: Vec<u8>) -> Vec<u8> {
    let samples = memchr::memchr_iter(b'\n', &text).nth(1).map_or(0, |end| end + 1);
    drop(text.drain(..samples));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Labels;
    use crate::ledger::amounts::Amounts;
    use crate::ledger::counts::Counts;
    use crate::metrics::snapshot::LedgerFacts;
    use crate::model::names::{Route, Tier};
    use crate::model::series::{ContextBand, SeriesKey};
    use crate::price::Book;
    use std::collections::BTreeMap;

    fn snapshot(series: u64) -> Arc<Snapshot> {
        let with = |number: u64| {
            let key = SeriesKey {
                provider: "aws.bedrock".to_owned(),
                account: format!("{number:012}"),
                region: "us-east-1".to_owned(),
                model: "amazon.nova-pro-v1:0".to_owned(),
                route: Route::InRegion,
                geo: String::new(),
                tier: Tier::Standard,
                principal: String::new(),
                attributes: Vec::new(),
                context: ContextBand::default(),
                item: String::new(),
            };
            let mut amounts = Amounts { reasoning_tokens: number, ..Amounts::default() };
            if number % 5 == 4 {
                amounts.duration_ms.observe(&[1, 2], number);
            }
            (Arc::new(key), Arc::new(amounts))
        };
        Arc::new(Snapshot {
            series: (0..series).map(with).collect(),
            signals: Vec::new(),
            ingest: BTreeMap::new(),
            overflow: Counts::default(),
            ledger: LedgerFacts::default(),
            sources: BTreeMap::new(),
            book: Arc::new(Book::shipped().unwrap()),
            labels: Labels::default(),
            alerts: Arc::default(),
            deliveries: Arc::default(),
        })
    }

    fn text(series: u64, piece_groups: usize) -> Vec<String> {
        let page = Page::in_pieces(snapshot(series), Arc::default(), UnixMillis(0), piece_groups);
        let whole: Vec<u8> = page.flat_map(Result::unwrap).collect();
        let text = String::from_utf8(whole).unwrap();
        // What is measured of the process changes from page to page.
        text.lines().filter(|line| !line.contains("process_")).map(str::to_owned).collect()
    }

    #[test]
    fn pieces_of_any_size_make_the_page_that_is_made_at_once() {
        for series in [0, 1, 7, 64] {
            let at_once = text(series, usize::MAX);
            let samples = at_once.iter().filter(|line| line.contains("reasoning_tokens_total{"));
            assert_eq!(samples.count() as u64, series);
            for piece_groups in [1, 3, 7, 32] {
                assert_eq!(text(series, piece_groups), at_once, "{series} by {piece_groups}");
            }
        }
    }

    #[test]
    fn every_family_has_its_head_once() {
        let text = text(64, 3);
        let mut heads: Vec<_> = text.iter().filter(|line| line.starts_with("# TYPE")).collect();
        assert!(heads.len() > 10);
        let all = heads.len();
        heads.sort();
        heads.dedup();
        assert_eq!(heads.len(), all);
    }
}
