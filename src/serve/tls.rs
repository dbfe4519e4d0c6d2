//! TLS by rustls: a certificate of ours, and certificates of the clients where they are asked for.
//!
//! The files are looked at with each new connection and read again when they have changed, so a renewed certificate
//! needs no reload. While what is new is wrong, for example half written, the old one stays.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{
    RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version,
};

use super::client_names::ClientNames;
use crate::config::web_file::{ClientAuth, TlsConfig, TlsVersion};

/// Why TLS can't be spoken. No text of it holds a part of a key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file can't be read.
    #[error("can't read the {what} `{}`; correct `{key}`", path.display())]
    Read {
        /// What is in the file.
        what: &'static str,
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("`{}` holds no {what} in PEM that can be used, expected `-----BEGIN {begin}-----`; correct `{key}`", path.display())]
    Wrong {
        /// What should be in the file.
        what: &'static str,
        /// How that begins.
        begin: &'static str,
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Certificate, key and settings do not fit together.
    #[error("the certificate `{}` can't be used with the key and the settings beside it", path.display())]
    Unfit {
        /// The file of the certificate.
        path: PathBuf,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
    /// The authorities of the clients can't be used.
    #[error("the authorities of the clients in `{}` can't be used: {why}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        why: String,
    },
}

/// What is spoken with each new connection.
pub(super) struct Tls {
    config: TlsConfig,
    current: Mutex<Current>,
}

struct Current {
    /// The files as they were before they were read.
    stamps: Vec<Stamp>,
    server: Arc<ServerConfig>,
}

/// What changes when a file does.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

impl Tls {
    pub(super) fn new(config: TlsConfig) -> Result<Self, CertificateError> {
        let stamps = stamps(&config);
        let server = Arc::new(server(&config)?);
        Ok(Self { config, current: Mutex::new(Current { stamps, server }) })
    }

    /// Returns what to speak now.
    pub(super) fn server(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.config);
        if stamps != current.stamps {
            // Also where it fails: what is wrong is told once, and read again when it changes.
            current.stamps = stamps;
            match server(&self.config) {
                Ok(new) => {
                    current.server = Arc::new(new);
                    tracing::info!(file = %self.config.cert_file.display(), "the certificates have changed and were read again");
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, "the certificates have changed and are wrong, the old ones stay");
                }
            }
        }
        Arc::clone(&current.server)
    }

    /// Tells whether every client has shown a good certificate.
    pub(super) fn knows_all_clients(&self) -> bool {
        self.config.client == ClientAuth::Required
    }
}

fn stamps(config: &TlsConfig) -> Vec<Stamp> {
    let files = [Some(&config.cert_file), Some(&config.key_file), config.client_ca_file.as_ref()];
    let stamp = |path: &PathBuf| -> Stamp {
        let data = fs::metadata(path).ok()?;
        Some((data.dev(), data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
    };
    files.into_iter().flatten().map(stamp).collect()
}

fn server(config: &TlsConfig) -> Result<ServerConfig, CertificateError> {
    let unfit = |source| CertificateError::Unfit { path: config.cert_file.clone(), source };
    let provider = Arc::new(provider(config));
    let chain = certificates(&config.cert_file, "certificate", "cert_file")?;
    let key = key(&config.key_file)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions(config))
        .map_err(unfit)?;
    let builder = match verifier(config, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_single_cert(chain, key).map_err(unfit)?;
    server.ignore_client_order = config.server_order;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(server)
}

/// The ciphers and curves of the config, in its order; those of TLS 1.3 can't be chosen.
fn provider(config: &TlsConfig) -> CryptoProvider {
    let all = ring::default_provider();
    let mut provider = all.clone();
    if !config.suites.is_empty() {
        let find =
            |name: &&str| all.cipher_suites.iter().copied().find(|suite| name_of(suite) == **name);
        let is_new = |suite: &&SupportedCipherSuite| suite.tls13().is_some();
        let new = all.cipher_suites.iter().filter(is_new).copied();
        provider.cipher_suites = new.chain(config.suites.iter().filter_map(find)).collect();
    }
    if !config.curves.is_empty() {
        let named = |name: &&str| match *name {
            "CurveP256" => ring::kx_group::SECP256R1,
            "CurveP384" => ring::kx_group::SECP384R1,
            _ => ring::kx_group::X25519,
        };
        provider.kx_groups = config.curves.iter().map(named).collect();
    }
    provider
}

/// The name of a suite, as Go and the registry of IANA write it.
fn name_of(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite())
}

static OLD: [&SupportedProtocolVersion; 1] = [&version::TLS12];
static NEW: [&SupportedProtocolVersion; 1] = [&version::TLS13];
static BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

fn versions(config: &TlsConfig) -> &'static [&'static SupportedProtocolVersion] {
    match (config.min, config.max) {
        (TlsVersion::Tls12, TlsVersion::Tls12) => &OLD,
        (TlsVersion::Tls12, TlsVersion::Tls13) => &BOTH,
        (TlsVersion::Tls13, _) => &NEW,
    }
}

fn verifier(
    config: &TlsConfig,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, CertificateError> {
    let (Some(path), ClientAuth::IfGiven | ClientAuth::Required) =
        (&config.client_ca_file, config.client)
    else {
        return Ok(None);
    };
    let unusable = |why: String| CertificateError::Authorities { path: path.clone(), why };
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(path, "certificate", "client_ca_file")? {
        authorities.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    let builder = match config.client {
        ClientAuth::IfGiven => builder.allow_unauthenticated(),
        ClientAuth::No | ClientAuth::Required => builder,
    };
    let verifier = builder.build().map_err(|error| unusable(error.to_string()))?;
    let names: Vec<ServerName<'static>> = config
        .client_names
        .iter()
        .filter_map(|name| ServerName::try_from(name.clone()).ok())
        .collect();
    if names.is_empty() {
        return Ok(Some(verifier));
    }
    Ok(Some(Arc::new(ClientNames::new(verifier, names))))
}

fn certificates(
    path: &Path,
    what: &'static str,
    key: &'static str,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let bytes = read(path, what, key)?;
    let wrong =
        || CertificateError::Wrong { what, begin: "CERTIFICATE", key, path: path.to_owned() };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or_else(wrong)
}

/// What the library says of a broken key is not passed on: it may quote it.
fn key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let (what, key) = ("private key", "key_file");
    let bytes = read(path, what, key)?;
    let wrong =
        |_| CertificateError::Wrong { what, begin: "PRIVATE KEY", key, path: path.to_owned() };
    PrivateKeyDer::from_pem_slice(&bytes).map_err(wrong)
}

fn read(path: &Path, what: &'static str, key: &'static str) -> Result<Vec<u8>, CertificateError> {
    super::lock::read_bounded(path).map_err(|source| CertificateError::Read {
        what,
        key,
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::web_file::SUITES;

    #[test]
    fn every_suite_that_a_config_may_choose_is_there() {
        let all = ring::default_provider().cipher_suites;
        let old = all.iter().filter(|suite| suite.tls13().is_none()).map(name_of);
        let mut old: Vec<String> = old.collect();
        let mut known = SUITES.map(str::to_owned);
        old.sort();
        known.sort();
        assert_eq!(old, known);
    }
}
