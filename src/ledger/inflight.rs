//! Calls in flight: for one series and the minute in which its calls are booked, at which second they
//! began and ended, and what they kept of a quota meanwhile.
//!
//! Bedrock reserves a request's input and the most it may write when it begins, and settles when it ends
//! (`bedrock` user guide, page `quotas-token-burndown`), so what is reserved at an instant can only be
//! told from when calls were open. Adding is exact and the order of what is added changes nothing. It
//! must never be part of totals: it is kept by the minute, and for as long as minutes are.

use serde::{Deserialize, Serialize};

use super::batch::{Entry, OutputLimit};
use super::counts::Counts;
use crate::model::names::{Outcome, RecordKind};
use crate::model::time::UnixMillis;
use crate::model::tokens::TokenClass;

/// The longest time that a call counts as open, in seconds; a longer one ends here.
pub const OPEN_SECONDS_MAX: i16 = 900;
/// Beyond so many seconds around the minute, instants are kept to [`LONG_STEP`], so that long calls make no
/// long lists: a call counts as open for some seconds too many.
const EXACT_SECONDS: i16 = 60;
const LONG_STEP: i16 = 10;
/// Seconds of a list that one stored piece holds at most: in the worst case, some 50 bytes each.
const PIECE: usize = 64;
/// Classes of sizes of output in one doubling: one is at most 9.1 % wide.
const SIZES_PER_DOUBLING: u32 = 8;

/// What some calls keep of a quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Calls.
    pub calls: u32,
    /// Calls of these that set no limit on their output although the log holds the request.
    pub unset: u32,
    /// Input tokens, all input classes summed.
    pub input: u64,
    /// The most that the calls with a limit may write, in tokens.
    pub max_tokens: u64,
}

/// What some calls used of a quota when they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Input and cache writes, in tokens.
    pub input: u64,
    /// Output, in tokens.
    pub output: u64,
}

/// Calls of one series that are booked in one minute. Seconds count from its start; where a log tells
/// the end of calls they begin before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inflight {
    /// What began, by second, in order.
    pub opened: Vec<(i16, Load)>,
    /// What ended, by second, in order.
    pub closed: Vec<(i16, Load, Settled)>,
    /// Calls that were throttled, by second, in order.
    pub throttled: Vec<(i16, u32)>,
    /// Calls that keep nothing of a quota: refused before anything was reserved, or of a batch.
    pub apart: u32,
    /// Calls of which the log does not tell how much they may write.
    pub unlimited: u32,
    /// Calls of which the log does not tell how long they took: they count as open for a second.
    pub untimed: u32,
    /// Calls with a known limit by size class of their output, for quantiles.
    pub outputs: Counts<u8>,
}

impl Load {
    fn of(entry: &Entry) -> Self {
        let input = entry.tokens.0.iter().map(|&tokens| u64::from(tokens)).sum::<u64>();
        let output = u64::from(entry.tokens.get(TokenClass::Output));
        let (unset, max_tokens) = match entry.output_limit {
            OutputLimit::Tokens(tokens) => (0, u64::from(tokens)),
            OutputLimit::Unset => (1, 0),
            OutputLimit::Unknown => (0, 0),
        };
        Self { calls: 1, unset, input: input - output, max_tokens }
    }

    /// Adds everything in `other`.
    pub fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.unset = self.unset.saturating_add(other.unset);
        self.input = self.input.saturating_add(other.input);
        self.max_tokens = self.max_tokens.saturating_add(other.max_tokens);
    }

    /// Takes away what was added.
    pub fn remove(&mut self, other: &Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.unset = self.unset.saturating_sub(other.unset);
        self.input = self.input.saturating_sub(other.input);
        self.max_tokens = self.max_tokens.saturating_sub(other.max_tokens);
    }
}

impl Settled {
    fn of(entry: &Entry) -> Self {
        let of = |class| u64::from(entry.tokens.get(class));
        let writes =
            [TokenClass::CacheWrite5m, TokenClass::CacheWrite1h, TokenClass::CacheWriteUnknownTtl];
        let input = of(TokenClass::Input) + writes.map(of).into_iter().sum::<u64>();
        Self { input, output: of(TokenClass::Output) }
    }

