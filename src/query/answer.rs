//! What comes out of a question, as it is shown and as it is sent.

use serde::{Deserialize, Serialize};

use super::instant;
use super::sums::{Dollars, Sums};
use crate::model::money::Usd;
use crate::model::time::UnixMillis;

/// Usage, by what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The first instant, if one was asked for.
    #[serde(with = "optional")]
    pub from: Option<UnixMillis>,
    /// The first instant behind the last one; where none was asked for, that behind everything there is.
    #[serde(with = "instant")]
    pub to: UnixMillis,
    /// The step that was asked for.
    pub step: Option<String>,
    /// The zone whose days, weeks and months those of the question are.
    pub zone: String,
    /// What usage is told apart by.
    pub by: Vec<String>,
    /// The steps in which anything was used, by their first instant, in order.
    pub steps: Vec<Instant>,
    /// The groups, the dearest first.
    pub groups: Vec<Group>,
    /// What is in none of `groups`, since only so many were asked for.
    pub rest: Option<Rest>,
    /// Everything together.
    pub total: Group,
    /// What can't be placed exactly.
    pub doubt: Doubt,
    /// The state of the ledger that this tells.
    pub of: State,
}

/// An instant in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instant(#[serde(with = "instant")] pub UnixMillis);

/// Usage with the same labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The values of what was asked for, in that order.
    pub labels: Vec<String>,
    /// All of it.
    pub sums: Sums,
    /// The same by step, in order; only steps in which there was any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepSums>,
}

/// Usage in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSums {
    /// First instant of the step, or of the part of it that was asked for.
    #[serde(with = "instant")]
    pub start: UnixMillis,
    /// What was used.
    pub sums: Sums,
}

/// The groups that are not told one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// How many they are.
    pub groups: usize,
    /// What was used; it has no labels.
    pub usage: Group,
}

/// What can't be placed exactly, since a row tells only in which hour or day something was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// What is left out, since its row begins before the first instant, though some may be of after it.
    pub early: Share,
    /// What is counted, since its row begins before the end, though some may be of after it.
    pub late: Share,
    /// What is counted where its row begins, though some may be of a later step.
    pub between: Share,
}

/// What is told of usage that can't be placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Calls.
    pub requests: u64,
    /// Tokens of all classes.
    pub tokens: u64,
    /// What is paid, in the form of [`Dollars`].
    #[serde(with = "dollars")]
    pub spent_usd: Usd,
}

/// Which state of the ledger an answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Number of the last commit in it.
    pub commit: u64,
    /// Latest event time in it.
    #[serde(with = "instant")]
    pub newest: UnixMillis,
    /// Start of its first row; 1970 if that is so old that it has no date any more. What was before is not known.
    #[serde(with = "optional")]
    pub oldest: Option<UnixMillis>,
}

impl Share {
    /// Adds usage.
    pub fn add(&mut self, requests: u64, tokens: u64, spent: Usd) {
        self.requests += requests;
        self.tokens += tokens;
        self.spent_usd += spent;
    }

    /// Tells whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Answer {
    /// Returns the groups and the rest, in order.
    pub fn all(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().chain(self.rest.as_ref().map(|rest| &rest.usage))
    }
}

mod optional {
    use super::{Instant, UnixMillis};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[expect(clippy::ref_option, reason = "serde asks it this way")]
    pub(super) fn serialize<S: Serializer>(
        at: &Option<UnixMillis>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Instant).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<UnixMillis>, D::Error> {
        Ok(Option::<Instant>::deserialize(deserializer)?.map(|at| at.0))
    }
}

mod dollars {
    use super::{Dollars, Usd};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(amount: &Usd, serializer: S) -> Result<S::Ok, S::Error> {
        Dollars(*amount).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Usd, D::Error> {
        Ok(Dollars::deserialize(deserializer)?.0)
    }
}
