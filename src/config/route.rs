//! `[[alerts.route]]`: where alerts are sent, and which of them. Secrets are named here, never held.

use std::path::{Path, PathBuf};

use hyper::Uri;

use super::secret_keys::{SecretKeys, keys, read_required, read_secret};
use super::section::Section;
use crate::model::alert::{AlertName, Severity};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::secret::SecretSource;

/// Most routes of a config: each has a task and a connection of its own.
const ROUTES_MAX: usize = 32;
/// Longest name of a route, which is a label value.
const NAME_CHARS_MAX: usize = 64;
/// How long an attempt may take by default, connecting and reading the answer included.
const TIMEOUT_MS: i64 = 10_000;
/// How often the alerts that fire are sent to Alertmanager again. "Clients are expected to
/// continuously re-send alerts as long as they are still active (usually on the order of 30 seconds
/// to 3 minutes)", says <https://prometheus.io/docs/alerting/clients/>.
const RESEND_MS: i64 = MINUTE_MS;
/// Where events go to `PagerDuty`, see <https://developer.pagerduty.com/docs/send-alert-event>.
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// How long a notice is tried by default.
const GIVE_UP_AFTER_MS: i64 = DAY_MS;

/// Where alerts are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryConfig {
    /// The routes, in the order of the file; their names differ.
    pub routes: Vec<RouteConfig>,
    /// Link to a dashboard, shown with every alert.
    pub dashboard_url: Option<String>,
    /// Link to the runbook; the name of the alert is added as `#tollkeeper…`.
    pub runbook_url: Option<String>,
    /// Age in milliseconds beyond which a notice that still can't be sent is given up.
    pub give_up_after_ms: i64,
}

/// A checked `[[alerts.route]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteConfig {
    /// Its name; label `route`.
    pub name: String,
    /// Who receives.
    pub receiver: ReceiverConfig,
    /// Less urgent alerts are not sent.
    pub min_severity: Severity,
    /// Globs over the names of the alerts to send; none means all.
    pub alerts: Vec<glob::Pattern>,
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// Certificates of the authorities to trust, in place of those of the system.
    pub ca_file: Option<PathBuf>,
}

/// Who receives, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverConfig {
    /// Prometheus Alertmanager, API v2.
    Alertmanager {
        /// Address of the Alertmanager, without `/api/v2/alerts`.
        url: Place,
        /// How to log in.
        login: Login,
        /// How often alerts that fire are sent again, in milliseconds.
        resend_ms: i64,
    },
    /// `PagerDuty`, Events API v2.
    PagerDuty {
        /// Where events go.
        url: Place,
        /// The integration key.
        routing_key: SecretSource,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// Its URL, which is a secret as a whole.
        url: Place,
    },
    /// Any other receiver of JSON over HTTP.
    Webhook {
        /// Where notices go.
        url: Place,
        /// The key that signs them.
        secret: Option<SecretSource>,
        /// How to log in.
        login: Login,
    },
    /// A line to standard output.
    Stdout {
        /// Whether the line is JSON.
        json: bool,
    },
}

/// A URL, or where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The URL as such; checked.
    Url(String),
    /// It is a secret.
    Secret(SecretSource),
}

/// How to log in at a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// Not at all.
    #[default]
    None,
    /// With a bearer token.
    Bearer(SecretSource),
    /// With a name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: SecretSource,
    },
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            dashboard_url: None,
            runbook_url: None,
            give_up_after_ms: GIVE_UP_AFTER_MS,
        }
    }
}

impl ReceiverConfig {
    /// Returns the word of the config for this kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Alertmanager { .. } => "alertmanager",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Slack { .. } => "slack",
            Self::Webhook { .. } => "webhook",
            Self::Stdout { .. } => "stdout",
        }
    }
}

