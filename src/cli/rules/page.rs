//! Rule groups as YAML that Prometheus reads: names as they are, expressions as blocks, all other texts in
//! double quotes as JSON writes them, which YAML reads alike.

use std::fmt;

use crate::model::alert::Severity;
use crate::watch::rules::Patience;

/// A rule file.
pub(super) struct Page<'p> {
    /// Comment lines.
    pub(super) head: &'p str,
    /// Link to the runbook.
    pub(super) runbook: &'p str,
    /// The groups.
    pub(super) groups: &'p [Group],
}

/// Rules that are evaluated one after the other, so that alerts read what was summed just before.
pub(super) struct Group {
    /// Its name.
    pub(super) name: &'static str,
    /// What is summed.
    pub(super) sums: Vec<Sum>,
    /// What is worth an alert.
    pub(super) alerts: Vec<Alert>,
}

/// A recording rule.
pub(super) struct Sum {
    /// `labels:metric:operation`.
    pub(super) name: &'static str,
    /// `PromQL`.
    pub(super) expr: String,
}

/// An alerting rule.
#[derive(Debug, PartialEq)]
pub(super) struct Alert {
    /// The name.
    pub(super) name: &'static str,
    /// How urgent it is.
    pub(super) severity: Severity,
    /// `PromQL`; may have several lines.
    pub(super) expr: String,
    /// How long it must hold and goes on.
    pub(super) patience: Patience,
    /// Labels beside the severity.
    pub(super) labels: Vec<(&'static str, String)>,
    /// One line: what and how much.
    pub(super) summary: String,
    /// More, and what to do.
    pub(super) description: String,
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}groups:", self.head)?;
        for group in self.groups {
            if group.alerts.is_empty() {
                continue;
            }
            write!(f, "  - name: {}\n    rules:\n", group.name)?;
            for sum in &group.sums {
                writeln!(f, "      - record: {}", sum.name)?;
                block(f, &sum.expr)?;
            }
            for alert in &group.alerts {
                alert.write(f, self.runbook)?;
            }
        }
        Ok(())
    }
}

impl Alert {
    fn write(&self, f: &mut fmt::Formatter<'_>, runbook: &str) -> fmt::Result {
        writeln!(f, "      - alert: {}", self.name)?;
        block(f, &self.expr)?;
        let Patience { for_ms, keep_ms } = self.patience;
        for (key, ms) in [("for", for_ms), ("keep_firing_for", keep_ms)] {
            if ms > 0 {
                writeln!(f, "        {key}: {}", duration(ms))?;
            }
        }
        writeln!(f, "        labels:\n          severity: {}", self.severity.as_str())?;
        for (name, value) in &self.labels {
            writeln!(f, "          {name}: {}", quoted(value))?;
        }
        let link = format!("{runbook}#{}", self.name.to_ascii_lowercase());
        writeln!(f, "        annotations:")?;
        for (name, value) in
            [("summary", &self.summary), ("description", &self.description), ("runbook_url", &link)]
        {
            writeln!(f, "          {name}: {}", quoted(value))?;
        }
        Ok(())
    }
}

fn block(f: &mut fmt::Formatter<'_>, expr: &str) -> fmt::Result {
    writeln!(f, "        expr: |-")?;
    expr.lines().try_for_each(|line| writeln!(f, "          {line}"))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns a time span as Prometheus reads it: `2m`, `1h30m`, `5s`.
pub(super) fn duration(ms: i64) -> String {
    let mut rest = ms;
    let mut text = String::new();
    for (unit_ms, unit) in
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")]
    {
        let count = rest / unit_ms;
        rest %= unit_ms;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Returns a template that shows the value of a query, in which each `%q` is one of `labels` of the alert.
/// `format` is what follows the pipe; where there is no such series, nothing is shown.
pub(super) fn looked_up(query: &str, labels: &[&str], format: &str) -> String {
    let labels: Vec<String> = labels.iter().map(|label| format!("$labels.{label}")).collect();
    let found = format!("with printf `{query}` {} | query", labels.join(" "));
    let open = "{{ ";
    let close = " }}";
    format!("{open}{found}{close}{open}. | first | value | {format}{close}{open}end{close}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_prometheus_reads_them() {
        for (ms, text) in [
            (0, "0s"),
            (5_000, "5s"),
            (120_000, "2m"),
            (5_400_000, "1h30m"),
            (86_400_000, "1d"),
            (1_500, "1s500ms"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn texts_are_quoted() {
        assert_eq!(quoted("a \"b\" \\ c: #"), "\"a \\\"b\\\" \\\\ c: #\"");
    }
}
