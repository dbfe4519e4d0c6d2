//! The receivers: what each is sent, and what its answers mean. One file for each kind.
//!
//! Everything here is made from an alert as it is told ([`Told`]) and a time; nothing is sent here. Facts
//! about an API stand in its file, with their source.

pub(super) mod alertmanager;
pub(super) mod pagerduty;
pub(super) mod slack;
pub(super) mod stdout;
pub(super) mod webhook;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::message::{Links, Told};
use crate::config::route::Login;
use crate::secret::{ReadEnvironment, Secret, SecretError};

/// A header that logs in, and the secrets in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    header: Option<HeaderValue>,
    /// Everything that must not be shown.
    pub(super) secrets: Vec<Secret>,
}

impl Credentials {
    pub(super) fn read(login: &Login, environment: ReadEnvironment) -> Result<Self, SecretError> {
        let (text, secret) = match login {
            Login::None => return Ok(Self::default()),
            Login::Bearer(source) => {
                let token = Secret::read(source, environment)?;
                (format!("Bearer {}", token.exposed()), token)
            }
            Login::Basic { username, password } => {
                let password = Secret::read(password, environment)?;
                let pair = STANDARD.encode(format!("{username}:{}", password.exposed()));
                (format!("Basic {pair}"), password)
            }
        };
        // A secret is printable ASCII, so this is a header.
        let mut header = HeaderValue::from_str(&text).ok();
        if let Some(header) = &mut header {
            header.set_sensitive(true);
        }
        let encoded = text.split(' ').next_back().unwrap_or_default().to_owned();
        Ok(Self { header, secrets: vec![secret, Secret::new(encoded)] })
    }

    pub(super) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        self.header.iter().map(|header| (AUTHORIZATION, header.clone())).collect()
    }
}

/// Returns bytes as lowercase hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok());
        text
    })
}
