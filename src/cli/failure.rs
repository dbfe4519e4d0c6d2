//! What a person reads when a command fails, and the exit code.

use std::error::Error;

/// Exit code of everything that went wrong.
const CODE_ERROR: u8 = 2;

/// A command that did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// What happened; its sources are why.
    error: Box<dyn Error + Send + Sync>,
    /// What to do about it.
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// Returns a failure with a hint for the person.
    pub fn with_hint(error: impl Into<Box<dyn Error + Send + Sync>>, hint: &str) -> Self {
        Self { error: error.into(), hint: Some(hint.to_owned()), code: CODE_ERROR }
    }

    /// Returns the failure of a yes-or-no command whose answer is no (exit code 1).
    pub fn no(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { error: error.into(), hint: None, code: 1 }
    }

    /// Returns the exit code: 2 for an error, 1 for the answer no.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Returns the text for stderr, or nothing if only the reader of our output went away.
    pub fn text(&self) -> Option<String> {
        let mut text = format!("error: {}\n", self.error);
        let mut source = self.error.source();
        let mut cause: &dyn Error = &*self.error;
        while let Some(error) = source {
            text.push_str(&format!("  caused by: {error}\n"));
            cause = error;
            source = error.source();
        }
        let io = cause.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe) {
            return None;
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\nhint: {hint}\n"));
        }
        Some(text)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hint: None, code: CODE_ERROR }
    }
}
