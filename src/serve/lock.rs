//! What a config says of who may come in, with its files read: certificates, users, tokens, headers.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyper::header::{HeaderName, HeaderValue};
use ring::hmac;
use ring::rand::SystemRandom;

use super::access::Access;
use super::tls::{CertificateError, Tls};
use crate::config::Problems;
use crate::config::web::{Right, WebConfig};
use crate::config::web_file::WebFile;
use crate::secret::{ReadEnvironment, Secret, SecretError};

/// Largest file of users or certificates. What is larger is another file by mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why the doors can't be locked as the config says.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file of certificates and users can't be read.
    #[error("can't read the web config file `{}`; correct `[web] config_file`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is wrong.
    #[error("the web config file is wrong in {} place{}\n{problems}", problems.0.len(), if problems.0.len() == 1 { "" } else { "s" })]
    Wrong {
        /// Every mistake.
        problems: Problems,
    },
    /// An admin is no user.
    #[error("`[web] admin_users` names `{user}`, who is not in `basic_auth_users` of `{}`", path.display())]
    NoSuchUser {
        /// The user.
        user: String,
        /// The file of users.
        path: PathBuf,
    },
    /// A token can't be had.
    #[error("the token `{name}` can't be had")]
    Token {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: SecretError,
    },
    /// TLS can't be spoken.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The system gives no randomness.
    #[error("the system gives no random numbers; nobody could log in safely")]
    NoRandomness,
}

/// Who may come in, and how.
pub struct Lock {
    tls: Option<Tls>,
    access: Access,
    host_names: Vec<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Lock {
    /// Reads everything that `config` names.
    ///
    /// # Errors
    /// See [`LockError`]; no text of it holds a secret.
    pub fn new(config: &WebConfig, environment: ReadEnvironment) -> Result<Self, LockError> {
        let file = read_file(config)?;
        let right_of = |user: &String| {
            if config.admin_users.contains(user) { Right::Admin } else { Right::Read }
        };
        let users = file.users.into_iter().map(|(user, hash)| {
            let right = right_of(&user);
            (user, hash, right)
        });
        let mut tokens = Vec::new();
        for token in &config.tokens {
            let secret = Secret::read(&token.secret, environment)
                .map_err(|source| LockError::Token { name: token.name.clone(), source })?;
            tokens.push((secret, token.right));
        }
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| LockError::NoRandomness)?;
        let header = |(name, text): (&str, String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(text).ok()?))
        };
        Ok(Self {
            tls: file.tls.map(Tls::new).transpose()?,
            access: Access::new(users.collect(), tokens, key),
            host_names: config.host_names.clone(),
            headers: file.headers.into_iter().filter_map(header).collect(),
        })
    }

    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// The names by which we are reached, in lowercase.
    pub(super) fn host_names(&self) -> &[String] {
        &self.host_names
    }

    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// Returns the line that tells a person where to look.
    pub fn listening_text(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("listening on {scheme}://{address}, opening the ledger")
    }

    /// Returns what a person should know who lets others reach `address`.
    pub fn warning(&self, address: SocketAddr) -> Option<String> {
        if address.ip().to_canonical().is_loopback() {
            return None;
        }
        let is_known =
            self.access.asks_for_login() || self.tls.as_ref().is_some_and(Tls::knows_all_clients);
        let what = match (is_known, self.tls.is_some()) {
            (true, true) => return None,
            (true, false) => "passwords and tokens travel as plain text",
            (false, true) => "everybody who reaches it can see who spends what",
            (false, false) => {
                "everybody who reaches it, or listens on the way, can see who spends what"
            }
        };
        Some(format!(
            "{address} can be reached from other machines, and {what}; set `[web] config_file` with \
             `tls_server_config` and `basic_auth_users` (see \"Doors\" in README.md), or listen on 127.0.0.1"
        ))
    }
}

/// Reads and checks the file of certificates and users, without what it names.
///
/// # Errors
/// See [`LockError`].
pub fn read_file(config: &WebConfig) -> Result<WebFile, LockError> {
    let Some(path) = &config.file else { return Ok(WebFile::default()) };
    let read = |source| LockError::Read { path: path.clone(), source };
    let bytes = read_bounded(path).map_err(read)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| read(io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text")))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let file = WebFile::parse(&path.display().to_string(), &text, folder)
        .map_err(|problems| LockError::Wrong { problems })?;
    match config.admin_users.iter().find(|user| !file.users.contains_key(*user)) {
        None => Ok(file),
        Some(user) => Err(LockError::NoSuchUser { user: user.clone(), path: path.clone() }),
    }
}

/// Reads a file that is not large.
pub(super) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let why = format!("it is larger than {} MiB, so it is another file", FILE_BYTES_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}