    /// Adds everything in `other`.
    pub fn add(&mut self, other: &Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
    }
}

impl Inflight {
    /// Adds a call that is booked in the minute that starts at `minute`.
    pub fn observe(&mut self, minute: UnixMillis, entry: &Entry) {
        if entry.kind == RecordKind::BatchOutput {
            self.apart += 1;
            return;
        }
        let at = second_of(entry.at.0 - minute.0);
        match entry.outcome {
            Outcome::Throttled => {
                place(&mut self.throttled, at, |&(second, _)| second, || (at, 0)).1 += 1;
            }
            Outcome::AccessDenied
            | Outcome::Validation
            | Outcome::NotFound
            | Outcome::QuotaExceeded
            | Outcome::Unavailable => self.apart += 1,
            _ => self.observe_open(at, entry),
        }
    }

    fn observe_open(&mut self, at: i16, entry: &Entry) {
        let load = Load::of(entry);
        let open = open_seconds(entry.latency_ms);
        // Bedrock's log tells when a call was made, an application writes its line when it is over.
        let from = match entry.kind {
            RecordKind::Application => at.saturating_sub(open),
            _ => at,
        };
        let to = late(from.saturating_add(open));
        let from = early(from);
        let (opened, closed) = (&mut self.opened, &mut self.closed);
        place(opened, from, |&(second, _)| second, || (from, Load::default())).1.add(&load);
        let empty = || (to, Load::default(), Settled::default());
        let (_, ended, settled) = place(closed, to, |&(second, ..)| second, empty);
        ended.add(&load);
        settled.add(&Settled::of(entry));
        self.untimed += u32::from(entry.latency_ms.is_none());
        if entry.output_limit == OutputLimit::Unknown {
            self.unlimited += 1;
        } else {
            self.outputs.add(size_class(entry.tokens.get(TokenClass::Output)), 1);
        }
    }

    /// Adds everything in `other`, which is of the same minute.
    pub fn merge(&mut self, other: &Self) {
        for &(second, load) in &other.opened {
            let empty = || (second, Load::default());
            place(&mut self.opened, second, |&(known, _)| known, empty).1.add(&load);
        }
        for &(second, load, settled) in &other.closed {
            let empty = || (second, Load::default(), Settled::default());
            let (_, mine, sum) = place(&mut self.closed, second, |&(known, ..)| known, empty);
            mine.add(&load);
            sum.add(&settled);
        }
        for &(second, calls) in &other.throttled {
            let empty = || (second, 0);
            place(&mut self.throttled, second, |&(known, _)| known, empty).1 += calls;
        }
        self.apart += other.apart;
        self.unlimited += other.unlimited;
        self.untimed += other.untimed;
        self.outputs.merge(&other.outputs);
    }

    /// Returns pieces that add up to this and are small enough for one stored value each.
    pub fn pieces(&self) -> Vec<Self> {
        let lists = [self.opened.len(), self.closed.len(), self.throttled.len()];
        let count = lists.into_iter().max().unwrap_or(0).div_ceil(PIECE).max(1);
        let mut pieces = vec![Self::default(); count];
        for (piece, opened) in pieces.iter_mut().zip(self.opened.chunks(PIECE)) {
            piece.opened = opened.to_vec();
        }
        for (piece, closed) in pieces.iter_mut().zip(self.closed.chunks(PIECE)) {
            piece.closed = closed.to_vec();
        }
        for (piece, throttled) in pieces.iter_mut().zip(self.throttled.chunks(PIECE)) {
            piece.throttled = throttled.to_vec();
        }
        if let Some(first) = pieces.first_mut() {
            (first.apart, first.unlimited) = (self.apart, self.unlimited);
            first.untimed = self.untimed;
            first.outputs = self.outputs.clone();
        }
        pieces
    }

    /// Returns how many calls were added.
    pub fn calls(&self) -> u64 {
        let opened = self.opened.iter().map(|(_, load)| u64::from(load.calls)).sum::<u64>();
        let throttled = self.throttled.iter().map(|&(_, calls)| u64::from(calls)).sum::<u64>();
        opened + throttled + u64::from(self.apart)
    }

    /// Returns how many seconds its lists have, which its size follows.
    pub fn seconds(&self) -> usize {
        self.opened.len() + self.closed.len() + self.throttled.len()
    }

