//! Who asks, and what they may do: users with passwords, bearers of tokens, holders of certificates.
//!
//! Tokens are compared by their signatures under a key that only this process has, so how long it takes
//! tells nothing of them. What the signatures of passwords are for, [`super::password`] says.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{GetAll, HeaderValue};
use ring::hmac;

use super::password::Passwords;
use crate::config::web::Right;
use crate::secret::Secret;

/// How long refused logins are only counted after one was told.
const QUIET: Duration = Duration::from_mins(1);

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// Whether it came in by an address that only this machine has.
    pub(super) is_inside: bool,
    /// Whether a certificate of the client was verified.
    pub(super) has_certificate: bool,
}

/// Why somebody may not even look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// They did not say who they are.
    NoLogin,
    /// They are not who they say.
    WrongLogin,
}

/// Who may come in.
pub(super) struct Access {
    passwords: Passwords,
    /// The right of each user.
    users: BTreeMap<String, Right>,
    tokens: Vec<(hmac::Tag, Right)>,
    key: hmac::Key,
    refused: Mutex<Refused>,
}

/// Logins that were refused and not told.
#[derive(Default)]
struct Refused {
    told: Option<Instant>,
    since: u64,
}

/// What a header says of who asks.
enum Login {
    Token(String),
    Password { user: String, password: String },
}

impl Access {
    /// Lets in the users with these hashes and the bearers of these tokens. `key` is drawn for it.
    pub(super) fn new(
        users: Vec<(String, Secret, Right)>,
        tokens: Vec<(Secret, Right)>,
        key: hmac::Key,
    ) -> Self {
        let sign =
            |(token, right): (Secret, Right)| (hmac::sign(&key, token.exposed().as_bytes()), right);
        let tokens = tokens.into_iter().map(sign).collect();
        let rights = users.iter().map(|(user, _, right)| (user.clone(), *right)).collect();
        let hashes = users.into_iter().map(|(user, hash, _)| (user, hash)).collect();
        let passwords = Passwords::new(hashes, key.clone());
        Self { passwords, users: rights, tokens, key, refused: Mutex::default() }
    }

    /// Tells whether anybody has to log in.
    pub(super) fn asks_for_login(&self) -> bool {
        !self.users.is_empty() || !self.tokens.is_empty()
    }

    /// Returns the ways to log in, as headers say them (RFC 7617, RFC 6750).
    pub(super) fn challenges(&self) -> impl Iterator<Item = &'static str> {
        let basic =
            (!self.users.is_empty()).then_some("Basic realm=\"tollkeeper\", charset=\"UTF-8\"");
        let bearer = (!self.tokens.is_empty()).then_some("Bearer realm=\"tollkeeper\"");
        basic.into_iter().chain(bearer)
    }

    /// Returns what `peer` may do, who sent these headers `Authorization`.
    ///
    /// Where nobody has to log in, everybody may look; more may only who is on this machine or has shown a
    /// good certificate.
    pub(super) async fn right_of(
        &self,
        headers: GetAll<'_, HeaderValue>,
        peer: Peer,
    ) -> Result<Right, Denied> {
        if !self.asks_for_login() {
            let is_trusted = peer.has_certificate || peer.address.to_canonical().is_loopback();
            return Ok(if is_trusted { Right::Admin } else { Right::Read });
        }
        let mut headers = headers.into_iter();
        let Some(header) = headers.next() else { return Err(Denied::NoLogin) };
        let login = read(header).filter(|_| headers.next().is_none());
        let right = match login {
            None => None,
            Some(Login::Token(token)) => self.right_of_token(&token),
            Some(Login::Password { user, password }) => {
                let right = self.users.get(&user).copied();
                self.passwords.is_right(&user, password).await.then_some(right).flatten()
            }
        };
        right.ok_or_else(|| {
            self.tell_refused(peer.address);
            Denied::WrongLogin
        })
    }

    /// Compares with every token, so that the place of the right one does not show.
    fn right_of_token(&self, token: &str) -> Option<Right> {
        let mut found = None;
        for (tag, right) in &self.tokens {
            if hmac::verify(&self.key, token.as_bytes(), tag.as_ref()).is_ok() {
                found = found.max(Some(*right));
            }
        }
        found
    }

    /// Logs a refused login now and then. What was sent as user may be a password, so it is not shown.
    fn tell_refused(&self, address: IpAddr) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.since += 1;
        if refused.told.is_none_or(|told| told.elapsed() >= QUIET) {
            let count = refused.since;
            tracing::warn!(%address, count, "refused a login: wrong user, password or token");
            *refused = Refused { told: Some(Instant::now()), since: 0 };
        }
    }
}

fn read(header: &HeaderValue) -> Option<Login> {
    let (scheme, rest) = header.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Login::Token(rest.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Login::Password { user: user.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