impl RouteConfig {
    /// Tells whether an alert of this name and severity is sent through this route.
    pub fn takes(&self, name: AlertName, severity: Severity) -> bool {
        let is_chosen =
            self.alerts.is_empty() || self.alerts.iter().any(|glob| glob.matches(name.as_str()));
        severity >= self.min_severity && is_chosen
    }
}

impl DeliveryConfig {
    /// Returns the names of the routes that take an alert of this name and severity.
    pub fn routes_for(&self, name: AlertName, severity: Severity) -> impl Iterator<Item = &str> {
        let taking = self.routes.iter().filter(move |route| route.takes(name, severity));
        taking.map(|route| route.name.as_str())
    }
}

/// Checks a URL. The error never holds it, since it may hold a secret.
///
/// # Errors
/// What is wrong, for a person.
pub fn check_url(url: &str) -> Result<(), String> {
    let expected = "expected a URL such as `https://alerts.example.org/path`";
    let uri: Uri = url.parse().map_err(|error| format!("this is no URL ({error}), {expected}"))?;
    let host = uri.host().unwrap_or_default();
    if !matches!(uri.scheme_str(), Some("http" | "https")) || host.is_empty() {
        return Err(format!(
            "this URL does not begin with http:// or https:// and a host, {expected}"
        ));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("this URL holds a user name or password; use `username` and `password_file`, \
                    `bearer_token_file` or `url_file`"
            .to_owned());
    }
    Ok(())
}

/// Reads what `[alerts]` says of delivery; its other keys are left for others to read.
pub(super) fn read(alerts: &mut Section<'_, '_>, folder: &Path) -> DeliveryConfig {
    let link = |text: &str| check_url(text).map(|()| text.to_owned());
    let dashboard_url = alerts.checked("dashboard_url", link);
    let runbook_url = alerts.checked("runbook_url", link);
    let give_up_after = alerts.duration_ms("give_up_after", MINUTE_MS..=30 * DAY_MS);
    let sections = alerts.sections("route");
    if sections.len() > ROUTES_MAX {
        let count = sections.len();
        alerts.report(format!("found {count} routes, expected at most {ROUTES_MAX}"));
    }
    let mut routes: Vec<RouteConfig> = Vec::new();
    for mut section in sections {
        if let Some(route) = read_route(&mut section, folder) {
            if routes.iter().any(|known| known.name == route.name) {
                section.report(format!("found a second route named `{}`", route.name));
            }
            routes.push(route);
            section.finish();
        }
    }
    let give_up_after_ms = give_up_after.unwrap_or(GIVE_UP_AFTER_MS);
    DeliveryConfig { routes, dashboard_url, runbook_url, give_up_after_ms }
}

/// A route whose kind is not known has no keys that could be checked.
fn read_route(section: &mut Section<'_, '_>, folder: &Path) -> Option<RouteConfig> {
    let allowed = "a name of at most 64 letters, digits, `-`, `_` and `.`";
    let name = section.parsed("name", allowed, |text| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let fits = (1..=NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(is_plain);
        fits.then(|| text.to_owned())
    });
    let severities = "`notice`, `ticket` or `page`";
    let min_severity = section.parsed("min_severity", severities, Severity::from_name);
    let names: Vec<&str> = AlertName::ALL.iter().map(|name| name.as_str()).collect();
    let globs = format!("a name or glob of one of the alerts {}", names.join(", "));
    let alerts = section.list("alerts", &globs, |text| {
        let glob = glob::Pattern::new(text).ok()?;
        names.iter().any(|name| glob.matches(name)).then_some(glob)
    });
    let timeout = section.duration_ms("timeout", 100..=2 * MINUTE_MS);
    let ca_file = section.text("ca_file").map(|file| folder.join(file));
    let receiver = read_receiver(section, folder)?;
    if name.is_none() {
        section.report("`name` is missing or wrong; it becomes the label `route`".to_owned());
    }
    Some(RouteConfig {
        name: name.unwrap_or_default(),
        receiver,
        min_severity: min_severity.unwrap_or(Severity::Notice),
        alerts: alerts.unwrap_or_default(),
        timeout_ms: timeout.unwrap_or(TIMEOUT_MS).unsigned_abs(),
        ca_file,
    })
}