    /// Tells whether everything that began also ends.
    pub fn is_whole(&self) -> bool {
        let mut open = Load::default();
        self.opened.iter().for_each(|(_, load)| open.add(load));
        let mut closed = Load::default();
        self.closed.iter().for_each(|(_, load, _)| closed.add(load));
        open == closed
    }

    /// Tells whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.calls() == 0
    }
}

/// Returns the item at a second, which is made where there is none.
#[expect(clippy::indexing_slicing, reason = "the index was found, or something was put there")]
fn place<T>(
    list: &mut Vec<T>,
    second: i16,
    second_of: impl Fn(&T) -> i16,
    empty: impl FnOnce() -> T,
) -> &mut T {
    // Calls mostly come in order.
    let found = match list.last().map(&second_of) {
        None => Err(0),
        Some(last) if last == second => Ok(list.len() - 1),
        Some(last) if last < second => Err(list.len()),
        Some(_) => list.binary_search_by_key(&second, second_of),
    };
    let index = found.unwrap_or_else(|index| {
        list.insert(index, empty());
        index
    });
    &mut list[index]
}

fn second_of(ms: i64) -> i16 {
    i16::try_from(ms.div_euclid(1_000)).unwrap_or(0)
}

/// Returns for how many seconds a call counts as open: any part of a second is one.
fn open_seconds(latency_ms: Option<u32>) -> i16 {
    let seconds = latency_ms.unwrap_or(0).div_ceil(1_000).max(1);
    i16::try_from(seconds).unwrap_or(OPEN_SECONDS_MAX).min(OPEN_SECONDS_MAX)
}

fn late(second: i16) -> i16 {
    let exact_to = 60 + EXACT_SECONDS;
    if second <= exact_to {
        second
    } else {
        second.saturating_add(LONG_STEP - 1).div_euclid(LONG_STEP) * LONG_STEP
    }
}

fn early(second: i16) -> i16 {
    if second >= -EXACT_SECONDS { second } else { second.div_euclid(LONG_STEP) * LONG_STEP }
}

/// Returns the size class of an output: exact up to 8 tokens, then eight classes a doubling.
fn size_class(tokens: u32) -> u8 {
    if tokens < SIZES_PER_DOUBLING {
        return u8::try_from(tokens).unwrap_or(0);
    }
    let doublings = tokens.ilog2();
    let part = tokens >> (doublings - 3) & (SIZES_PER_DOUBLING - 1);
    u8::try_from((doublings - 2) * SIZES_PER_DOUBLING + part).unwrap_or(u8::MAX)
}

