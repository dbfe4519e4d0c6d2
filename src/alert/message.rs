//! What a person reads of an alert: what, how much, who, since when, where to look, what to do.
//!
//! Labels and texts come out of logs, so they are cleaned and cut here, once for all receivers.

use crate::model::alert::{AlertKey, AlertState, Brief, Notice, NoticeStatus, Phase, Severity};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// Most characters of a title; it has to fit a lock screen and a `PagerDuty` summary.
const TITLE_CHARS_MAX: usize = 300;
/// Most characters of a label in a title.
const LABEL_CHARS_MAX: usize = 80;
/// Most characters of a line, and most lines.
const LINE_CHARS_MAX: usize = 400;
const LINES_MAX: usize = 12;

/// Where a person looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// A dashboard.
    pub dashboard: Option<String>,
    /// The runbook as a whole.
    pub runbook: Option<String>,
}

/// An alert as it is told: from a notice, or from the state of one that fires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'n> {
    /// Whether it fires or is over.
    pub(super) status: NoticeStatus,
    /// What it is about.
    pub(super) key: &'n AlertKey,
    /// How urgent it is.
    pub(super) severity: Severity,
    /// What is told.
    pub(super) brief: &'n Brief,
    /// Since when it is true.
    pub(super) since: UnixMillis,
    /// When it fired.
    pub(super) fired: UnixMillis,
    /// When it was over, if it is; never before it fired.
    pub(super) ended: Option<UnixMillis>,
}

impl<'n> From<&'n Notice> for Told<'n> {
    fn from(notice: &'n Notice) -> Self {
        // A resolved notice without an end would fire for ever at Alertmanager.
        let ended = match notice.status {
            NoticeStatus::Firing => None,
            NoticeStatus::Resolved => Some(notice.ended.unwrap_or(notice.fired).max(notice.fired)),
        };
        Self {
            status: notice.status,
            key: &notice.key,
            severity: notice.severity,
            brief: &notice.brief,
            since: notice.since,
            fired: notice.fired,
            ended,
        }
    }
}

impl<'n> Told<'n> {
    /// Returns what is told of an alert that fires now; nothing of one that is pending.
    pub(super) fn of_state(key: &'n AlertKey, state: &'n AlertState) -> Option<Self> {
        let Phase::Firing { fired, .. } = state.phase else { return None };
        Some(Self {
            status: NoticeStatus::Firing,
            key,
            severity: state.severity,
            brief: &state.brief,
            since: state.since,
            fired,
            ended: None,
        })
    }

    /// Returns one line: `[page] TollkeeperSpendSpike model=a: spend $412/h, usual $35/h`.
    pub(super) fn title(&self) -> String {
        let head = match self.status {
            NoticeStatus::Firing => self.severity.as_str(),
            NoticeStatus::Resolved => self.status.as_str(),
        };
        let mut title = format!("[{head}] {}", self.key.name.as_str());
        for (name, value) in &self.key.labels {
            let value = one_line(value, LABEL_CHARS_MAX);
            title.push_str(&format!(" {name}={value}"));
        }
        if !self.brief.summary.is_empty() {
            title.push_str(": ");
            title.push_str(&self.brief.summary);
        }
        one_line(&title, TITLE_CHARS_MAX)
    }

    /// Returns what is told of it, without the labels.
    pub(super) fn summary(&self) -> String {
        one_line(&self.brief.summary, TITLE_CHARS_MAX)
    }

    /// Returns the lines below the title: who and what explains it, and what to do.
    pub(super) fn details(&self) -> Vec<String> {
        let shown = self.brief.details.iter().take(LINES_MAX);
        shown.map(|line| one_line(line, LINE_CHARS_MAX)).collect()
    }

    /// Returns since when, or from when to when.
    pub(super) fn times(&self) -> String {
        let since = self.since.second_text();
        match self.ended {
            None => format!("since {since}"),
            Some(ended) => {
                let took = duration_text(ended.0.saturating_sub(self.since.0));
                format!("from {since} to {}, {took}", ended.second_text())
            }
        }
    }

    /// Returns the part of the runbook for this alert.
    pub(super) fn runbook(&self, links: &Links) -> Option<String> {
        let anchor = self.key.name.as_str().to_ascii_lowercase();
        links.runbook.as_ref().map(|runbook| format!("{runbook}#{anchor}"))
    }

    /// Returns the links by what they lead to.
    pub(super) fn links(&self, links: &Links) -> Vec<(&'static str, String)> {
        let dashboard = links.dashboard.clone().map(|url| ("dashboard", url));
        dashboard.into_iter().chain(self.runbook(links).map(|url| ("runbook", url))).collect()
    }

