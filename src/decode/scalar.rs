//! Counts, amounts and instants from the JSON text of one value. Pure; what can't be read is `None`
//! or an error and never a guess.

use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::time::{MINUTE_MS, UnixMillis};
use crate::model::tokens::TOKENS_PER_CALL_MAX;

/// A value that is there but is no count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotACount;

/// Reads a JSON integer from 0 to [`TOKENS_PER_CALL_MAX`]; `1.0` and `1e3` are not integers.
#[inline]
pub(super) fn count(raw: &[u8]) -> Result<u64, NotACount> {
    // More digits than ten are too many, since JSON has no leading zeros.
    if raw.is_empty() || raw.len() > 10 {
        return Err(NotACount);
    }
    let mut count = 0;
    for &byte in raw {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(NotACount);
        }
        count = count * 10 + u64::from(digit);
    }
    if count <= TOKENS_PER_CALL_MAX { Ok(count) } else { Err(NotACount) }
}

/// Reads a duration in whole milliseconds; decimals are cut.
pub(super) fn millis(raw: &[u8]) -> Option<u64> {
    let mut parts = raw.splitn(2, |&byte| byte == b'.');
    let millis = count(parts.next()?).ok()?;
    parts.next().is_none_or(|decimals| decimals.iter().all(u8::is_ascii_digit)).then_some(millis)
}

/// The first number of milliseconds that is too large to be one of seconds: 1973 in the one unit and
/// 5138 in the other.
const EPOCH_MILLIS_MIN: i64 = 100_000_000_000;

/// Reads an instant as a JSON number of seconds or milliseconds since 1970, told apart by their size.
/// Digits below a millisecond are cut.
pub(super) fn epoch(raw: &[u8]) -> Option<UnixMillis> {
    let length = raw.iter().position(|&byte| byte == b'.');
    let (whole, decimals) = match length {
        Some(length) => (raw.get(..length)?, raw.get(length + 1..)?),
        None => (raw, &[][..]),
    };
    // More digits are of no time that anybody means.
    if !(1..=18).contains(&whole.len()) || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut number = 0;
    for &byte in whole {
        number = number * 10 + digit(byte)?;
    }
    let number = i64::try_from(number).ok()?;
    if number >= EPOCH_MILLIS_MIN {
        return Some(UnixMillis(number));
    }
    let mut millis = 0;
    for (&byte, unit) in decimals.iter().zip([100, 10, 1]) {
        millis += i64::try_from(digit(byte)?).ok()? * unit;
    }
    Some(UnixMillis(number * 1000 + millis))
}

/// Reads a decimal number that is not negative, a JSON number or a string that holds one, in
/// `1 / unit`s of it; the rest is cut.
pub(super) fn decimal(raw: &[u8], unit: u32) -> Option<u64> {
    let text = match raw {
        [b'"', inner @ .., b'"'] => inner,
        bare => bare,
    };
    let Usd(scaled) = Usd::parse_truncating(std::str::from_utf8(text).ok()?).ok()?;
    let units = scaled.checked_mul(i128::from(unit))? / PICODOLLARS_PER_USD;
    u64::try_from(units).ok()
}

/// Reads an amount in dollars, a JSON number or a string that holds one. Digits below a picodollar
/// are cut; negative amounts are nothing.
pub(super) fn dollars(raw: &[u8]) -> Option<Usd> {
    let text = match raw {
        [b'"', inner @ .., b'"'] => inner,
        bare => bare,
    };
    if let Some(amount) = short_dollars(text) {
        return Some(amount);
    }
    let amount = Usd::parse_truncating(std::str::from_utf8(text).ok()?).ok()?;
    (amount >= Usd::ZERO).then_some(amount)
}

/// [`Usd::parse_truncating`] for the amounts that logs hold: up to six digits, a point and up to
/// twelve decimals.
fn short_dollars(text: &[u8]) -> Option<Usd> {
    // As a `u64`, since dividing an `i128` is slow.
    const UNIT: u64 = 1_000_000_000_000;
    /// By the number of decimals.
    const UNITS: [u64; 13] = [
        UNIT,
        100_000_000_000,
        10_000_000_000,
        1_000_000_000,
        100_000_000,
        10_000_000,
        1_000_000,
        100_000,
        10_000,
        1_000,
        100,
        10,
        1,
    ];
    const { assert!(UNIT as i128 == PICODOLLARS_PER_USD) };
    let point = text.iter().take(7).position(|&byte| byte == b'.')?;
    let (whole, fraction) = (text.get(..point)?, text.get(point + 1..)?);
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 12 {
        return None;
    }
    let (mut value, mut others): (u64, u8) = (0, 0);
    let mut add = |bytes: &[u8]| {
        for &byte in bytes {
            let digit = byte.wrapping_sub(b'0');
            others |= u8::from(digit > 9);
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        }
    };
    add(whole);
    add(fraction);
    let unit = UNITS.get(fraction.len()).filter(|_| others == 0)?;
    Some(Usd(i128::from(value) * i128::from(*unit)))
}

fn digit(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(u64::from(digit))
}

/// Length of `2026-11-23T10:00:`.
const TO_THE_MINUTE: usize = 17;

/// Reads RFC 3339 instants. Remembers the minute it read last, since the next line is nearly always
/// of the same one.
#[derive(Default)]
pub(super) struct Clock {
    minute: Option<[u8; TO_THE_MINUTE]>,
    at: UnixMillis,
}

