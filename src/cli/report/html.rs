//! A report as one page that needs no other file and runs nothing.

use super::sheet::{Line, Sheet};
use super::terminal::percent;
use crate::cli::table::{Align, printable};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem}\
h1{font-size:1.2rem}\
div{overflow-x:auto}\
table{border-collapse:collapse}\
th,td{padding:.3rem .7rem;border-bottom:1px solid #8884;text-align:left;white-space:nowrap}\
.n{text-align:right;font-variant-numeric:tabular-nums}\
tfoot td{font-weight:600;border-top:2px solid #888}\
meter{width:8rem}";

pub(super) fn page(sheet: &Sheet) -> String {
    let title = escaped(&sheet.title);
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <div><table>\n<thead><tr>"
    );
    for (name, align) in &sheet.columns {
        text.push_str(&format!("<th{}>{}</th>", class(*align), escaped(name)));
    }
    text.push_str("<th class=\"n\">SHARE</th><th></th></tr></thead>\n<tbody>\n");
    for line in &sheet.lines {
        text.push_str(&row(sheet, line));
    }
    text.push_str("</tbody>\n<tfoot>\n");
    text.push_str(&row(sheet, &sheet.total));
    text.push_str("</tfoot>\n</table></div>\n");
    for remark in &sheet.remarks {
        text.push_str(&format!("<p>{}</p>\n", escaped(remark)));
    }
    text.push_str("</body>\n</html>\n");
    text
}

fn row(sheet: &Sheet, line: &Line) -> String {
    let mut text = "<tr>".to_owned();
    for ((_, align), cell) in sheet.columns.iter().zip(&line.cells) {
        text.push_str(&format!("<td{}>{}</td>", class(*align), escaped(cell)));
    }
    match line.share {
        None => text.push_str("<td></td><td></td>"),
        Some(share) => text.push_str(&format!(
            "<td class=\"n\">{0}</td><td><meter min=\"0\" max=\"1000\" value=\"{share}\">{0}</meter></td>",
            percent(share)
        )),
    }
    text.push_str("</tr>\n");
    text
}

fn class(align: Align) -> &'static str {
    match align {
        Align::Left => "",
        Align::Right => " class=\"n\"",
    }
}

/// Returns text that is nothing but text in HTML, also in an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_log_becomes_html() {
        assert_eq!(escaped("<b a='x'>\"&\u{1b}"), "&lt;b a=&#39;x&#39;&gt;&quot;&amp;\\u{1b}");
    }
}
