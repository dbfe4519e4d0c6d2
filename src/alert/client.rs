//! One HTTP request and its answer, within a time and within a size.
//!
//! No proxy is taken from the environment, no redirect is followed, and no connection is kept: alerts are
//! rare, and a kept connection is one that may have died meanwhile.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const AGENT: &str = concat!("tollkeeper/", env!("CARGO_PKG_VERSION"));

/// Why receivers with TLS can't be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file can't be read.
    #[error("can't read the certificates in `{}`; correct `ca_file`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("`{}` holds no certificate that can be used ({why}); `ca_file` wants PEM, `-----BEGIN CERTIFICATE-----`", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The system knows no authority.
    #[error(
        "this system has no certificates of authorities; install `ca-certificates`, or name a file with `ca_file`"
    )]
    NoAuthorities,
    /// The library refused its own defaults.
    #[error("can't set up TLS")]
    Setup(#[from] rustls::Error),
}

/// Makes requests to one receiver.
#[derive(Clone, Debug)]
pub(super) struct Client {
    hyper: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

/// What is sent with POST.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<String>,
    /// The first part of the body.
    pub(super) body: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It took too long.
    Timeout,
    /// There was no connection, or it broke.
    Network(String),
}

impl Client {
    /// Returns a client for `url` that trusts the authorities in `ca_file`, or those of the system.
    pub(super) fn new(
        url: &Uri,
        timeout: Duration,
        ca_file: Option<&Path>,
    ) -> Result<Self, TlsError> {
        let connector = connector(url, ca_file)?;
        let hyper =
            HyperClient::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { hyper, timeout })
    }

    /// Posts, and reads the answer.
    pub(super) async fn post(&self, url: &Uri, outgoing: Outgoing) -> Result<Answer, NoAnswer> {
        let deadline = Instant::now() + self.timeout;
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in outgoing.headers {
            headers.insert(name, value);
        }
        match timeout_at(deadline, self.hyper.request(request)).await {
            Err(_) => Err(NoAnswer::Timeout),
            Ok(Err(error)) => Err(NoAnswer::Network(chain_text(&error))),
            Ok(Ok(response)) => Ok(read(response, deadline).await),
        }
    }
}

/// Returns what connects to `url` and trusts the authorities in `ca_file`, or those of the system.
///
/// # Errors
/// See [`TlsError`].
pub fn connector(
    url: &Uri,
    ca_file: Option<&Path>,
) -> Result<HttpsConnector<HttpConnector>, TlsError> {
    let authorities = match ca_file {
        Some(path) => authorities_of(path)?,
        // What is not needed need not be there.
        None if url.scheme_str() == Some("http") => RootCertStore::empty(),
        None => authorities_of_system()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http))
}

/// Reads the beginning of the body. The status has been said by then, so a body that breaks off or
/// comes too slowly is taken as far as it came.
async fn read(response: Response<Incoming>, deadline: Instant) -> Answer {
    let status = response.status();
    let header = response.headers().get(RETRY_AFTER);
    let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES_MAX {
        let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await else { break };
        if let Some(data) = frame.data_ref() {
            let room = ANSWER_BYTES_MAX - bytes.len();
            bytes.extend_from_slice(data.get(..room).unwrap_or(data));
        }
    }
    Answer { status, retry_after, body: String::from_utf8_lossy(&bytes).into_owned() }
}

fn authorities_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let no_certificate = |why: String| TlsError::NoCertificate { path: path.to_owned(), why };
    let bytes =
        std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| no_certificate(error.to_string()))?;
        store.add(certificate).map_err(|error| no_certificate(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(no_certificate("nothing that begins like one".to_owned()));
    }
    Ok(store)
}

fn authorities_of_system() -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    // Some system's lists hold certificates that rustls can't read; the others are enough.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() { Err(TlsError::NoAuthorities) } else { Ok(store) }
}

/// Returns an error and its causes on one line.
fn chain_text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
