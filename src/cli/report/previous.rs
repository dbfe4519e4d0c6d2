//! The period before another one.

use jiff::{ToSpan as _, Unit};

use crate::budget::zone::Zone;
use crate::model::time::UnixMillis;
use crate::query::answer::{Group, Rest};
use crate::query::{Answer, Sums};

/// Returns the period before that of an answer, as long as that. Of whole months or days of the calendar it is as many
/// months or days.
pub(super) fn period(answer: &Answer) -> Option<(UnixMillis, UnixMillis)> {
    let (from, to) = (answer.from?, answer.to);
    let zone = Zone::named(&answer.zone)?;
    let start = dated(&zone, from, to).unwrap_or_else(|| from.plus(from.0 - to.0));
    Some((start, from))
}

/// Returns the beginning of the period before, if the period is of whole days.
fn dated(zone: &Zone, from: UnixMillis, to: UnixMillis) -> Option<UnixMillis> {
    let (first, end) = (zone.date(from), zone.date(to));
    if zone.start_of(first) != from || zone.start_of(end) != to {
        return None;
    }
    let unit = if first.day() == 1 && end.day() == 1 { Unit::Month } else { Unit::Day };
    let length = first.until((unit, end)).ok()?;
    let length = match unit {
        Unit::Month => length.get_months().months(),
        _ => length.get_days().days(),
    };
    let start = first.checked_sub(length).ok()?;
    Some(zone.start_of(start))
}

/// Leaves only the first groups of an answer without steps one by one.
pub(super) fn cut(mut answer: Answer, top: usize) -> Answer {
    if top >= answer.groups.len() {
        return answer;
    }
    let left = answer.groups.split_off(top);
    let mut sums = Sums::default();
    for group in &left {
        sums.add(&group.sums);
    }
    let usage = Group { sums, ..Group::default() };
    answer.rest = Some(Rest { groups: left.len(), usage });
    answer
}
