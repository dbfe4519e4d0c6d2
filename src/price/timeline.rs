//! Values over time: which one holds at an instant, and how a newer value replaces older ones.
//!
//! Intervals are half-open and never overlap. There is no clock here.

use crate::model::time::UnixMillis;

/// The interval `from..to` in which something holds. `UnixMillis(i64::MIN)` and `i64::MAX` stand for
/// always before and always after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub from: UnixMillis,
    /// The instant after the last one.
    pub to: UnixMillis,
}

impl Validity {
    /// All of time.
    pub const ALWAYS: Self = Self { from: UnixMillis(i64::MIN), to: UnixMillis(i64::MAX) };

    /// Tells whether `at` is inside. The last instant there is belongs to every open end.
    pub fn holds_at(self, at: UnixMillis) -> bool {
        self.from <= at && (at < self.to || self.to == Self::ALWAYS.to)
    }

    /// Tells whether the two share an instant.
    pub fn overlaps(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// One value and when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Period<T> {
    pub(super) valid: Validity,
    pub(super) value: T,
}

/// Values over time, in rising order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timeline<T>(Vec<Period<T>>);

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Timeline<T> {
    /// Sets the value within `valid`; what held there before holds only around it.
    pub(super) fn put(&mut self, valid: Validity, value: T) {
        let mut periods = Vec::with_capacity(self.0.len().saturating_add(2));
        for old in std::mem::take(&mut self.0) {
            let before = Validity { from: old.valid.from, to: old.valid.to.min(valid.from) };
            let after = Validity { from: old.valid.from.max(valid.to), to: old.valid.to };
            for rest in [before, after] {
                if rest.from < rest.to {
                    periods.push(Period { valid: rest, value: old.value.clone() });
                }
            }
        }
        periods.push(Period { valid, value });
        periods.sort_by_key(|period| period.valid.from);
        self.0 = periods;
    }

    /// Returns the period that holds at `at`.
    pub(super) fn at(&self, at: UnixMillis) -> Option<&Period<T>> {
        self.0.iter().find(|period| period.valid.holds_at(at))
    }

    /// Returns the first period that begins after `at`.
    pub(super) fn after(&self, at: UnixMillis) -> Option<&Period<T>> {
        self.0.iter().find(|period| at < period.valid.from)
    }

    /// Narrows `within`, which holds `at`, so that no period begins or ends inside it.
    pub(super) fn narrow(&self, at: UnixMillis, mut within: Validity) -> Validity {
        let edges = self.0.iter().flat_map(|period| [period.valid.from, period.valid.to]);
        for edge in edges.filter(|&edge| edge != Validity::ALWAYS.to) {
            if edge <= at {
                within.from = within.from.max(edge);
            } else {
                within.to = within.to.min(edge);
            }
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(from: i64, to: i64) -> Validity {
        Validity { from: UnixMillis(from), to: UnixMillis(to) }
    }

    #[test]
    fn the_ends_of_time_are_covered() {
        for at in [i64::MIN, 0, i64::MAX] {
            assert!(Validity::ALWAYS.holds_at(UnixMillis(at)), "{at}");
        }
    }

    proptest! {
        #[test]
        fn a_later_value_wins_inside_its_interval_and_nowhere_else(
            puts in prop::collection::vec((0i64..40, 1i64..20), 1..12),
            at in -2i64..62,
        ) {
            let mut timeline = Timeline::default();
            let mut expected = None;
            for (value, &(from, length)) in puts.iter().enumerate() {
                timeline.put(span(from, from + length), value);
                if (from..from + length).contains(&at) {
                    expected = Some(value);
                }
            }
            let at = UnixMillis(at);
            prop_assert_eq!(timeline.at(at).map(|period| period.value), expected);
            let within = timeline.narrow(at, Validity::ALWAYS);
            prop_assert!(within.holds_at(at));
            for other in -2..62 {
                if within.holds_at(UnixMillis(other)) {
                    prop_assert_eq!(timeline.at(UnixMillis(other)), timeline.at(at));
                }
            }
        }
    }
}