impl Clock {
    /// Returns what [`UnixMillis::parse_rfc3339`] returns.
    pub(super) fn read(&mut self, text: &str) -> Option<UnixMillis> {
        let (minute, rest) = text.as_bytes().split_first_chunk::<TO_THE_MINUTE>()?;
        let within = seconds(rest);
        match within {
            Some(millis) if self.minute == Some(*minute) => return Some(self.at.plus(millis)),
            _ => (),
        }
        let at = UnixMillis::parse_rfc3339(text)?;
        // Only what was written in UTC, and with a plain second, tells where its minute starts.
        if within.is_some() {
            self.minute = Some(*minute);
            self.at = at.floor(MINUTE_MS);
        }
        Some(at)
    }
}

/// Reads `SSZ` or `SS.fffZ` as milliseconds.
fn seconds(text: &[u8]) -> Option<i64> {
    let (tens, units, millis) = match *text {
        [tens, units, b'Z'] => (tens, units, 0),
        [tens, units, b'.', a, b, c, b'Z'] => {
            (tens, units, digit(a)? * 100 + digit(b)? * 10 + digit(c)?)
        }
        _ => return None,
    };
    let seconds = digit(tens)? * 10 + digit(units)?;
    if seconds > 59 { None } else { i64::try_from(seconds * 1000 + millis).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_small_whole_numbers_are_counts() {
        for (raw, expected) in [
            ("0", Ok(0)),
            ("4502", Ok(4502)),
            ("4294967295", Ok(4_294_967_295)),
            ("4294967296", Err(NotACount)),
            ("99999999999999999999", Err(NotACount)),
            ("-1", Err(NotACount)),
            ("-0", Err(NotACount)),
            ("1.0", Err(NotACount)),
            ("1e3", Err(NotACount)),
            ("\"5\"", Err(NotACount)),
            ("true", Err(NotACount)),
            ("{}", Err(NotACount)),
            ("", Err(NotACount)),
        ] {
            assert_eq!(count(raw.as_bytes()), expected, "{raw}");
        }
    }

    #[test]
    fn amounts_are_read_as_decimals() {
        for (raw, picodollars) in [
            ("0.078", Some(78_000_000_000)),
            ("\"0.078\"", Some(78_000_000_000)),
            ("0.07800000000000001", Some(78_000_000_000)),
            ("7.8e-2", Some(78_000_000_000)),
            ("12", Some(12_000_000_000_000)),
            ("999999.999999999999", Some(999_999_999_999_999_999)),
            ("-0.5", None),
            ("\"\"", None),
            ("\"$1\"", None),
            ("{}", None),
            ("true", None),
        ] {
            assert_eq!(dollars(raw.as_bytes()), picodollars.map(Usd), "{raw}");
        }
    }

    #[test]
    fn decimals_are_read_in_any_unit() {
        for (raw, unit, expected) in [
            ("812.55", 1_000, Some(812_550)),
            ("\"29000\"", 1_000, Some(29_000_000)),
            ("73212.0", 1, Some(73_212)),
            ("7.3e4", 1, Some(73_000)),
            ("0.0009", 1_000, Some(0)),
            ("-1", 1, None),
            ("\"-\"", 1, None),
            ("1e30", 1, None),
            ("true", 1, None),
        ] {
            assert_eq!(decimal(raw.as_bytes(), unit), expected, "{raw}");
        }
    }

    #[test]
    fn numbers_of_seconds_and_milliseconds_are_instants() {
        for (raw, millis) in [
            ("1788357601", Some(1_788_357_601_000)),
            ("1788357601.25", Some(1_788_357_601_250)),
            ("1788357601.2509", Some(1_788_357_601_250)),
            ("1788357601250", Some(1_788_357_601_250)),
            ("1788357601250.7", Some(1_788_357_601_250)),
            ("-5", None),
            ("1.7e9", None),
            ("99999999999999999999", None),
            ("true", None),
        ] {
            assert_eq!(epoch(raw.as_bytes()), millis.map(UnixMillis), "{raw}");
        }
    }

    #[test]
    fn durations_lose_their_decimals() {
        for (raw, expected) in
            [("12", Some(12)), ("12.9", Some(12)), ("-1", None), ("1e3", None), ("1.5e3", None)]
        {
            assert_eq!(millis(raw.as_bytes()), expected, "{raw}");
        }
    }

    #[test]
    fn a_minute_with_a_leap_second_is_not_remembered_wrong() {
        let mut clock = Clock::default();
        for text in ["2016-12-31T23:59:60Z", "2016-12-31T23:59:01Z", "2016-12-31T23:59:02.5Z"] {
            assert_eq!(clock.read(text), UnixMillis::parse_rfc3339(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn short_amounts_equal_the_general_reading(text in "[0-9]{0,7}\\.?[0-9]{0,14}") {
            if let Some(short) = short_dollars(text.as_bytes()) {
                prop_assert_eq!(Ok(short), Usd::parse_truncating(&text));
            }
        }

        #[test]
        fn a_clock_reads_what_the_general_reading_reads(
            texts in proptest::collection::vec(
                "(20(24-02-29|26-1[0-3]-0[0-2])[Tt ](0[0-9]|23):(0[01]|59):[0-6][0-9](\\.[0-9]{1,4})?(Z|z|\\+00:00|-01:30)?)|[^\"]{0,25}",
                1..12,
            )
        ) {
            let mut clock = Clock::default();
            for text in texts {
                prop_assert_eq!(clock.read(&text), UnixMillis::parse_rfc3339(&text), "{}", text);
            }
        }
    }
}
