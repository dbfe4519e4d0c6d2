//! Draws the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table, Wrap};

use super::facts::{Budget, Facts, Spend, Throttle};
use crate::cli::table::{dollars, grouped, printable};
use crate::model::money::Usd;

/// Places of a budget's bar.
const BAR_WIDTH: u64 = 20;
/// Lines of explanations, where there are any.
const THROTTLE_LINES: u16 = 6;

pub(super) fn draw(frame: &mut Frame<'_>, facts: &Facts, trouble: Option<&str>) {
    let budgets = u16::try_from(facts.budgets.len().clamp(1, 8)).unwrap_or(8);
    let throttles = if facts.throttles.is_empty() { 0 } else { THROTTLE_LINES + 2 };
    let rows = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(7),
        Constraint::Length(budgets + 2),
        Constraint::Max(throttles),
        Constraint::Min(4),
        Constraint::Length(1),
    ]);
    let [head, chart, budgets, throttles, callers, foot] = rows.areas(frame.area());
    draw_head(frame, head, facts);
    let most = Usd(i128::from(facts.minutes.iter().copied().max().unwrap_or(0)) * 1_000_000);
    let title = format!(" spent by minute, the last hour; at most {} USD ", dollars(most));
    let spark = Sparkline::default()
        .block(Block::bordered().title(title))
        .style(Style::new().fg(Color::Cyan))
        .data(&facts.minutes);
    frame.render_widget(spark, chart);
    draw_budgets(frame, budgets, &facts.budgets);
    if !facts.throttles.is_empty() {
        draw_throttles(frame, throttles, &facts.throttles);
    }
    draw_callers(frame, callers, facts);
    let text = match trouble {
        Some(trouble) => printable(trouble.lines().next().unwrap_or_default()),
        None => format!("newest call {}   q quits", facts.newest),
    };
    let style = if trouble.is_some() { Style::new().fg(Color::Red) } else { Style::new() };
    frame.render_widget(Paragraph::new(text).style(style), foot);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, facts: &Facts) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let line = |name: &'static str, spend: &Spend| {
        Line::from(vec![
            Span::raw(format!("{name:<10}")),
            Span::styled(format!("{} USD", dollars(spend.spent)), bold),
            Span::raw(format!(
                "   {} calls, {} throttled{}",
                grouped(spend.requests),
                grouped(spend.throttled),
                if spend.unpriced > 0 { ", some tokens without a price" } else { "" }
            )),
        ])
    };
    let mut lines = vec![line("last hour", &facts.hour), line("today UTC", &facts.today)];
    if let Some((rate, usual)) = &facts.rate {
        let usual = match usual {
            Some(usual) => format!("   usual is {}", dollars(*usual)),
            None => "   what is usual is not known yet".to_owned(),
        };
        let rate = Span::styled(format!("{} USD an hour", dollars(*rate)), bold);
        lines.insert(0, Line::from(vec![Span::raw("now       "), rate, Span::raw(usual)]));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_budgets(frame: &mut Frame<'_>, area: Rect, budgets: &[Budget]) {
    let mut lines: Vec<Line<'_>> = budgets
        .iter()
        .map(|budget| {
            let color = match budget.used {
                0..800 => Color::Green,
                800..1_000 => Color::Yellow,
                _ => Color::Red,
            };
            let filled = (budget.used.min(1_000) * BAR_WIDTH + 500) / 1_000;
            let bar = |count: u64, c: &str| c.repeat(usize::try_from(count).unwrap_or(0));
            Line::from(vec![
                Span::styled(bar(filled, "█"), Style::new().fg(color)),
                Span::raw(bar(BAR_WIDTH - filled, "░")),
                Span::raw(format!(
                    " {:>4}.{}%  {}",
                    budget.used / 10,
                    budget.used % 10,
                    printable(&budget.name)
                )),
            ])
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::raw("no budget is configured"));
    }
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" budgets ")), area);
}

