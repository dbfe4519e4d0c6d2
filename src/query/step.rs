//! The pieces of time that usage is told by.

use jiff::civil::Weekday;

use crate::budget::period::{Cycle, Interval, Period};
use crate::budget::zone::Zone;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// How long a piece is and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many milliseconds, counted from 1970 in UTC: whole minutes.
    Every(i64),
    /// Pieces of a calendar, by the clock of a zone.
    Calendar(Period),
}

/// The names of steps of the calendar.
pub const CALENDAR: [&str; 5] = ["hour", "day", "week", "month", "quarter"];
/// Units of steps that have no name: those of a config's durations that make whole minutes.
const UNITS: [(&str, i64); 3] = [("m", MINUTE_MS), ("h", HOUR_MS), ("d", DAY_MS)];

impl Step {
    /// Reads `minute`, a name of [`CALENDAR`], or whole minutes, hours or days as `15m`, `6h`, `1d`.
    pub fn parse(text: &str, zone: &Zone) -> Option<Self> {
        let cycle = match text {
            "minute" => return Some(Self::Every(MINUTE_MS)),
            "hour" => Cycle::Hour,
            "day" => Cycle::Day,
            "week" => Cycle::Week { first: Weekday::Monday },
            "month" => Cycle::Month { day: 1 },
            "quarter" => Cycle::Quarter { day: 1 },
            _ => {
                let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
                let (_, unit_ms) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
                let ms = number.parse::<u32>().ok().filter(|count| *count > 0)?;
                return i64::from(ms).checked_mul(unit_ms).map(Self::Every);
            }
        };
        Some(Self::Calendar(Period { cycle, zone: zone.clone() }))
    }

    /// Returns the piece that holds `at`.
    pub fn holding(&self, at: UnixMillis) -> Interval {
        match self {
            Self::Every(ms) => {
                let start = at.floor(*ms);
                Interval { start, end: start.plus(*ms) }
            }
            Self::Calendar(period) => period.holding(at),
        }
    }
}
