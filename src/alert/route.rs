//! A route that is ready to send: its secrets read, its certificates loaded.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{StatusCode, Uri};

use super::client::{Answer, Client, NoAnswer, Outgoing, TlsError};
use super::message::{Links, Told, one_line};
use super::receiver::stdout::{NotWritten, Stdout};
use super::receiver::{Credentials, alertmanager, pagerduty, slack, stdout, webhook};
use super::retry::{AttemptResult, retry_after};
use crate::config::route::{DeliveryConfig, Place, ReceiverConfig, RouteConfig, check_url};
use crate::model::alert::Notice;
use crate::model::time::UnixMillis;
use crate::secret::{ReadEnvironment, Secret, SecretError};

/// Most characters of an answer that are shown.
const EXCERPT_CHARS_MAX: usize = 200;

/// Why a route can't be used. No text of it holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// A secret can't be had.
    #[error("route `{route}`: {source}{}", cause_text(source))]
    Secret {
        /// The route.
        route: String,
        /// Why not.
        source: SecretError,
    },
    /// A secret that should be a URL is none.
    #[error("route `{route}`: the URL in {place} is wrong: {problem}")]
    Url {
        /// The route.
        route: String,
        /// Where it is kept.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Certificates can't be had.
    #[error("route `{route}`: {source}{}", cause_text(source))]
    Tls {
        /// The route.
        route: String,
        /// Why not.
        source: TlsError,
    },
    /// Something that the system must give was refused.
    #[error("route `{route}`: can't start a thread: {source}")]
    Thread {
        /// The route.
        route: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Everything that is wrong with the routes.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines_of(.0))]
pub struct RouteErrors(pub Vec<RouteError>);

/// A route that is ready to send.
#[derive(Debug)]
pub struct Route {
    config: RouteConfig,
    links: Links,
    receiver: Receiver,
}

#[derive(Debug)]
enum Receiver {
    Http(Box<HttpReceiver>),
    Stdout { stdout: Stdout, json: bool },
}

#[derive(Debug)]
struct HttpReceiver {
    client: Client,
    url: Uri,
    protocol: Protocol,
    credentials: Credentials,
    /// Everything that must not be shown.
    secrets: Vec<Secret>,
}

#[derive(Debug)]
enum Protocol {
    Alertmanager { resend_ms: i64 },
    PagerDuty { routing_key: Secret },
    Slack,
    Webhook { secret: Option<Secret> },
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// How.
    pub result: AttemptResult,
    /// What happened and what to do, for a person; without secrets.
    pub text: String,
    /// The pause that the receiver asks for.
    pub pause: Option<Duration>,
}

