//! Secrets: where they are kept, read from files and the environment, shown to nobody but the one they
//! are for. A config names them and never holds them.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;

/// Largest secret. What is larger is another file by mistake.
const BYTES_MAX: u64 = 16 << 10;
/// The shortest beginning of a secret that is kept from the end of a text.
const PART_CHARS_MIN: usize = 4;
/// What is shown in place of a secret.
pub(crate) const MASK: &str = "<secret>";

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file; a line feed at its end does not belong to it.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file `{}`", path.display()),
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
        }
    }
}

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
    pub(crate) fn exposed(&self) -> &str {
        &self.0
    }

    /// Replaces the secret wherever a text holds it, also as JSON writes it, and where the text breaks off in
    /// the middle of it.
    pub(crate) fn masked_in(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let mut masked = text.replace(&self.0, MASK);
        let quoted = serde_json::Value::from(self.0.as_str()).to_string();
        masked = masked.replace(quoted.trim_matches('"'), MASK);
        let parts = (PART_CHARS_MIN..self.0.len()).rev().filter_map(|end| self.0.get(..end));
        for part in parts {
            if let Some(kept) = masked.strip_suffix(part) {
                return format!("{kept}{MASK}");
            }
        }
        masked
    }

    /// Returns how long it is.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
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
        for (text, shown) in [
            ("key s3cr3t is wrong", "key <secret> is wrong"),
            ("s3cr3ts3cr3t", "<secret><secret>"),
            ("cut s3cr3", "cut <secret>"),
            ("cut s3c", "cut s3c"),
        ] {
            assert_eq!(secret.masked_in(text), shown);
        }
        let quote = Secret::new("a\"b\\c".to_owned());
        assert_eq!(quote.masked_in(r#"{"key":"a\"b\\c"}"#), r#"{"key":"<secret>"}"#);
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
