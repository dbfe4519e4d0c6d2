//! Asks the daemon that has the ledger open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::AskError;
use crate::alert::connector;
use crate::cli::args::DaemonArgs;
use crate::cli::failure::Failure;
use crate::query::{Answer, Parameters, Refusal};
use crate::serve::usage;

/// Largest answer that is read; the daemon's largest are of some 40 MB.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// The daemon answers within a second or so, unless the disk is slow.
const TIMEOUT: Duration = Duration::from_mins(2);

/// A daemon to ask.
pub(in super::super) struct Remote {
    url: String,
    token: Option<HeaderValue>,
    ca_file: Option<std::path::PathBuf>,
    /// The ledger that it is asked for, where the daemon was not named.
    ledger: Option<String>,
}

/// Returns an address that reaches who listens on `listen`, which may be every address there is.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let local = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(local, listen.port())
}

impl Remote {
    /// Returns the daemon that `args` name, or that of the config.
    pub(in super::super) fn of(args: &DaemonArgs) -> Result<Self, Failure> {
        if let Some(url) = &args.url {
            return Self::new(url, args);
        }
        let config = super::config_or_here(args.config.as_deref())?;
        Self::new(&format!("http://{}", super::listen_of(config.as_ref())), args)
    }

    /// Returns the daemon at `url`, asked as `args` say.
    pub(super) fn new(url: &str, args: &DaemonArgs) -> Result<Self, Failure> {
        let token = args.token_file.as_deref().map(read_token).transpose()?;
        let url = url.trim_end_matches('/').to_owned();
        let is_http = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
        if !url.parse::<Uri>().is_ok_and(|uri| is_http(&uri)) {
            let hint = "for example `http://127.0.0.1:9478`";
            return Err(Failure::with_hint(format!("`{url}` is no URL of a daemon"), hint));
        }
        Ok(Self { url, token, ca_file: args.ca_file.clone(), ledger: None })
    }

    pub(super) fn instead_of(mut self, ledger: &Path) -> Self {
        self.ledger = Some(ledger.display().to_string());
        self
    }

    pub(in super::super) fn ask(&self, parameters: &Parameters) -> Result<Answer, AskError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let url = format!("{}{}?{}", self.url, usage::PATH, query.finish());
        let (status, body) = self.get(&url).map_err(AskError::Failed)?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map_err(|error| {
                AskError::Failed(self.failure(&format!("answers something else: {error}")))
            }),
            StatusCode::BAD_REQUEST => Err(Refusal::Wrong(detail(&body)).into()),
            StatusCode::UNPROCESSABLE_ENTITY => Err(Refusal::TooLarge(detail(&body)).into()),
            status => {
                let text = format!("answers with {status}: {}", detail(&body));
                Err(AskError::Failed(self.failure(&text)))
            }
        }
    }

    /// Reads an answer that is JSON.
    pub(in super::super) fn json(&self, path: &str) -> Result<serde_json::Value, Failure> {
        serde_json::from_str(&self.text(path)?)
            .map_err(|error| self.failure(&format!("answers something else: {error}")))
    }

    /// Reads a page that is text.
    pub(in super::super) fn text(&self, path: &str) -> Result<String, Failure> {
        let (status, body) = self.get(&format!("{}{path}", self.url))?;
        if status == StatusCode::OK {
            return Ok(String::from_utf8_lossy(&body).into_owned());
        }
        Err(self.failure(&format!("answers with {status}: {}", detail(&body))))
    }

    fn get(&self, url: &str) -> Result<(StatusCode, Bytes), Failure> {
        let uri: Uri =
            url.parse().map_err(|error| self.failure(&format!("can't be asked: {error}")))?;
        let connector = connector(&uri, self.ca_file.as_deref())?;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = uri;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(async {
            let work = async {
                let client = Client::builder(TokioExecutor::new()).build(connector);
                let response = client.request(request).await.map_err(|error| {
                    let cause = std::error::Error::source(&error);
                    let cause = cause.map_or_else(String::new, |cause| format!(" ({cause})"));
                    self.failure(&format!("can't be reached: {error}{cause}"))
                })?;
                let status = response.status();
                let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
                let body = body.map_err(|error| self.failure(&format!("broke off: {error}")))?;
                Ok((status, body.to_bytes()))
            };
            tokio::time::timeout(TIMEOUT, work).await.unwrap_or_else(|_| {
                Err(self.failure(&format!("does not answer within {} s", TIMEOUT.as_secs())))
            })
        });
        runtime.shutdown_background();
        result
    }

    fn failure(&self, what: &str) -> Failure {
        let url = &self.url;
        match &self.ledger {
            None => format!("the daemon at `{url}` {what}").into(),
            Some(ledger) => Failure::with_hint(
                format!("the ledger `{ledger}` is in use, and the daemon at `{url}` {what}"),
                "name the daemon that has the ledger with `--url`, or its config with `--config`",
            ),
        }
    }
}

/// Returns what a problem says, or the first line of what is none.
fn detail(body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    let text = detail.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    text.lines().next().unwrap_or("nothing").to_owned()
}

fn read_token(path: &Path) -> Result<HeaderValue, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("can't read the token in `{}`: {error}", path.display()))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim())).map_err(|_| {
        format!("`{}` holds no token: it has characters that no header has", path.display())
    })?;
    value.set_sensitive(true);
    Ok(value)
}
