//! Whole numbers out of JSON numbers, which Service Quotas writes as floats (`5000000.0`).

/// Why a number is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inexact {
    /// It is no JSON number.
    NoNumber,
    /// It is below zero.
    Negative,
    /// It has a part that is not whole.
    Fraction,
    /// It is above `u64::MAX`.
    TooLarge,
}

impl Inexact {
    /// Returns the words for it, as in "its value is …".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoNumber => "no number",
            Self::Negative => "negative",
            Self::Fraction => "no whole number",
            Self::TooLarge => "too large",
        }
    }
}

/// Reads the text of a JSON number exactly, without a float in between.
pub(super) fn whole_number(text: &str) -> Result<u64, Inexact> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return Err(Inexact::NoNumber);
    }
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_end_matches('0');
    if digits.trim_start_matches('0').is_empty() {
        return Ok(0);
    }
    if sign {
        return Err(Inexact::Negative);
    }
    // An exponent that does not fit is far from what a u64 holds, on either side.
    let beyond = if exponent.starts_with('-') { Inexact::Fraction } else { Inexact::TooLarge };
    let exponent: i32 = exponent.parse().map_err(|_| beyond)?;
    let length = |part: &str| i64::try_from(part.len()).unwrap_or(i64::MAX);
    let zeros = length(whole) + i64::from(exponent) - length(digits);
    if zeros < 0 {
        return Err(Inexact::Fraction);
    }
    let number: u64 = digits.parse().map_err(|_| Inexact::TooLarge)?;
    let power = u32::try_from(zeros).ok().and_then(|zeros| 10_u64.checked_pow(zeros));
    power.and_then(|power| number.checked_mul(power)).ok_or(Inexact::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_whole_numbers_that_fit_are_read() {
        for (text, expected) in [
            ("5000000.0", Ok(5_000_000)),
            ("0", Ok(0)),
            ("0.0", Ok(0)),
            ("-0.0", Ok(0)),
            ("0e99999999999", Ok(0)),
            ("5e6", Ok(5_000_000)),
            ("5.25E+6", Ok(5_250_000)),
            ("1250e-1", Ok(125)),
            ("18446744073709551615", Ok(u64::MAX)),
            ("18446744073709551615.000", Ok(u64::MAX)),
            ("18446744073709551616", Err(Inexact::TooLarge)),
            ("1e20", Err(Inexact::TooLarge)),
            ("1e99999999999", Err(Inexact::TooLarge)),
            ("1e-99999999999", Err(Inexact::Fraction)),
            ("-1.0", Err(Inexact::Negative)),
            ("0.5", Err(Inexact::Fraction)),
            ("125e-2", Err(Inexact::Fraction)),
            ("null", Err(Inexact::NoNumber)),
            ("\"5\"", Err(Inexact::NoNumber)),
            ("NaN", Err(Inexact::NoNumber)),
            ("", Err(Inexact::NoNumber)),
        ] {
            assert_eq!(whole_number(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_the_same_however_it_is_written(number: u64, zeros in 0_usize..4, shift in 0_usize..9) {
            let digits = number.to_string();
            prop_assert_eq!(whole_number(&format!("{digits}.{}", "0".repeat(zeros))), Ok(number));
            prop_assert_eq!(whole_number(&format!("{digits}{}e-{shift}", "0".repeat(shift))), Ok(number));
            let padded = format!("{digits:0>20}");
            let (whole, fraction) = padded.split_at(padded.len() - shift);
            prop_assert_eq!(whole_number(&format!("{whole}.{fraction}e{shift}")), Ok(number));
        }
    }
}
