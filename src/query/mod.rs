//! What was used and what it cost, of any time, by any labels: the question, the sums, the answer.
//!
//! [`dimension`] is what usage is told apart by, [`question`] reads what is asked from names and values (a
//! command line or a query string), [`tally`] adds rows up, [`answer`] is what comes out, in the form in which
//! it is sent. Plain functions over plain data: whoever asks brings the rows and the time. It must never
//! round an amount or leave out what it can't place: rows that reach over an edge are told.

pub mod answer;
pub mod dimension;
pub mod instant;
pub mod question;
pub mod remarks;
pub mod step;
pub mod sums;
pub mod tally;
pub mod used;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Group};
pub use dimension::Dimension;
pub use question::{Parameters, Question, Refusal};
pub use step::Step;
pub use sums::Sums;
pub use tally::{SeriesLookup, Tally};
pub use used::Used;