fn draw_throttles(frame: &mut Frame<'_>, area: Rect, throttles: &[Throttle]) {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for throttle in throttles {
        let Throttle { minute, pool, calls, texts } = throttle;
        let calls = grouped(*calls);
        let head = format!("{minute}  {}: {calls} throttled", printable(pool));
        lines.push(Line::styled(head, Style::new().fg(Color::Yellow)));
        lines.extend(texts.iter().map(|text| Line::raw(format!("  {}", printable(text)))));
    }
    let block = Block::bordered().title(" throttled in the last minutes, and why ");
    let page = Paragraph::new(lines).wrap(Wrap { trim: false }).block(block);
    frame.render_widget(page, area);
}

fn draw_callers(frame: &mut Frame<'_>, area: Rect, facts: &Facts) {
    let right = |text: String| Cell::from(Line::raw(text).right_aligned());
    let rows = facts.callers.iter().map(|(name, spend)| {
        let style = if spend.throttled > 0 { Style::new().fg(Color::Yellow) } else { Style::new() };
        Row::new([
            Cell::from(printable(name)),
            right(dollars(spend.spent)),
            right(grouped(spend.requests)),
            right(grouped(spend.throttled)),
        ])
        .style(style)
    });
    let header = Row::new([
        Cell::from("PRINCIPAL"),
        right("SPENT USD".to_owned()),
        right("CALLS".to_owned()),
        right("THROTTLED".to_owned()),
    ])
    .style(Style::new().add_modifier(Modifier::BOLD));
    let widths = [
        Constraint::Min(20),
        Constraint::Length(16),
        Constraint::Length(10),
        Constraint::Length(10),
    ];
    let table = Table::new(rows, widths)
        .header(header)
        .block(Block::bordered().title(" dearest callers of the last hour "));
    frame.render_widget(table, area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Cell;

    use super::*;

    fn screen(facts: &Facts, trouble: Option<&str>) -> String {
        let mut terminal = Terminal::new(TestBackend::new(80, 32)).unwrap();
        terminal.draw(|frame| draw(frame, facts, trouble)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let lines = buffer.content().chunks(80);
        lines.map(|line| line.iter().map(Cell::symbol).collect::<String>() + "\n").collect()
    }

    fn facts() -> Facts {
        let spend =
            Spend { spent: Usd(12_500_000_000_000), requests: 1_234, throttled: 7, unpriced: 0 };
        Facts {
            newest: "2026-11-26T10:00:00Z".to_owned(),
            minutes: (0..60).collect(),
            hour: spend,
            today: Spend { unpriced: 1, ..spend },
            callers: vec![("role/search\u{1b}[2J".to_owned(), spend)],
            budgets: vec![Budget { name: "team search".to_owned(), used: 905 }],
            rate: Some((Usd(14_200_000_000_000), Some(Usd(3_100_000_000_000)))),
            throttles: vec![Throttle {
                minute: "2026-11-26T09:58:00Z".to_owned(),
                pool: "m geo us-east-1".to_owned(),
                calls: 12,
                texts: vec!["reservation".to_owned(), "lower max_tokens\u{1b}".to_owned()],
            }],
        }
    }

    #[test]
    fn the_screen_tells_spend_budgets_callers_and_throttles() {
        let text = screen(&facts(), None);
        for part in [
            "last hour 12.500000 USD   1,234 calls, 7 throttled",
            "today UTC 12.500000 USD   1,234 calls, 7 throttled, some tokens without a price",
            "██████████████████░░   90.5%  team search",
            "role/search\\u{1b}[2J",
            "now       14.200000 USD an hour   usual is 3.100000",
            "2026-11-26T09:58:00Z  m geo us-east-1: 12 throttled",
            "  lower max_tokens\\u{1b}",
            "newest call 2026-11-26T10:00:00Z   q quits",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn trouble_is_told_below_the_last_facts() {
        let text = screen(&facts(), Some("error: the daemon can't be reached\n  caused by: x"));
        assert!(text.contains("error: the daemon can't be reached"), "{text}");
        assert!(text.contains("team search"), "{text}");
        assert!(screen(&Facts::default(), None).contains("no budget is configured"));
    }
}
