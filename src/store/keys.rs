//! How keys are laid out: one letter for what it is, then big-endian numbers, so that ranges are
//! in order. The schema version is the first key of all.

use crate::ledger::delta::SeriesId;
use crate::ledger::position::LogId;
use crate::ledger::rollup::{Bucket, Level};
use crate::ledger::signals::SignalId;
use crate::model::alert::AlertKey;
use crate::model::time::{MINUTE_MS, UnixMillis};

/// The key of the schema version; sorts before every other.
pub const SCHEMA: &[u8] = &[0];
/// The key of [`super::ledger_store::Meta`].
pub const META: &[u8] = b"m";
/// The key of the first series that a fold which did not end has left to the journal.
pub const FOLDED: &[u8] = b"f";
/// Series of one rollup block: their rows (some 60 bytes each, 230 at most) fit into one value.
pub const SERIES_PER_BLOCK: u32 = 16;

/// First letters of keys.
pub mod prefix {
    /// Alerts that are pending or firing.
    pub const ALERT: u8 = b'a';
    /// What became of notices, by route.
    pub const DELIVERIES: u8 = b'c';
    /// Streams of request ids by slice.
    pub const IDS: u8 = b'd';
    /// Labels of signals.
    pub const SIGNAL: u8 = b'g';
    /// Totals of signals.
    pub const SIGNAL_TOTALS: u8 = b'h';
    /// Ingest counters by source.
    pub const INGEST: u8 = b'i';
    /// Commits that are not folded yet.
    pub const JOURNAL: u8 = b'j';
    /// Notices that are to be sent.
    pub const NOTICE: u8 = b'o';
    /// Up to when items are charged.
    pub const CHARGED: u8 = b'n';
    /// Positions of logs.
    pub const POSITION: u8 = b'p';
    /// Calls in flight by the minute.
    pub const INFLIGHT: u8 = b'q';
    /// Rollup blocks.
    pub const ROLLUP: u8 = b'r';
    /// Labels of series.
    pub const SERIES: u8 = b's';
    /// Totals of series.
    pub const TOTALS: u8 = b't';
    /// Rollup blocks of signals.
    pub const SIGNAL_ROLLUP: u8 = b'w';
}

/// Returns the range of all keys with a first letter.
pub fn all(prefix: u8) -> ([u8; 1], [u8; 1]) {
    ([prefix], [prefix + 1])
}

fn key(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![prefix];
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// Returns the key of the labels of a series.
pub fn series(id: SeriesId) -> Vec<u8> {
    key(prefix::SERIES, &[&id.0.to_be_bytes()])
}

/// Returns the key of the totals of a series.
pub fn totals(id: SeriesId) -> Vec<u8> {
    key(prefix::TOTALS, &[&id.0.to_be_bytes()])
}

/// Returns the key of the labels of a signal.
pub fn signal(id: SignalId) -> Vec<u8> {
    key(prefix::SIGNAL, &[&id.0.to_be_bytes()])
}

/// Returns the key of the totals of a signal.
pub fn signal_totals(id: SignalId) -> Vec<u8> {
    key(prefix::SIGNAL_TOTALS, &[&id.0.to_be_bytes()])
}

/// Returns the key of the position of a log.
pub fn position(id: LogId) -> Vec<u8> {
    key(prefix::POSITION, &[&id.0.to_be_bytes()])
}

/// Returns the key of the ingest counters of a source.
pub fn ingest(source: &str) -> Vec<u8> {
    key(prefix::INGEST, &[source.as_bytes()])
}

/// Returns the key of the state of an alert.
pub fn alert(key: &AlertKey) -> Vec<u8> {
    self::key(prefix::ALERT, &[key.to_string().as_bytes()])
}

/// Returns the key of a notice that is to be sent.
pub fn notice(number: u64) -> Vec<u8> {
    key(prefix::NOTICE, &[&number.to_be_bytes()])
}

/// Returns the key of what became of the notices of a route.
pub fn deliveries(route: &str) -> Vec<u8> {
    key(prefix::DELIVERIES, &[route.as_bytes()])
}

/// Returns the key of up to when an item is charged.
pub fn charged(item: &str) -> Vec<u8> {
    key(prefix::CHARGED, &[item.as_bytes()])
}

/// Returns the key of a piece of the calls in flight of a series, by the minute since 1970.
pub fn inflight(minute: u32, series: SeriesId, piece: u16) -> Vec<u8> {
    let parts: [&[u8]; 3] = [&minute.to_be_bytes(), &series.0.to_be_bytes(), &piece.to_be_bytes()];
    key(prefix::INFLIGHT, &parts)
}

/// Returns the range of the calls in flight of minutes that start in `from..to`.
pub fn inflight_range(from: UnixMillis, to: UnixMillis) -> (Vec<u8>, Vec<u8>) {
    let first_at_or_after = |at: UnixMillis| {
        let minute = at.plus(MINUTE_MS - 1).0.div_euclid(MINUTE_MS).max(0);
        inflight(u32::try_from(minute).unwrap_or(u32::MAX), SeriesId(0), 0)
    };
    (first_at_or_after(from), first_at_or_after(to))
}

/// Returns the minute and series of a key of calls in flight.
pub fn inflight_parts(key: &[u8]) -> Option<(u32, SeriesId)> {
    let (minute, rest) = key.get(1..)?.split_first_chunk()?;
    let (series, rest) = rest.split_first_chunk()?;
    let parts = (u32::from_be_bytes(*minute), SeriesId(u32::from_be_bytes(*series)));
    (rest.len() == size_of::<u16>()).then_some(parts)
}

/// Returns the key of one part of a commit.
pub fn journal(number: u64, part: u16) -> Vec<u8> {
    key(prefix::JOURNAL, &[&number.to_be_bytes(), &part.to_be_bytes()])
}

/// Returns the number and part of a journal key.
pub fn journal_parts(key: &[u8]) -> Option<(u64, u16)> {
    let (number, part) = key.get(1..)?.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), u16::from_be_bytes(part.try_into().ok()?)))
}

