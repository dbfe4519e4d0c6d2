//! A report as a table of Markdown (GitHub's): any text of a log stays text.

use super::sheet::{Line, Sheet};
use super::terminal::percent;
use crate::cli::table::{Align, printable};

pub(super) fn page(sheet: &Sheet) -> String {
    let mut names: Vec<String> = sheet.columns.iter().map(|(name, _)| escaped(name)).collect();
    names.push("SHARE".to_owned());
    let mut marks: Vec<String> = sheet
        .columns
        .iter()
        .map(|(_, align)| if *align == Align::Left { "---" } else { "---:" }.to_owned())
        .collect();
    marks.push("---:".to_owned());
    let mut text = format!("**{}**\n\n", escaped(&sheet.title));
    text.push_str(&row(&names));
    text.push_str(&row(&marks));
    for line in &sheet.lines {
        text.push_str(&row(&cells(line)));
    }
    let total = cells(&sheet.total).into_iter();
    let bold = |cell: String| if cell.is_empty() { cell } else { format!("**{cell}**") };
    text.push_str(&row(&total.map(bold).collect::<Vec<_>>()));
    for remark in &sheet.remarks {
        text.push_str(&format!("\n{}\n", escaped(remark)));
    }
    text
}

fn cells(line: &Line) -> Vec<String> {
    let share = line.share.map_or_else(String::new, percent);
    line.cells.iter().map(|cell| escaped(cell)).chain([share]).collect()
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Returns text that Markdown shows as it is: every character that could mean something gets a backslash, which any
/// punctuation may have. A colon, an at sign and the dots of `www.` keep GitHub from making links.
pub(super) fn escaped(text: &str) -> String {
    let text = printable(text);
    let has_host = text.to_ascii_lowercase().contains("www.");
    let mut escaped = String::new();
    for c in text.chars() {
        let means_something = "\\`*_[]{}<>|#~!&:@".contains(c) || (has_host && c == '.');
        if means_something {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_markdown_acts_on_is_escaped() {
        assert_eq!(escaped("a|b\n<b>*_&amp;"), "a\\|b\\\\n\\<b\\>\\*\\_\\&amp;");
        assert_eq!(escaped("https://www.x.org"), "https\\://www\\.x\\.org");
    }
}
