//! The price book: dated prices by model, route, region, tier and token class, and the cards that
//! rate a series with them.
//!
//! It may use `model` and `decode`. It must never open a file (callers hand it the text), read a
//! clock, compute with floats, or answer with a price of another model, route or tier: what has no
//! price of its own is unpriced and says why. `book/README.md` tells the format and its sources.

mod book;
mod card;
mod problem;
mod read;
mod resolve;
mod timeline;

#[cfg(test)]
mod tests;

pub(crate) use book::without_context;
pub use book::{Book, BookPart, Hourly, Term, UnitPrice};
pub use card::{Charge, Price, RateCard};
pub use problem::{BookError, BookProblem};
pub use timeline::Validity;
