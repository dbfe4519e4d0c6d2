//! What a budget holds for: stretches of local time that follow each other without a gap, or the last
//! so many days.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::pace::BY_MINUTE_MAX_MS;
use super::zone::{FIRST, LAST, Zone};
use crate::ledger::rollup::HourCuts;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Its first instant.
    pub start: UnixMillis,
    /// The first instant after it.
    pub end: UnixMillis,
}

/// How long a period is and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// A full hour of the local clock. Where the clock is set by less than an hour, the hour in which
    /// that happens ends there and another one begins.
    Hour,
    /// A local day.
    Day,
    /// Seven local days.
    Week {
        /// The first of them.
        first: Weekday,
    },
    /// A calendar month.
    Month {
        /// Day of the month on which it begins, from 1; the last one of months that are shorter.
        day: i8,
    },
    /// Three calendar months from January, April, July or October on.
    Quarter {
        /// As that of [`Self::Month`].
        day: i8,
    },
    /// The time before now: a window whose beginning moves on by the minute, or by the hour where it is
    /// longer than minutes are looked at.
    Rolling {
        /// How long, in milliseconds; whole minutes.
        ms: i64,
    },
}

/// The periods of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// How long they are.
    pub cycle: Cycle,
    /// Whose clock tells when they begin.
    pub zone: Zone,
}

impl Interval {
    /// Returns how long it is, in milliseconds.
    pub fn length_ms(self) -> i64 {
        self.end.0 - self.start.0
    }

    /// Tells whether `at` is in it.
    pub fn holds(self, at: UnixMillis) -> bool {
        self.start <= at && at < self.end
    }
}

impl Period {
    /// Returns the period that holds `at`. Periods tile time, but for rolling ones, which end with the
    /// minute of `at`.
    ///
    /// Times before 1900 and after 3000, which only a broken clock has, are taken for those.
    pub fn holding(&self, at: UnixMillis) -> Interval {
        let at = at.clamp(FIRST, LAST);
        match self.cycle {
            Cycle::Hour => self.hour(at),
            Cycle::Rolling { ms } => rolling(ms, at),
            Cycle::Day | Cycle::Week { .. } | Cycle::Month { .. } | Cycle::Quarter { .. } => {
                self.dated(at)
            }
        }
    }

    /// Returns the period before one of these.
    pub fn previous(&self, interval: Interval) -> Interval {
        self.holding(interval.start.plus(-1))
    }

    /// Tells whether periods have no end, since they move on with time.
    pub fn is_rolling(&self) -> bool {
        matches!(self.cycle, Cycle::Rolling { .. })
    }

    /// Returns a length in milliseconds that none of these periods exceeds: that of the calendar and a
    /// day, since zones have changed their offset by hours.
    pub fn longest_ms(&self) -> i64 {
        match self.cycle {
            Cycle::Hour => HOUR_MS,
            Cycle::Day => 2 * DAY_MS,
            Cycle::Week { .. } => 8 * DAY_MS,
            Cycle::Month { .. } => 32 * DAY_MS,
            Cycle::Quarter { .. } => 93 * DAY_MS,
            Cycle::Rolling { ms } => ms + HOUR_MS,
        }
    }

    /// Returns where rows by the hour have to begin so that none is of two of these periods.
    pub fn cuts(&self) -> HourCuts {
        if self.is_rolling() { HourCuts::FULL_HOURS } else { self.zone.cuts() }
    }

    fn hour(&self, at: UnixMillis) -> Interval {
        let offset_ms = self.zone.offset_ms(at);
        let start = at.plus(offset_ms).floor(HOUR_MS).plus(-offset_ms);
        let end = start.plus(HOUR_MS);
        let mut interval = Interval { start, end };
        // An instant at which the clock was set is the first of a new hour.
        for shift in self.zone.shifts(start.plus(-1), end.plus(-1), HOUR_MS) {
            if shift <= at {
                interval.start = shift;
            } else {
                interval.end = shift;
                break;
            }
        }
        interval
    }

    /// Compares instants and not dates, since a date that begins twice has its end before the second
    /// beginning, and one that is missing has neither.
    fn dated(&self, at: UnixMillis) -> Interval {
        let mut first = self.first_date(self.zone.date(at));
        let mut start = self.zone.start_of(first);
        while start > at {
            first = self.first_date(before(first));
            start = self.zone.start_of(first);
        }
        loop {
            first = self.next_first(first);
            let end = self.zone.start_of(first);
            if end > at {
                return Interval { start, end };
            }
            start = end;
        }
    }

    /// Returns the first date of the period that `date` is in.
    fn first_date(&self, date: Date) -> Date {
        let of_months = |months: i32, day| {
            let month = months_of(date).div_euclid(months) * months;
            let first = date_in(month, day);
            if first <= date { first } else { date_in(month - months, day) }
        };
        match self.cycle {
            Cycle::Week { first } => {
                date.saturating_sub(i64::from(date.weekday().since(first)).days())
            }
            Cycle::Month { day } => of_months(1, day),
            Cycle::Quarter { day } => of_months(3, day),
            Cycle::Hour | Cycle::Day | Cycle::Rolling { .. } => date,
        }
    }

    /// Returns the first date of the period after the one that begins on `first`.
    fn next_first(&self, first: Date) -> Date {
        match self.cycle {
            Cycle::Week { .. } => first.saturating_add(7.days()),
            Cycle::Month { day } => date_in(months_of(first) + 1, day),
            Cycle::Quarter { day } => date_in(months_of(first) + 3, day),
            Cycle::Hour | Cycle::Day | Cycle::Rolling { .. } => first.saturating_add(1.days()),
        }
    }
}

fn rolling(ms: i64, at: UnixMillis) -> Interval {
    let end = at.floor(MINUTE_MS).plus(MINUTE_MS);
    // A row by the hour can't be counted in part.
    let step_ms = if ms <= BY_MINUTE_MAX_MS { MINUTE_MS } else { HOUR_MS };
    Interval { start: end.plus(-ms).floor(step_ms), end }
}

fn before(date: Date) -> Date {
    date.saturating_sub(1.days())
}

/// Returns the months since the year 0.
fn months_of(date: Date) -> i32 {
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

/// Returns the date of a month, the last one if it has no such day.
fn date_in(months: i32, day: i8) -> Date {
    let year = i16::try_from(months.div_euclid(12)).unwrap_or(i16::MAX);
    let month = i8::try_from(months.rem_euclid(12) + 1).unwrap_or(1);
    let first = Date::new(year, month, 1).unwrap_or(Date::MAX);
    Date::new(year, month, day.clamp(1, first.days_in_month())).unwrap_or(first)
}

#[cfg(test)]
mod tests;