/// Makes every route of a config ready.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn prepare(
    config: &DeliveryConfig,
    environment: ReadEnvironment,
) -> Result<Vec<Route>, RouteErrors> {
    let links =
        Links { dashboard: config.dashboard_url.clone(), runbook: config.runbook_url.clone() };
    let (mut routes, mut errors) = (Vec::new(), Vec::new());
    for route in &config.routes {
        match Route::new(route, &links, environment) {
            Ok(route) => routes.push(route),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(routes) } else { Err(RouteErrors(errors)) }
}

impl Route {
    /// Makes a route ready.
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn new(
        config: &RouteConfig,
        links: &Links,
        environment: ReadEnvironment,
    ) -> Result<Self, RouteError> {
        let receiver = match &config.receiver {
            ReceiverConfig::Stdout { json } => {
                let thread = |source| RouteError::Thread { route: config.name.clone(), source };
                Receiver::Stdout { stdout: Stdout::start().map_err(thread)?, json: *json }
            }
            _ => Receiver::Http(Box::new(HttpReceiver::new(config, environment)?)),
        };
        Ok(Self { config: config.clone(), links: links.clone(), receiver })
    }

    /// Returns the route's settings.
    pub fn config(&self) -> &RouteConfig {
        &self.config
    }

    /// Returns where it leads, without what may be a secret: scheme, host and port, or `stdout`.
    pub fn target(&self) -> String {
        match &self.receiver {
            Receiver::Stdout { .. } => "stdout".to_owned(),
            Receiver::Http(http) => {
                let scheme = http.url.scheme_str().unwrap_or_default();
                let authority = http.url.authority().map_or("", |authority| authority.as_str());
                format!("{scheme}://{authority}")
            }
        }
    }

    /// Returns how often alerts that fire are sent again, if the receiver wants that.
    pub(super) fn resend(&self) -> Option<Duration> {
        let Receiver::Http(http) = &self.receiver else { return None };
        let Protocol::Alertmanager { resend_ms } = http.protocol else { return None };
        Some(Duration::from_millis(resend_ms.unsigned_abs()))
    }

    /// Sends a notice, once.
    pub async fn send(&self, notice: &Notice, now: UnixMillis) -> Attempt {
        match &self.receiver {
            Receiver::Http(http) => {
                let body = http.body_of(notice, &self.links, now);
                let headers = http.headers_of(notice, &body, now);
                http.exchange(body, headers, now).await
            }
            Receiver::Stdout { stdout, json } => {
                let line = stdout::line(notice, &self.links, *json);
                let timeout = Duration::from_millis(self.config.timeout_ms);
                match stdout.write(line, timeout).await {
                    Ok(()) => Attempt::new(AttemptResult::Delivered, "written".to_owned()),
                    Err(NotWritten::Blocked) => Attempt::new(
                        AttemptResult::Timeout,
                        "nobody reads standard output; see what it is connected to".to_owned(),
                    ),
                    Err(NotWritten::Failed(why)) => Attempt::new(
                        AttemptResult::Network,
                        format!("can't write to standard output: {why}"),
                    ),
                }
            }
        }
    }

    /// Sends alerts that fire again, to a receiver that wants that.
    pub(super) async fn send_again(
        &self,
        alerts: impl IntoIterator<Item = Told<'_>>,
        now: UnixMillis,
    ) -> Option<Attempt> {
        let Receiver::Http(http) = &self.receiver else { return None };
        let Protocol::Alertmanager { resend_ms } = http.protocol else { return None };
        let body = alertmanager::body(alerts, &self.links, now, resend_ms);
        let headers = http.credentials.headers();
        Some(http.exchange(body.to_string().into(), headers, now).await)
    }
}

impl HttpReceiver {
    fn new(config: &RouteConfig, environment: ReadEnvironment) -> Result<Self, RouteError> {
        let route = || config.name.clone();
        let secret_error = |source| RouteError::Secret { route: route(), source };
        let read = |source| Secret::read(source, environment).map_err(secret_error);
        let mut credentials = Credentials::default();
        let mut secrets = Vec::new();
        let (place, protocol) = match &config.receiver {
            ReceiverConfig::Alertmanager { url, login, resend_ms } => {
                credentials = Credentials::read(login, environment).map_err(secret_error)?;
                (Some(url), Protocol::Alertmanager { resend_ms: *resend_ms })
            }
            ReceiverConfig::PagerDuty { url, routing_key } => {
                let routing_key = read(routing_key)?;
                secrets.push(routing_key.clone());
                (Some(url), Protocol::PagerDuty { routing_key })
            }
            ReceiverConfig::Slack { url } => (Some(url), Protocol::Slack),
            ReceiverConfig::Webhook { url, secret, login } => {
                credentials = Credentials::read(login, environment).map_err(secret_error)?;
                let secret = secret.as_ref().map(read).transpose()?;
                secrets.extend(secret.clone());
                (Some(url), Protocol::Webhook { secret })
            }
            ReceiverConfig::Stdout { .. } => (None, Protocol::Slack),
        };
        let is_secret = matches!(place, Some(Place::Secret(_)));
        let (text, place) = match place {
            Some(Place::Url(url)) => (url.clone(), "the config".to_owned()),
            Some(Place::Secret(source)) => {
                let secret = read(source)?;
                secrets.push(secret.clone());
                (secret.exposed().to_owned(), source.to_string())
            }
            None => (String::new(), String::new()),
        };
        let problem = |problem: String| RouteError::Url {
            route: config.name.clone(),
            place: place.clone(),
            problem,
        };
        check_url(&text).map_err(problem)?;
        let text = if matches!(protocol, Protocol::Alertmanager { .. }) {
            let base = text.trim_end_matches('/').trim_end_matches(alertmanager::PATH);
            format!("{base}{}", alertmanager::PATH)
        } else {
            text
        };
        let url: Uri = text.parse().map_err(|_| problem("this is no URL".to_owned()))?;
        // What stands behind the host of a secret URL is the secret; a query may hold a key in any.
        let path = url.path_and_query().map_or("", |path| path.as_str());
        let shown_to_none = if is_secret { path } else { url.query().unwrap_or_default() };
        if shown_to_none.len() > 1 {
            secrets.push(Secret::new(shown_to_none.to_owned()));
        }
        secrets.extend(credentials.secrets.iter().cloned());
        // A secret may be a part of another one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let timeout = Duration::from_millis(config.timeout_ms);
        let client = Client::new(&url, timeout, config.ca_file.as_deref())
            .map_err(|source| RouteError::Tls { route: route(), source })?;
        Ok(Self { client, url, protocol, credentials, secrets })
    }

    fn body_of(&self, notice: &Notice, links: &Links, now: UnixMillis) -> Bytes {
        let told = Told::from(notice);
        let body = match &self.protocol {
            Protocol::Alertmanager { resend_ms } => {
                alertmanager::body([told], links, now, *resend_ms)
            }
            Protocol::PagerDuty { routing_key } => {
                pagerduty::body(&told, &notice.deduplication_key(), routing_key, links)
            }
            Protocol::Slack => slack::body(&told, links),
            Protocol::Webhook { .. } => webhook::body(notice, links),
        };
        body.to_string().into()
    }

    fn headers_of(
        &self,
        notice: &Notice,
        body: &[u8],
        now: UnixMillis,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = self.credentials.headers();
        if let Protocol::Webhook { secret } = &self.protocol {
            headers.extend(webhook::headers(notice, body, secret.as_ref(), now));
        }
        headers
    }

    async fn exchange(
        &self,
        body: Bytes,
        headers: Vec<(HeaderName, HeaderValue)>,
        now: UnixMillis,
    ) -> Attempt {
        let answer = self.client.post(&self.url, Outgoing { headers, body }).await;
        match answer {
            Ok(answer) => self.judge(&answer, now),
            Err(NoAnswer::Timeout) => Attempt::new(
                AttemptResult::Timeout,
                "the receiver did not answer in time; see whether it runs, or raise `timeout`"
                    .to_owned(),
            ),
            Err(NoAnswer::Network(why)) => Attempt::new(
                AttemptResult::Network,
                format!("can't reach the receiver: {}", self.excerpt(&why)),
            ),
        }
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Attempt {
        let mut result = AttemptResult::of_status(answer.status);
        let mut text = answer.status.to_string();
        let excerpt = self.excerpt(&answer.body);
        if !excerpt.is_empty() && result != AttemptResult::Delivered {
            text.push_str(&format!(", `{excerpt}`"));
        }
        if result == AttemptResult::Delivered {
            let is_strange = match self.protocol {
                Protocol::PagerDuty { .. } => !pagerduty::is_taken(&answer.body),
                // Alertmanager answers without a body; sending again does no harm.
                Protocol::Alertmanager { .. } => answer.body.trim_start().starts_with('<'),
                Protocol::Slack | Protocol::Webhook { .. } => false,
            };
            if is_strange {
                result = AttemptResult::InvalidAnswer;
                text.push_str(&format!(
                    ", but `{excerpt}` is no answer of this kind of receiver; see what answers at this \
                     address, a proxy or a login page perhaps"
                ));
            } else if matches!(self.protocol, Protocol::Slack)
                && let Some(oddity) = slack::oddity(&excerpt)
            {
                text.push_str(&format!(", but {oddity}"));
            }
        }
        if result == AttemptResult::Rejected {
            text.push_str(&format!("; {}", self.advice(answer.status)));
        }
        let pause = answer.retry_after.as_deref().filter(|_| result.is_retried());
        Attempt { result, text, pause: pause.and_then(|header| retry_after(header, now)) }
    }

    /// Returns what to do about a status that will not change by itself.
    fn advice(&self, status: StatusCode) -> &'static str {
        match (status.as_u16(), &self.protocol) {
            (300..=399, _) => {
                "the receiver sends us elsewhere, which is not followed since the request holds \
                 secrets; put its new address into `url`"
            }
            (400, Protocol::PagerDuty { .. }) => {
                "see whether the routing key is that of an Events API v2 integration"
            }
            (401 | 403, _) => {
                "the receiver does not accept our credentials; correct them and reload"
            }
            (404 | 410, Protocol::Slack) => {
                "the webhook or its channel is gone; make a new one, and put its URL in place"
            }
            (404 | 405 | 410, _) => "there is no such receiver at this address; correct `url`",
            _ => "the receiver does not understand the alert; see what it logs",
        }
    }

    fn excerpt(&self, text: &str) -> String {
        let masked =
            self.secrets.iter().fold(text.to_owned(), |text, secret| secret.masked_in(&text));
        one_line(&masked, EXCERPT_CHARS_MAX)
    }
}

impl Attempt {
    fn new(result: AttemptResult, text: String) -> Self {
        Self { result, text, pause: None }
    }
}

fn cause_text(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(String::new, |source| format!(": {source}"))
}

fn lines_of(errors: &[RouteError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
