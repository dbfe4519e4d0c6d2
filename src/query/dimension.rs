//! What usage is told apart by: the labels of budgets, and what only reports need.

use crate::budget::scope::{Glob, Label};
use crate::model::series::{ContextBand, SeriesKey};

/// A thing that series differ in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// A label, as budgets have it.
    Label(Label),
    /// How many of the sizes above which some models cost more the input of a call exceeds.
    Context,
}

/// What the values of one dimension have to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The dimension.
    pub dimension: Dimension,
    included: Vec<Pattern>,
    excluded: Vec<Pattern>,
}

/// What a value has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Like(Glob),
    /// This very text: a value that was seen may itself have a `*`.
    Exactly(String),
}

const CONTEXT: &str = "context";
const BANDS: [&str; 6] = ["0", "1", "2", "3", "4", "5"];

impl Dimension {
    /// Returns every dimension with a name of its own.
    pub fn named() -> Vec<Self> {
        let labels = Label::NAMED.into_iter().map(|(_, label)| Self::Label(label));
        labels.chain([Self::Context]).collect()
    }

    /// Returns the dimension with this name; `attr:KEY` is that of a key of the request metadata.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            CONTEXT => Some(Self::Context),
            _ => Label::parse(name).map(Self::Label),
        }
    }

    /// Returns the name that [`Self::parse`] reads.
    pub fn name(&self) -> String {
        match self {
            Self::Label(label) => label.name(),
            Self::Context => CONTEXT.to_owned(),
        }
    }

    /// Returns the value of this dimension; empty for an attribute that the series does not have.
    pub fn of<'k>(&self, key: &'k SeriesKey) -> &'k str {
        match self {
            Self::Label(label) => label.of(key),
            Self::Context => {
                let ContextBand(band) = key.context;
                BANDS.get(usize::from(band)).copied().unwrap_or_default()
            }
        }
    }
}

impl Filter {
    /// Returns a filter that takes every value.
    pub fn new(dimension: Dimension) -> Self {
        Self { dimension, included: Vec::new(), excluded: Vec::new() }
    }

    /// Adds a glob, or behind a `=` a text in which nothing stands for anything else; one that begins with `!`
    /// excludes what it matches.
    pub fn add(&mut self, text: &str) {
        match text.strip_prefix('!') {
            Some(text) => self.excluded.push(Pattern::new(text)),
            None => self.included.push(Pattern::new(text)),
        }
    }

    /// Tells whether a series has a value that is wanted.
    pub fn takes(&self, key: &SeriesKey) -> bool {
        let value = self.dimension.of(key);
        let is_one_of = |all: &[Pattern]| all.iter().any(|pattern| pattern.matches(value));
        (self.included.is_empty() || is_one_of(&self.included)) && !is_one_of(&self.excluded)
    }
}

impl Pattern {
    fn new(text: &str) -> Self {
        match text.strip_prefix('=') {
            Some(text) => Self::Exactly(text.to_owned()),
            None => Self::Like(Glob::new(text)),
        }
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Like(glob) => glob.matches(value),
            Self::Exactly(text) => text == value,
        }
    }
}
