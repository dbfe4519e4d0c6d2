//! Secrets: read from files and the environment, shown to nobody but the receiver.

use std::fmt;
use std::io::Read as _;

use crate::config::route::SecretSource;

/// Largest secret. What is larger is another file by mistake.
const BYTES_MAX: u64 = 16 << 10;
/// What is shown in place of a secret.
pub(super) const MASK: &str = "<secret>";

/// Returns the value of an environment variable, if it is there and is text.
pub type ReadEnvironment = fn(&str) -> Option<String>;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret can't be had. The text never holds it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("can't read {place}; it must exist and be readable by the user that runs tollkeeper")]
    Read {
        /// Where the secret is kept.
        place: SecretSource,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The variable is not there.
    #[error("{place} is not set, or is no text; set it for the process that runs tollkeeper")]
    Missing {
        /// Where the secret is kept.
        place: SecretSource,
    },
    /// It is empty.
    #[error("{place} is empty; put the secret into it, and nothing else")]
    Empty {
        /// Where the secret is kept.
        place: SecretSource,
    },
    /// It can't be a secret that is sent in a header.
    #[error(
        "{place} holds more than one line, or characters that can't be sent; put the secret into it, and nothing else"
    )]
    Unfit {
        /// Where the secret is kept.
        place: SecretSource,
    },
}

impl Secret {
    /// Reads a secret; white space around it does not belong to it.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn read(place: &SecretSource, environment: ReadEnvironment) -> Result<Self, SecretError> {
        let text = match place {
            SecretSource::Env(name) => {
                environment(name).ok_or_else(|| SecretError::Missing { place: place.clone() })?
            }
            SecretSource::File(path) => {
                let mut text = String::new();
                std::fs::File::open(path)
                    .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text))
                    .map_err(|source| SecretError::Read { place: place.clone(), source })?;
                text
            }
        };
        let secret = text.trim();
        if secret.is_empty() {
            return Err(SecretError::Empty { place: place.clone() });
        }
        if secret.chars().any(|c| c.is_control() || !c.is_ascii()) {
            return Err(SecretError::Unfit { place: place.clone() });
        }
        Ok(Self(secret.to_owned()))
    }

    /// Makes a text a secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text, for the receiver only.
    pub(super) fn exposed(&self) -> &str {
        &self.0
    }

    /// Replaces the secret wherever a text holds it.
    pub(super) fn masked_in(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, MASK) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "GOOD" => Some(" s3cr3t\n".to_owned()),
            "EMPTY" => Some("\n".to_owned()),
            "TWO" => Some("s3cr3t\nother".to_owned()),
            _ => None,
        }
    }

    fn read(name: &str) -> Result<Secret, SecretError> {
        Secret::read(&SecretSource::Env(name.to_owned()), environment)
    }

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let secret = read("GOOD").unwrap();
        assert_eq!(secret.exposed(), "s3cr3t");
        assert_eq!(format!("{secret} {secret:?}"), "<secret> <secret>");
        assert_eq!(secret.masked_in("key s3cr3t is wrong"), "key <secret> is wrong");
    }

    #[test]
    fn what_is_no_secret_is_refused_without_showing_it() {
        for (name, text) in [
            ("NONE", "the environment variable `NONE` is not set"),
            ("EMPTY", "the environment variable `EMPTY` is empty"),
            ("TWO", "the environment variable `TWO` holds more than one line"),
        ] {
            let error = read(name).unwrap_err();
            assert!(error.to_string().starts_with(text), "{error}");
            assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
        }
        let place = SecretSource::File("/nonexistent/key".into());
        let error = Secret::read(&place, environment).unwrap_err();
        assert!(error.to_string().starts_with("can't read the file `/nonexistent/key`"), "{error}");
    }
}
