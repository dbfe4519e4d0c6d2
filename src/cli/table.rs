//! Tables for terminals and for spreadsheets, and their cells.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

pub(super) use crate::model::digits::grouped;
use crate::model::money::Usd;

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// For names.
    Left,
    /// For numbers.
    Right,
}

/// Returns `rows` under `header` as text with aligned columns; the last `footers` rows stand below
/// a line.
pub(super) fn table(header: &[(&str, Align)], rows: &[Vec<String>], footers: usize) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let name = header.get(column).map_or(0, |(name, _)| name.width());
            cells.map(|cell| cell.width()).fold(name, usize::max)
        })
        .collect();
    let mut text = String::new();
    let names: Vec<String> = header.iter().map(|(name, _)| (*name).to_owned()).collect();
    push_row(&mut text, header, &widths, &names);
    for (place, row) in rows.iter().enumerate() {
        if footers > 0 && place + footers == rows.len() {
            let line: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            push_row(&mut text, header, &widths, &line);
        }
        push_row(&mut text, header, &widths, row);
    }
    text
}

fn push_row(text: &mut String, header: &[(&str, Align)], widths: &[usize], cells: &[String]) {
    let mut line = String::new();
    for (((_, align), width), cell) in header.iter().zip(widths).zip(cells) {
        let padding = " ".repeat(width.saturating_sub(cell.width()));
        match align {
            Align::Left => line.extend([cell, &padding, "  "]),
            Align::Right => line.extend([padding.as_str(), cell, "  "]),
        }
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Returns `cell` without anything that a terminal would act on: a log may hold any text. What takes no
/// place, or turns the direction of what follows, is not printed either.
pub(super) fn printable(cell: &str) -> String {
    cell.chars()
        .flat_map(|c| {
            let is_shown = c.width().is_some_and(|width| width > 0 || is_mark(c));
            let escape = if is_shown { None } else { Some(c.escape_default()) };
            let plain = if is_shown { Some(c) } else { None };
            escape.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// Tells whether a character goes onto the one before it: an accent, not what steers how text is laid out.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Decimals of a dollar in tables.
const TABLE_DECIMALS: usize = 6;

/// The smallest amount that a table shows as digits: 10^-[`TABLE_DECIMALS`] dollars.
const TABLE_USD_MIN: Usd = Usd(1_000_000);

/// Returns dollars for a table: thousands grouped, cut to [`TABLE_DECIMALS`]; never 0 for an amount
/// that is not.
pub(super) fn dollars(amount: Usd) -> String {
    if amount > Usd::ZERO && amount < TABLE_USD_MIN {
        return format!("<{TABLE_USD_MIN}");
    }
    let text = amount.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let kept: String = fraction.chars().take(TABLE_DECIMALS).collect();
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped::<u64>);
    format!("{whole}.{kept:0<TABLE_DECIMALS$}")
}

/// Joins cells as RFC 4180 says.
pub(super) fn csv_line(cells: &[String]) -> String {
    let quoted: Vec<String> = cells
        .iter()
        .map(|cell| {
            if cell.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        })
        .collect();
    quoted.join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_reaches_the_terminal_raw() {
        let header = [("MODEL", Align::Left), ("TOKENS", Align::Right)];
        let rows = [
            vec!["a\u{1b}[31m".to_owned(), grouped(1_234_567_u64)],
            vec!["total".to_owned(), grouped(12_u64)],
        ];
        assert_eq!(
            table(&header, &rows, 1),
            "MODEL           TOKENS\n\
             a\\u{1b}[31m  1,234,567\n\
             ───────────  ─────────\n\
             total               12\n"
        );
    }

    #[test]
    fn wide_characters_take_two_places_and_what_turns_text_around_is_escaped() {
        let header = [("TEAM", Align::Left), ("N", Align::Right)];
        let rows = [
            vec!["検索".to_owned(), "1".to_owned()],
            vec!["a\u{202e}b\u{200b}".to_owned(), "2".to_owned()],
            vec!["caf\u{65}\u{301}".to_owned(), "3".to_owned()],
        ];
        assert_eq!(
            table(&header, &rows, 0),
            "TEAM                N\n\
             検索                1\n\
             a\\u{202e}b\\u{200b}  2\n\
             cafe\u{301}                3\n"
        );
    }
}