/// Returns the key of the block of a bucket that holds a series or signal, by its number. `table` is
/// [`prefix::ROLLUP`] or [`prefix::SIGNAL_ROLLUP`], also below.
pub fn rollup(table: u8, bucket: Bucket, number: u32) -> Vec<u8> {
    rollup_block(table, bucket, number / SERIES_PER_BLOCK)
}

/// Returns the key of a block of a bucket.
pub fn rollup_block(table: u8, bucket: Bucket, block: u32) -> Vec<u8> {
    let level = [bucket.level as u8];
    key(table, &[&level, &bucket.start_minute.to_be_bytes(), &block.to_be_bytes()])
}

/// Returns the range of the blocks of `level` whose bucket starts in `from..to`; all blocks of
/// [`Level::Ever`], which has no dates.
pub fn rollup_range(
    table: u8,
    level: Level,
    from: UnixMillis,
    to: UnixMillis,
) -> (Vec<u8>, Vec<u8>) {
    if level == Level::Ever {
        return (vec![table, level as u8], all(table).1.to_vec());
    }
    let first_at_or_after = |at: UnixMillis| {
        let minute = at.plus(MINUTE_MS - 1).0.div_euclid(MINUTE_MS).max(0);
        let start_minute = u32::try_from(minute).unwrap_or(u32::MAX);
        rollup_block(table, Bucket { level, start_minute }, 0)
    };
    (first_at_or_after(from), first_at_or_after(to))
}

/// Returns the bucket and block of a rollup key.
pub fn rollup_parts(key: &[u8]) -> Option<(Bucket, u32)> {
    let (&[prefix::ROLLUP | prefix::SIGNAL_ROLLUP, level], rest) = key.split_first_chunk::<2>()?
    else {
        return None;
    };
    let (start, rest) = rest.split_first_chunk::<4>()?;
    let block: &[u8; 4] = rest.try_into().ok()?;
    let level = [Level::Minute, Level::Hour, Level::Day, Level::Ever]
        .into_iter()
        .find(|&known| known as u8 == level)?;
    let bucket = Bucket { level, start_minute: u32::from_be_bytes(*start) };
    Some((bucket, u32::from_be_bytes(*block)))
}

/// Returns the place of a series or signal in its block.
pub fn place_in_block(number: u32) -> u8 {
    u8::try_from(number % SERIES_PER_BLOCK).unwrap_or(0)
}

/// Returns the number of the series or signal at a place of a block.
pub fn number_in_block(block: u32, place: u8) -> Option<u32> {
    let place = Some(u32::from(place)).filter(|&place| place < SERIES_PER_BLOCK)?;
    block.checked_mul(SERIES_PER_BLOCK)?.checked_add(place)
}

/// Returns the key of the stream of the request ids of a slice.
pub fn ids(slice: UnixMillis) -> Vec<u8> {
    key(prefix::IDS, &[&ordered(slice.0).to_be_bytes()])
}

/// Returns the slice of such a key.
pub fn ids_slice(key: &[u8]) -> Option<UnixMillis> {
    let slice = u64::from_be_bytes(key.get(1..)?.try_into().ok()?);
    Some(UnixMillis((slice ^ SIGN).cast_signed()))
}

const SIGN: u64 = 1 << 63;

/// Maps signed numbers to unsigned ones of the same order.
fn ordered(number: i64) -> u64 {
    number.cast_unsigned() ^ SIGN
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_their_numbers(a in any::<i64>(), b in any::<i64>()) {
            let (left, right) = (UnixMillis(a), UnixMillis(b));
            prop_assert_eq!(ids(left).cmp(&ids(right)), left.cmp(&right));
            prop_assert_eq!(ids_slice(&ids(left)), Some(left));
        }

        #[test]
        fn rollup_keys_give_their_parts_back(start_minute in any::<u32>(), series in any::<u32>()) {
            for level in [Level::Minute, Level::Hour, Level::Day, Level::Ever] {
                let bucket = Bucket { level, start_minute };
                for table in [prefix::ROLLUP, prefix::SIGNAL_ROLLUP] {
                    let key = rollup(table, bucket, series);
                    prop_assert_eq!(rollup_parts(&key), Some((bucket, series / SERIES_PER_BLOCK)));
                }
            }
        }
    }
}