    /// Returns everything, a line each.
    pub(super) fn lines(&self, links: &Links) -> Vec<String> {
        let mut lines = vec![self.title(), self.times()];
        lines.extend(self.details());
        lines.extend(self.links(links).into_iter().map(|(name, url)| format!("{name}: {url}")));
        lines
    }
}

/// Makes a text one line of at most so many characters, without what moves a cursor or turns the
/// direction of writing.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let is_bad =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut line: String =
        text.trim().chars().map(|c| if is_bad(c) { ' ' } else { c }).take(chars_max + 1).collect();
    if let Some((end, _)) = line.char_indices().nth(chars_max) {
        line.truncate(end);
        line.pop();
        line.push('…');
    }
    line
}

/// Returns an instant as RFC 3339 with milliseconds, in UTC.
pub(super) fn instant(at: UnixMillis) -> String {
    at.to_chrono().map_or_else(
        || at.second_text(),
        |at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
    )
}

fn duration_text(ms: i64) -> String {
    let ms = ms.max(0);
    if ms >= DAY_MS {
        format!("{} d {} h", ms / DAY_MS, ms % DAY_MS / HOUR_MS)
    } else if ms >= HOUR_MS {
        format!("{} h {} min", ms / HOUR_MS, ms % HOUR_MS / MINUTE_MS)
    } else {
        format!("{} min", ms / MINUTE_MS)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::alert::AlertName;

    pub(in crate::alert) fn spike(status: NoticeStatus) -> Notice {
        let start = UnixMillis::parse_rfc3339("2026-11-23T10:00:00Z").unwrap();
        Notice {
            number: 7,
            route: "pager".to_owned(),
            status,
            key: AlertKey::new(AlertName::SpendSpike, &[("model", "anthropic.claude-v2:1")]),
            severity: Severity::Page,
            brief: Brief {
                summary: "spend $412/h, usual $35/h".to_owned(),
                details: vec!["role/log-summariser: +$377/h, 93 % of the increase".to_owned()],
                values: [("spend_usd_per_hour".to_owned(), "412".to_owned())].into(),
            },
            since: start,
            fired: start.plus(2 * MINUTE_MS),
            ended: (status == NoticeStatus::Resolved).then(|| start.plus(74 * MINUTE_MS)),
        }
    }

    fn links() -> Links {
        Links {
            dashboard: Some("https://grafana.example/d/1".to_owned()),
            runbook: Some("https://example.org/RUNBOOK.md".to_owned()),
        }
    }

    #[test]
    fn a_page_says_what_how_much_who_since_when_and_where_to_look() {
        let notice = spike(NoticeStatus::Firing);
        assert_eq!(
            Told::from(&notice).lines(&links()),
            [
                "[page] TollkeeperSpendSpike model=anthropic.claude-v2:1: spend $412/h, usual $35/h",
                "since 2026-11-23T10:00:00Z",
                "role/log-summariser: +$377/h, 93 % of the increase",
                "dashboard: https://grafana.example/d/1",
                "runbook: https://example.org/RUNBOOK.md#tollkeeperspendspike",
            ]
        );
    }

    #[test]
    fn the_end_says_how_long_it_took() {
        let notice = spike(NoticeStatus::Resolved);
        let told = Told::from(&notice);
        assert!(told.title().starts_with("[resolved] TollkeeperSpendSpike "), "{}", told.title());
        assert_eq!(told.times(), "from 2026-11-23T10:00:00Z to 2026-11-23T11:14:00Z, 1 h 14 min");
    }

    #[test]
    fn an_end_is_never_missing_and_never_before_the_start() {
        let mut notice = spike(NoticeStatus::Resolved);
        for ended in [None, Some(notice.fired.plus(-HOUR_MS))] {
            notice.ended = ended;
            assert_eq!(Told::from(&notice).ended, Some(notice.fired));
        }
    }

    #[test]
    fn texts_out_of_logs_are_one_short_line() {
        let mut notice = spike(NoticeStatus::Firing);
        notice.key =
            AlertKey::new(AlertName::SpendSpike, &[("principal", "a\n\u{202e}\u{1b}[31mb")]);
        notice.brief.summary = "é".repeat(1_000);
        let title = Told::from(&notice).title();
        assert!(title.starts_with("[page] TollkeeperSpendSpike principal=a   [31mb: é"), "{title}");
        assert_eq!(title.chars().count(), TITLE_CHARS_MAX);
        assert!(title.ends_with('…'));
        assert_eq!(one_line("abc", 3), "abc");
        assert_eq!(one_line("abcd", 3), "ab…");
    }
}
