//! Numbers and names as a person reads them in an alert: short, rounded, bounded.

use crate::model::alert::Brief;
use crate::model::digits::grouped;
use crate::model::money::{PICODOLLARS_PER_USD, Usd};

/// Longest line of an alert, in bytes.
const LINE_BYTES_MAX: usize = 240;
/// Most lines below the summary. All lines and values together must fit into one stored value.
const LINES_MAX: usize = 6;
/// Most numbers for programs, and their longest text in bytes.
const VALUES_MAX: usize = 12;
const VALUE_BYTES_MAX: usize = 80;

/// Returns dollars rounded for a person: `$0.0123`, `$4.17`, `$412`, `$12,300`.
pub fn dollars(amount: Usd) -> String {
    let sign = if amount.0 < 0 { "-" } else { "" };
    let magnitude = amount.0.unsigned_abs();
    let unit = PICODOLLARS_PER_USD.unsigned_abs();
    let rounded = |decimals: u32| {
        let step = unit / 10u128.pow(decimals);
        (magnitude + step / 2) / step
    };
    if magnitude >= 100 * unit {
        format!("{sign}${}", grouped(rounded(0)))
    } else if magnitude >= unit || magnitude == 0 {
        let cents = rounded(2);
        format!("{sign}${}.{:02}", cents / 100, cents % 100)
    } else {
        let parts = rounded(4);
        format!("{sign}$0.{parts:04}")
    }
}

/// Returns a time span in its two largest units: `45 s`, `6 min`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large: i64, unit: &str, small: i64, of: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {of}"),
    };
    if days > 0 {
        two(days, "d", hours % 24, "h")
    } else if hours > 0 {
        two(hours, "h", minutes % 60, "min")
    } else if minutes > 0 {
        format!("{minutes} min")
    } else {
        format!("{seconds} s")
    }
}

/// Returns milliseconds as seconds: `0.05 s`, `2.5 s`, `29 s`.
pub fn seconds(ms: u64) -> String {
    format!("{} s", plain_seconds(ms))
}

/// Returns milliseconds as a number of seconds without zeros at its end: `0.05`, `2.5`, `29`.
pub fn plain_seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns a ratio as a factor: `×0.4`, `×4.2`, `×11`.
pub fn factor(ratio: f64) -> String {
    if ratio >= 9.95 { format!("×{ratio:.0}") } else { format!("×{ratio:.1}") }
}

/// Returns a ratio as a share: `0.4 %`, `93 %`.
#[expect(clippy::float_arithmetic, reason = "a share is no money")]
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent.abs() < 9.95 && percent != 0.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// Returns the share of `part` in `whole` as [`percent`] does; nothing of nothing is nothing.
#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a share of calls, for a person to read"
)]
pub fn share(part: u64, whole: u64) -> String {
    percent(part as f64 / whole.max(1) as f64)
}

/// Returns a brief whose texts are bounded, so that it always fits into the ledger: what names people
/// and models comes from logs.
#[must_use]
pub fn bounded(brief: Brief) -> Brief {
    Brief {
        summary: cut(&brief.summary, LINE_BYTES_MAX),
        details: brief
            .details
            .iter()
            .take(LINES_MAX)
            .map(|line| cut(line, LINE_BYTES_MAX))
            .collect(),
        values: brief
            .values
            .into_iter()
            .take(VALUES_MAX)
            .map(|(name, value)| (cut(&name, VALUE_BYTES_MAX), cut(&value, VALUE_BYTES_MAX)))
            .collect(),
    }
}

/// Returns at most `bytes_max` bytes of `text`, without control characters.
pub(super) fn cut(text: &str, bytes_max: usize) -> String {
    let clean = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() <= bytes_max {
        return clean(text);
    }
    let end = text.floor_char_boundary(bytes_max.saturating_sub("…".len()));
    let mut start: String = clean(text.get(..end).unwrap_or_default());
    start.push('…');
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_for_a_person() {
        for (picodollars, text) in [
            (0, "$0.00"),
            (39_088_000_000, "$0.0391"),
            (4_166_666_666_666, "$4.17"),
            (99_999_000_000_000, "$100.00"),
            (412_400_000_000_000, "$412"),
            (12_300_000_000_000_000, "$12,300"),
            (-2_500_000_000_000, "-$2.50"),
        ] {
            assert_eq!(dollars(Usd(picodollars)), text);
        }
        assert_eq!([factor(0.42), factor(4.2), factor(11.3)], ["×0.4", "×4.2", "×11"]);
        let spans = [45_000, 360_000, 7_500_000, 273_600_000, 86_400_000].map(duration);
        assert_eq!(spans, ["45 s", "6 min", "2 h 5 min", "3 d 4 h", "1 d"]);
        assert_eq!([50, 2_500, 29_000, 300_000].map(seconds), ["0.05 s", "2.5 s", "29 s", "300 s"]);
        assert_eq!([percent(0.004), percent(0.93), percent(0.0)], ["0.4 %", "93 %", "0 %"]);
    }

    #[test]
    fn a_brief_of_hostile_names_is_bounded() {
        let line = "a\nb\u{1b}[31mü".repeat(1_000);
        let brief = Brief {
            summary: line.clone(),
            details: vec![line.clone(); 100],
            values: (0..100).map(|n| (n.to_string(), line.clone())).collect(),
        };
        let brief = bounded(brief);
        let bytes = postcard::to_stdvec(&brief).unwrap().len();
        assert!(bytes < 4_000, "{bytes}");
        assert!(!brief.summary.contains(['\n', '\u{1b}']));
    }
}