/// Returns the most tokens that an output of a size class may have.
pub fn size_class_max(class: u8) -> u64 {
    let class = u64::from(class);
    let sizes = u64::from(SIZES_PER_DOUBLING);
    if class < sizes {
        return class;
    }
    let (doublings, part) = (class / sizes + 2, class % sizes);
    ((sizes + part + 1) << (doublings - 3)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::{Approximations, Operation, ThrottleKind};
    use crate::model::tokens::ByClass;
    use proptest::prelude::*;

    const MINUTE: UnixMillis = UnixMillis(1_800_000_000_000 / 60_000 * 60_000);

    fn entry(second: i64, kind: RecordKind, outcome: Outcome) -> Entry {
        Entry {
            group: 0,
            at: MINUTE.plus(second * 1_000),
            id: None,
            has_shared_id: false,
            is_told_elsewhere: false,
            kind,
            operation: Operation::Converse,
            outcome,
            error_code: None,
            retries_exhausted: None,
            throttle: ThrottleKind::Unknown,
            output_limit: OutputLimit::Tokens(4_096),
            stop_reason: None,
            empty: false,
            tokens: ByClass([100, 7, 10, 0, 0, 20]),
            reasoning_tokens: 0,
            latency_ms: Some(2_500),
            first_byte_ms: None,
            reported_cost: None,
            approximations: Approximations::NONE,
        }
    }

    fn of(entries: &[Entry]) -> Inflight {
        let mut inflight = Inflight::default();
        for entry in entries {
            inflight.observe(MINUTE, entry);
        }
        inflight
    }

    #[test]
    fn a_record_of_bedrock_tells_the_start_and_a_line_of_an_application_the_end() {
        let load = Load { calls: 1, unset: 0, input: 117, max_tokens: 4_096 };
        let settled = Settled { input: 110, output: 20 };
        let bedrock = of(&[entry(5, RecordKind::BedrockInvocation, Outcome::Ok)]);
        assert_eq!((bedrock.opened, bedrock.closed), (vec![(5, load)], vec![(8, load, settled)]));
        let application = of(&[entry(1, RecordKind::Application, Outcome::Ok)]);
        assert_eq!(application.opened, vec![(-2, load)]);
        assert_eq!(application.closed, vec![(1, load, settled)]);
    }

    #[test]
    fn what_is_refused_keeps_nothing_and_what_is_not_told_is_counted() {
        let refused = of(&[
            entry(5, RecordKind::BedrockInvocation, Outcome::Throttled),
            entry(5, RecordKind::BedrockInvocation, Outcome::AccessDenied),
            entry(5, RecordKind::BatchOutput, Outcome::Ok),
        ]);
        assert_eq!((refused.throttled.as_slice(), refused.apart), ([(5, 1)].as_slice(), 2));
        assert!(refused.opened.is_empty() && refused.calls() == 3);
        let call = entry(5, RecordKind::BedrockInvocation, Outcome::Ok);
        let unknown = Entry { latency_ms: None, output_limit: OutputLimit::Unknown, ..call };
        let unset = Entry { output_limit: OutputLimit::Unset, ..call };
        let inflight = of(&[unknown, unset]);
        assert_eq!((inflight.untimed, inflight.unlimited), (1, 1));
        assert_eq!(inflight.closed.first().map(|(second, ..)| *second), Some(6));
        let [(_, load)] = inflight.opened.as_slice() else { panic!("{inflight:?}") };
        assert_eq!((load.calls, load.unset, load.max_tokens), (2, 1, 0));
    }

    #[test]
    fn size_classes_are_narrow_and_tile_the_numbers() {
        let mut next = 0;
        for class in 0..=size_class(u32::MAX) {
            let max = size_class_max(class);
            assert_eq!(size_class(u32::try_from(next).unwrap()), class);
            assert_eq!(size_class(u32::try_from(max).unwrap()), class);
            assert!(max - next <= next / 8, "{class}: {next} to {max}");
            next = max + 1;
        }
        assert_eq!(next, 1 << 32);
    }

    fn any_entry() -> impl Strategy<Value = Entry> {
        let kind =
            prop::sample::select(&[RecordKind::BedrockInvocation, RecordKind::Application][..]);
        let outcome = prop::sample::select(Outcome::ALL);
        let latency = prop::option::of(prop_oneof![0u32..5_000, 0u32..u32::MAX]);
        let limit = prop_oneof![
            Just(OutputLimit::Unset),
            Just(OutputLimit::Unknown),
            any::<u32>().prop_map(OutputLimit::Tokens),
        ];
        (0i64..60, kind, outcome, latency, limit, any::<[u32; 6]>()).prop_map(
            |(second, kind, outcome, latency_ms, output_limit, tokens)| Entry {
                latency_ms,
                output_limit,
                tokens: ByClass(tokens),
                ..entry(second, kind, outcome)
            },
        )
    }

    proptest! {
        #[test]
        fn the_order_and_grouping_of_calls_change_nothing(
            mut entries in prop::collection::vec(any_entry(), 0..80),
            split in 0usize..80,
        ) {
            let whole = of(&entries);
            prop_assert!(whole.is_whole());
            prop_assert_eq!(whole.calls(), entries.len() as u64);
            entries.reverse();
            let (left, right) = entries.split_at(split.min(entries.len()));
            let mut merged = of(left);
            merged.merge(&of(right));
            prop_assert_eq!(&merged, &whole);
        }

        #[test]
        fn pieces_add_up_and_fit_into_a_value(entries in prop::collection::vec(any_entry(), 0..900)) {
            let whole = of(&entries);
            let mut sum = Inflight::default();
            for piece in whole.pieces() {
                prop_assert!(postcard::to_allocvec(&piece).unwrap().len() < 5_900);
                sum.merge(&piece);
            }
            prop_assert_eq!(sum, whole);
        }
    }
}
