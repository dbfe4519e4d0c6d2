//! What is wrong with a price file, as values with their place in it.
//!
//! Nothing here prints, and nothing here decides what to do about it.

use std::fmt;

/// One mistake in one price file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookProblem {
    /// Name of the file, as the caller gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key, for example `price[3].standard.input`; empty for a mistake of syntax.
    pub key: String,
    /// What was found and what is allowed.
    pub text: String,
}

impl fmt::Display for BookProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, key, text } = self;
        write!(f, "{file}:{line}:{column}: ")?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        f.write_str(text)
    }
}

/// Why the shipped price book can't be used: a file of it is wrong, which is a mistake of the build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the shipped price book has {} mistakes, the first one is `{}`; report this build",
    .problems.len(), FirstOf(.problems)
)]
pub struct BookError {
    /// Every mistake found.
    pub problems: Vec<BookProblem>,
}

struct FirstOf<'p>(&'p [BookProblem]);

impl fmt::Display for FirstOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.first().map_or(Ok(()), |problem| problem.fmt(f))
    }
}
