//! Time zones, from the database that is compiled in: never from the machine, so that a period is the
//! same wherever and whenever it is computed.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::ledger::rollup::HourCuts;
use crate::model::time::UnixMillis;

/// First and last instant that has a civil date here; others are taken for these. Records are of the
/// years 2000 to 2200 (`decode` refuses others), clocks may say anything.
pub(super) const FIRST: UnixMillis = UnixMillis(-2_208_988_800_000); // 1900
pub(super) const LAST: UnixMillis = UnixMillis(32_503_680_000_000); // 3000
/// Years whose offsets [`Zone::cuts`] looks at: since the first that a record may be of.
const CUTS_FROM: UnixMillis = UnixMillis(946_684_800_000); // 2000
const CUTS_TO: UnixMillis = UnixMillis(4_102_444_800_000); // 2100

/// A time zone of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Returns the zone with this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        (!zone.is_unknown()).then_some(Self(zone))
    }

    /// Returns the names of all zones, in order.
    pub fn names() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
    }

    /// Returns the name in the database's spelling.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Returns the local date at `at`.
    pub fn date(&self, at: UnixMillis) -> Date {
        self.0.to_datetime(timestamp(at)).date()
    }

    /// Returns how far local time is ahead of UTC at `at`, in milliseconds.
    pub fn offset_ms(&self, at: UnixMillis) -> i64 {
        i64::from(self.0.to_offset(timestamp(at)).seconds()) * 1_000
    }

    /// Returns the first instant of a local date: its midnight, the first one if there are two. If there
    /// is none, the first instant after the gap, which is of a later date where a whole day is missing.
    pub fn start_of(&self, date: Date) -> UnixMillis {
        let midnight = date.at(0, 0, 0, 0);
        let ambiguous = self.0.to_ambiguous_timestamp(midnight);
        let is_gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        // In a gap this is an instant before it. Only dates far outside of 1900..3000 have none.
        let Ok(earlier) = ambiguous.earlier() else { return LAST };
        let after_gap = is_gap.then(|| {
            let later = self.0.following(earlier).map(|change| change.timestamp());
            later.take(8).find(|at| self.0.to_datetime(*at) >= midnight)
        });
        UnixMillis(after_gap.flatten().unwrap_or(earlier).as_millisecond())
    }

    /// Returns the instants in `from..=to` (from `from` on, exclusive) at which local time is set forward
    /// or back by something else than whole multiples of `unit_ms`.
    pub fn shifts(&self, from: UnixMillis, to: UnixMillis, unit_ms: i64) -> Vec<UnixMillis> {
        let mut before = self.offset_ms(from);
        let mut shifts = Vec::new();
        for change in self.0.following(timestamp(from)) {
            let at = UnixMillis(change.timestamp().as_millisecond());
            if at > to {
                break;
            }
            let after = i64::from(change.offset().seconds()) * 1_000;
            if (after - before) % unit_ms != 0 {
                shifts.push(at);
            }
            before = after;
        }
        shifts
    }

    /// Returns where rows by the hour have to begin so that no local midnight of the years 2000 to 2100 is
    /// inside of one.
    pub fn cuts(&self) -> HourCuts {
        let midnight = |offset_ms: i64| UnixMillis(-offset_ms);
        let first = HourCuts::FULL_HOURS.and_at(midnight(self.offset_ms(CUTS_FROM)));
        let changes = self.0.following(timestamp(CUTS_FROM));
        changes
            .take_while(|change| change.timestamp().as_millisecond() < CUTS_TO.0)
            .map(|change| i64::from(change.offset().seconds()) * 1_000)
            .fold(first, |cuts, offset_ms| cuts.and_at(midnight(offset_ms)))
    }
}

fn timestamp(at: UnixMillis) -> Timestamp {
    let within = at.clamp(FIRST, LAST);
    Timestamp::from_millisecond(within.0).unwrap_or(Timestamp::UNIX_EPOCH)
}