fn read_receiver(section: &mut Section<'_, '_>, folder: &Path) -> Option<ReceiverConfig> {
    let kinds = "`alertmanager`, `pagerduty`, `slack`, `webhook` or `stdout`";
    let known = ["alertmanager", "pagerduty", "slack", "webhook", "stdout"];
    let find = |text: &str| known.into_iter().find(|kind| *kind == text);
    let before = section.has("kind");
    let kind = section.parsed("kind", kinds, find);
    if !before {
        section.report(format!("`kind` is missing, expected {kinds}"));
    }
    Some(match kind? {
        "alertmanager" => ReceiverConfig::Alertmanager {
            url: read_place(section, folder, None),
            login: read_login(section, folder),
            resend_ms: section.duration_ms("resend", 1_000..=HOUR_MS).unwrap_or(RESEND_MS),
        },
        "pagerduty" => ReceiverConfig::PagerDuty {
            url: read_place(section, folder, Some(PAGERDUTY_URL)),
            routing_key: read_required(section, folder, &ROUTING_KEY),
        },
        "slack" => {
            ReceiverConfig::Slack { url: Place::Secret(read_required(section, folder, &URL)) }
        }
        "webhook" => ReceiverConfig::Webhook {
            url: read_place(section, folder, None),
            secret: read_secret(section, folder, &SECRET),
            login: read_login(section, folder),
        },
        _ => {
            let json = section.parsed("format", "`text` or `json`", |text| match text {
                "text" => Some(false),
                "json" => Some(true),
                _ => None,
            });
            ReceiverConfig::Stdout { json: json.unwrap_or(false) }
        }
    })
}

const URL: SecretKeys = keys("url", "url_file", "url_env");
const ROUTING_KEY: SecretKeys = keys("routing_key", "routing_key_file", "routing_key_env");
const SECRET: SecretKeys = keys("secret", "secret_file", "secret_env");
const BEARER: SecretKeys = keys("bearer_token", "bearer_token_file", "bearer_token_env");
const PASSWORD: SecretKeys = keys("password", "password_file", "password_env");

fn read_place(section: &mut Section<'_, '_>, folder: &Path, default: Option<&str>) -> Place {
    let is_there = [URL.plain, URL.file, URL.env].iter().any(|key| section.has(key));
    let has_plain = section.has(URL.plain);
    let plain = section.checked(URL.plain, |text| check_url(text).map(|()| text.to_owned()));
    let secret = read_secret(section, folder, &URL);
    if has_plain && secret.is_some() {
        section.report("found `url` and another place of it, expected one of them".to_owned());
    }
    if !is_there && default.is_none() {
        section.report("`url` is missing; `url_file` or `url_env` if it is a secret".to_owned());
    }
    match secret {
        Some(secret) => Place::Secret(secret),
        None => Place::Url(plain.or_else(|| default.map(str::to_owned)).unwrap_or_default()),
    }
}

fn read_login(section: &mut Section<'_, '_>, folder: &Path) -> Login {
    let bearer = read_secret(section, folder, &BEARER);
    let username = section.parsed("username", "a name without `:`", |text| {
        (!text.is_empty() && !text.contains(':')).then(|| text.to_owned())
    });
    let password = read_secret(section, folder, &PASSWORD);
    if bearer.is_some() && (username.is_some() || password.is_some()) {
        section.report("found a bearer token and a user name or password, expected one".to_owned());
    }
    if username.is_some() != password.is_some() {
        section.report(
            "`username` and `password_file` (or `password_env`) belong together; one is missing"
                .to_owned(),
        );
    }
    match (bearer, username, password) {
        (Some(token), ..) => Login::Bearer(token),
        (None, Some(username), Some(password)) => Login::Basic { username, password },
        _ => Login::None,
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
