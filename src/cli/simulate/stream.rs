//! The lines of all logs in the order of their times, minute by minute.
//!
//! A run of a function that began in one minute may be reported in a later one, so lines are carried
//! over. No I/O, no clock.

use std::ops::Range;

use super::lines::{self, Log, Note};
use super::world::World;
use crate::model::time::{MINUTE_MS, UnixMillis};

/// How many minutes before the first one are looked at, since runs of functions that began there end in
/// it. None takes longer than one minute and a start.
const MINUTES_BEFORE: i64 = 3;

/// The lines from one instant to another.
pub(super) struct Stream {
    world: World,
    logs: Vec<Log>,
    from: UnixMillis,
    to: Option<UnixMillis>,
    minute: i64,
    text: String,
    lines: Vec<Line>,
    carried: Vec<(Line, String)>,
    scratch: String,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) at: UnixMillis,
    pub(super) log: Log,
    pub(super) note: Note,
    text: Range<usize>,
}

impl Stream {
    pub(super) fn new(
        world: World,
        logs: &[Log],
        from: UnixMillis,
        to: Option<UnixMillis>,
    ) -> Self {
        Self {
            world,
            logs: logs.to_vec(),
            from,
            to,
            minute: from.0.div_euclid(MINUTE_MS) - MINUTES_BEFORE,
            text: String::new(),
            lines: Vec::new(),
            carried: Vec::new(),
            scratch: String::new(),
        }
    }

    pub(super) fn world(&self) -> &World {
        &self.world
    }

    /// Makes the lines of the next minute; tells whether there was one left.
    pub(super) fn advance(&mut self) -> bool {
        let start = UnixMillis(self.minute.saturating_mul(MINUTE_MS));
        if self.to.is_some_and(|to| start >= to) {
            return false;
        }
        let end = start.plus(MINUTE_MS);
        self.text.clear();
        self.lines.clear();
        let mut later = Vec::new();
        for (line, text) in self.carried.drain(..) {
            if line.at < end {
                keep(&mut self.lines, &mut self.text, line, &text);
            } else {
                later.push((line, text));
            }
        }
        let Self { world, logs, text, lines, scratch, .. } = self;
        world.calls_of(self.minute, |place, call| {
            let Some(workload) = world.workloads.get(place) else { return };
            lines::of_call(workload, place, &call, scratch, |log, at, note, line_text| {
                let line = Line { at, log, note, text: 0..0 };
                if !logs.contains(&log) {
                    return;
                }
                if at < end {
                    keep(lines, text, line, line_text);
                } else {
                    later.push((line, line_text.to_owned()));
                }
            });
        });
        self.carried = later;
        let (from, to) = (self.from, self.to);
        self.lines.retain(|line| line.at >= from && to.is_none_or(|to| line.at < to));
        // Stable, so lines of one instant stay in the order in which they were made.
        self.lines.sort_by_key(|line| line.at);
        self.minute += 1;
        true
    }

    /// Returns the lines of the minute, in order, with their texts.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&Line, &str)> {
        self.lines.iter().filter_map(|line| Some((line, self.text.get(line.text.clone())?)))
    }
}

fn keep(lines: &mut Vec<Line>, text: &mut String, mut line: Line, line_text: &str) {
    let from = text.len();
    text.push_str(line_text);
    line.text = from..text.len();
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-23T00:00:00Z, a Monday.
    const MONDAY: UnixMillis = UnixMillis(1_795_392_000_000);

    fn all(seed: u64, from: UnixMillis, to: UnixMillis) -> Vec<(UnixMillis, Log, String)> {
        let world = World::new(seed, MONDAY, 60.0);
        let mut stream = Stream::new(world, &Log::ALL, from, Some(to));
        let mut all = Vec::new();
        while stream.advance() {
            let lines = stream.lines().map(|(line, text)| (line.at, line.log, text.to_owned()));
            all.extend(lines);
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn two_parts_of_a_time_are_the_whole_of_it(
            seed: u64,
            cut in 1_i64..1_800_000,
        ) {
            let (middle, end) = (MONDAY.plus(cut), MONDAY.plus(1_800_000));
            let whole = all(seed, MONDAY, end);
            let parts = [all(seed, MONDAY, middle), all(seed, middle, end)].concat();
            prop_assert!(whole.is_sorted_by_key(|(at, ..)| *at));
            prop_assert!(whole.iter().all(|(at, ..)| (MONDAY..end).contains(at)));
            let sorted = |mut lines: Vec<(UnixMillis, Log, String)>| {
                lines.sort();
                lines
            };
            prop_assert_eq!(sorted(whole), sorted(parts));
        }
    }

    #[test]
    fn lines_are_whole_and_have_one_line_feed() {
        let lines = all(1, MONDAY, MONDAY.plus(3_600_000));
        assert!(lines.len() > 1_000, "{}", lines.len());
        for (_, _, text) in lines {
            assert!(text.ends_with('\n') && text.matches('\n').count() == 1, "{text}");
        }
    }
}
