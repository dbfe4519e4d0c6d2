//! A report for a terminal.

use super::sheet::{Line, Sheet};
use crate::cli::table::{Align, printable, table};

/// Places that the bar of everything takes.
const BAR_WIDTH: u64 = 12;
const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const BOLD: &str = "\u{1b}[1m";
const CYAN: &str = "\u{1b}[36m";
const PLAIN: &str = "\u{1b}[0m";

pub(super) fn page(sheet: &Sheet, has_colour: bool) -> String {
    let mut header: Vec<(&str, Align)> =
        sheet.columns.iter().map(|(name, align)| (name.as_str(), *align)).collect();
    header.push(("SHARE", Align::Right));
    header.push(("", Align::Left));
    let lines = sheet.lines.iter().chain([&sheet.total]);
    let rows: Vec<Vec<String>> = lines.map(row).collect();
    let mut text = format!("{}\n\n", printable(&sheet.title));
    let table = table(&header, &rows, 1);
    if has_colour {
        text.push_str(&coloured(&table));
    } else {
        text.push_str(&table);
    }
    if !sheet.remarks.is_empty() {
        text.push('\n');
    }
    for remark in &sheet.remarks {
        text.push_str(&format!("{}\n", printable(remark)));
    }
    text
}

fn row(line: &Line) -> Vec<String> {
    let mut cells = line.cells.clone();
    cells.push(line.share.map_or_else(String::new, percent));
    cells.push(line.share.map_or_else(String::new, bar));
    cells
}

pub(super) fn percent(share: u64) -> String {
    format!("{}.{}%", share / 10, share % 10)
}

fn bar(share: u64) -> String {
    let eighths = (share.min(1_000) * BAR_WIDTH * 8 + 500) / 1_000;
    let whole = usize::try_from(eighths / 8).unwrap_or(0);
    let part = usize::try_from(eighths % 8).ok().and_then(|part| PARTS.get(part));
    "█".repeat(whole) + part.unwrap_or(&"")
}

/// Adds colours to a table, in which nothing is left that a terminal would act on.
fn coloured(table: &str) -> String {
    let mut text = String::new();
    for (place, line) in table.lines().enumerate() {
        let bar = line.find(['█', '▏', '▎', '▍', '▌', '▋', '▊', '▉']);
        let is_bar =
            |at: &usize| line.split_at(*at).1.chars().all(|c| ('▉'..='▏').contains(&c) || c == '█');
        match bar.filter(is_bar) {
            _ if place == 0 => text.push_str(&format!("{BOLD}{line}{PLAIN}")),
            Some(at) => {
                let (cells, bar) = line.split_at(at);
                text.push_str(&format!("{cells}{CYAN}{bar}{PLAIN}"));
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_the_share() {
        assert_eq!(bar(1_000).chars().count(), 12);
        assert_eq!(bar(500), "██████");
        assert_eq!(bar(10), "▏");
        assert_eq!(bar(0), "");
    }

    #[test]
    fn colours_are_around_what_they_colour() {
        let text = coloured("MODEL  SHARE\nnova   50.0%  ██▌\n");
        assert_eq!(text, "\u{1b}[1mMODEL  SHARE\u{1b}[0m\nnova   50.0%  \u{1b}[36m██▌\u{1b}[0m\n");
    }
}
