//! Money as integer picodollars (10^-12 USD). No float ever holds money.
//!
//! A picodollar divides every price that any provider lists per token, so a product of tokens and a
//! price is exact and sums are exact in any order.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// Picodollars in one dollar.
pub const PICODOLLARS_PER_USD: i128 = 1_000_000_000_000;
/// Decimal digits behind the point of a dollar that a picodollar can hold.
const SCALE: usize = 12;
/// The largest amount read from text, in whole dollars: far above any bill, far below overflow.
const USD_MAX: i128 = 1_000_000_000_000_000;

/// An amount of US dollars in picodollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(pub i128);

/// Why a text is not an amount of dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsdError {
    /// Not a decimal number such as `0.078` or `8e-06`.
    #[error("not a decimal number, for example `0.078` or `8e-06`")]
    Syntax,
    /// Has digits below a picodollar.
    #[error("finer than a picodollar (12 decimals)")]
    TooFine,
    /// Larger than 10^15 dollars.
    #[error("larger than 1000000000000000 dollars")]
    TooLarge,
}

impl Usd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Reads a decimal text in dollars (`0.078`, `8e-06`, `-1.50`), exactly.
    pub fn parse_exact(text: &str) -> Result<Self, UsdError> {
        let (value, exact) = parse_decimal(text)?;
        if exact { Ok(value) } else { Err(UsdError::TooFine) }
    }

    /// Reads a decimal text in dollars, cutting digits below a picodollar toward zero.
    ///
    /// For amounts that other programs computed with floats (`0.07800000000000001`).
    pub fn parse_truncating(text: &str) -> Result<Self, UsdError> {
        parse_decimal(text).map(|(value, _)| value)
    }

    /// Returns the cost of `tokens` at `self` per token, saturating at the ends of the range.
    #[must_use]
    pub fn times(self, tokens: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(tokens)))
    }

    /// Returns the amount as a float, for display on `/metrics` only.
    #[expect(
        clippy::cast_precision_loss,
        clippy::float_arithmetic,
        reason = "Prometheus values are floats; nothing is computed from the result"
    )]
    pub fn to_f64(self) -> f64 {
        // Splitting keeps whole dollars exact up to 2^53.
        (self.0 / PICODOLLARS_PER_USD) as f64
            + (self.0 % PICODOLLARS_PER_USD) as f64 / PICODOLLARS_PER_USD as f64
    }
}

/// Returns the picodollars in `text` and whether no digit was cut off.
fn parse_decimal(text: &str) -> Result<(Usd, bool), UsdError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let exponent: i32 = exponent.parse().map_err(|_| UsdError::Syntax)?;
            (mantissa, i64::from(exponent))
        }
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_ok = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits_ok(whole) || !digits_ok(fraction) {
        return Err(UsdError::Syntax);
    }
    if mantissa.ends_with('.') {
        return Err(UsdError::Syntax);
    }
    // The value is 0.DIGITS * 10^point.
    let point =
        i64::try_from(whole.len()).map_err(|_| UsdError::TooLarge)?.saturating_add(exponent);
    let scale = i64::try_from(SCALE).map_err(|_| UsdError::TooLarge)?;
    let wanted = point.saturating_add(scale);
    let mut value: i128 = 0;
    let mut exact = true;
    let mut seen: i64 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if seen < wanted {
            value = push_digit(value, byte)?;
        } else if byte != b'0' {
            exact = false;
        }
        seen = seen.saturating_add(1);
    }
    if value != 0 {
        while seen < wanted {
            value = push_digit(value, b'0')?;
            seen = seen.saturating_add(1);
        }
    }
    Ok((Usd(if negative { -value } else { value }), exact))
}

fn push_digit(value: i128, digit: u8) -> Result<i128, UsdError> {
    let next = value * 10 + i128::from(digit - b'0');
    if next > USD_MAX * PICODOLLARS_PER_USD { Err(UsdError::TooLarge) } else { Ok(next) }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// The exact decimal, without trailing zeros (`0.039088`).
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let unit = PICODOLLARS_PER_USD.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let fraction = format!("{:012}", magnitude % unit);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            write!(f, "{sign}{}", magnitude / unit)
        } else {
            write!(f, "{sign}{}.{fraction}", magnitude / unit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, picodollars) in [
            ("0", 0),
            ("0.078", 78_000_000_000),
            ("8e-06", 8_000_000),
            ("2.4E-5", 24_000_000),
            ("3.3e-07", 330_000),
            ("1", PICODOLLARS_PER_USD),
            ("-1.50", -3 * PICODOLLARS_PER_USD / 2),
            ("12e3", 12_000 * PICODOLLARS_PER_USD),
            ("0e99999", 0),
        ] {
            assert_eq!(Usd::parse_exact(text), Ok(Usd(picodollars)), "{text}");
        }
    }

    #[test]
    fn what_is_not_exact_or_not_a_number_is_refused() {
        for (text, error) in [
            ("", UsdError::Syntax),
            (".", UsdError::Syntax),
            ("1.", UsdError::Syntax),
            ("+1", UsdError::Syntax),
            ("1e", UsdError::Syntax),
            ("0x10", UsdError::Syntax),
            ("NaN", UsdError::Syntax),
            ("1e-13", UsdError::TooFine),
            ("1e99999", UsdError::TooLarge),
            ("1000000000000001", UsdError::TooLarge),
        ] {
            assert_eq!(Usd::parse_exact(text), Err(error), "{text}");
        }
        assert_eq!(Usd::parse_truncating("0.0780000000000000139"), Ok(Usd(78_000_000_000)));
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(picodollars in -(1i128 << 80)..(1i128 << 80)) {
            let amount = Usd(picodollars);
            prop_assert_eq!(Usd::parse_exact(&amount.to_string()), Ok(amount));
        }

        #[test]
        fn parsing_never_panics(text in "[-+0-9.eE]{0,40}") {
            prop_assert!(Usd::parse_exact(&text).is_ok() || Usd::parse_exact(&text).is_err());
        }
    }
}
