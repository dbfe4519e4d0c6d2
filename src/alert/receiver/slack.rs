//! Incoming webhooks of Slack (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
//!
//! `&`, `<` and `>` are escaped, or text out of a log could name `<!channel>`
//! (<https://docs.slack.dev/messaging/formatting-message-text#escaping>).

use serde_json::{Value, json};

use super::super::message::one_line;
use super::{Links, Told};
use crate::model::alert::{NoticeStatus, Severity};

/// A section holds at most 3,000 characters
/// (<https://docs.slack.dev/reference/block-kit/blocks/section-block>). Escapes make text up to five
/// times as long, so it is cut before and after.
const SECTION_CHARS_MAX: usize = 3_000;

/// Returns the body: one line for the notification, a few for the channel.
pub(in crate::alert) fn body(told: &Told<'_>, links: &Links) -> Value {
    let title = told.title();
    let mark = match (told.status, told.severity) {
        (NoticeStatus::Resolved, _) => ":white_check_mark:",
        (_, Severity::Page) => ":rotating_light:",
        (_, Severity::Ticket) => ":warning:",
        (_, Severity::Notice) => ":information_source:",
    };
    let mut lines = vec![format!("{mark} *{}*", escaped(&title))];
    lines.extend(told.details().iter().map(|line| escaped(line)));
    let section = bounded(&lines);
    let mut context = vec![escaped(&told.times())];
    context
        .extend(told.links(links).iter().map(|(name, url)| format!("<{}|{name}>", escaped(url))));
    json!({
        "text": escaped(&title),
        "blocks": [
            { "type": "section", "text": { "type": "mrkdwn", "text": section } },
            {
                "type": "context",
                "elements": [{ "type": "mrkdwn", "text": bounded(&[context.join(" · ")]) }],
            },
        ],
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Joins as many lines as fit; what is cut is said.
fn bounded(lines: &[String]) -> String {
    let mut text = String::new();
    let mut chars = 0;
    for line in lines {
        chars += line.chars().count() + 1;
        if chars > SECTION_CHARS_MAX - 2 {
            text.push_str(if text.is_empty() { "too long to show" } else { "\n…" });
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
    text
}

/// Returns what is odd about an answer of success: Slack says `ok`. The message is not sent again, since
/// Slack would show it twice.
pub(in crate::alert) fn oddity(body: &str) -> Option<String> {
    (body.trim() != "ok").then(|| {
        let shown = one_line(body, 200);
        format!("the answer is not Slack's `ok` but `{shown}`; see whether the message is there")
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::message::tests::spike;
    use super::*;

    #[test]
    fn a_message_is_short_and_can_name_nobody() {
        let mut notice = spike(NoticeStatus::Firing);
        notice.brief.details.push("role/<!channel> & more".to_owned());
        let links =
            Links { dashboard: Some("https://g.example/?a=1&b=2".to_owned()), runbook: None };
        let body = body(&Told::from(&notice), &links);
        assert_eq!(
            body,
            json!({
                "text": "[page] TollkeeperSpendSpike model=anthropic.claude-v2:1: spend $412/h, usual $35/h",
                "blocks": [
                    { "type": "section", "text": { "type": "mrkdwn", "text":
                        ":rotating_light: *[page] TollkeeperSpendSpike model=anthropic.claude-v2:1: \
                         spend $412/h, usual $35/h*\n\
                         role/log-summariser: +$377/h, 93 % of the increase\n\
                         role/&lt;!channel&gt; &amp; more" } },
                    { "type": "context", "elements": [{ "type": "mrkdwn", "text":
                        "since 2026-11-23T10:00:00Z · <https://g.example/?a=1&amp;b=2|dashboard>" }] },
                ],
            })
        );
    }

    #[test]
    fn the_worst_text_stays_within_the_limits_of_slack() {
        let mut notice = spike(NoticeStatus::Resolved);
        notice.brief.summary = "&".repeat(5_000);
        notice.brief.details = vec!["<".repeat(5_000); 100];
        let body = body(&Told::from(&notice), &Links::default());
        let section = body["blocks"][0]["text"]["text"].as_str().unwrap();
        assert!(section.chars().count() <= SECTION_CHARS_MAX, "{}", section.chars().count());
        assert!(section.ends_with("\n…"), "{section}");
        assert!(section.starts_with(":white_check_mark: *[resolved] "), "{section}");
    }

    #[test]
    fn an_odd_answer_is_told() {
        assert_eq!(oddity("ok"), None);
        assert!(oddity("<html>\nlog in").unwrap().contains("`<html> log in`"));
    }
}
