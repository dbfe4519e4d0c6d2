//! Token counts by class. The classes are a partition: their sum is what was billed.

use serde::{Deserialize, Serialize};

use std::ops::AddAssign;

/// A class of tokens with its own price.
///
/// The order is part of the stored format; new classes go to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum TokenClass {
    /// Input tokens that no cache served or stored.
    Input,
    /// Input tokens read from the prompt cache.
    CacheRead,
    /// Input tokens written to the prompt cache for five minutes.
    CacheWrite5m,
    /// Input tokens written to the prompt cache for one hour.
    CacheWrite1h,
    /// Input tokens written to the prompt cache, for how long is not in the log.
    CacheWriteUnknownTtl,
    /// Output tokens, reasoning included.
    Output,
}

/// How many token classes there are.
pub const TOKEN_CLASSES: usize = 6;

impl TokenClass {
    /// Every class, in stored order.
    pub const ALL: [Self; TOKEN_CLASSES] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::CacheWriteUnknownTtl,
        Self::Output,
    ];

    /// Returns the name used in labels, JSON and price files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::CacheWriteUnknownTtl => "cache_write_unknown_ttl",
            Self::Output => "output",
        }
    }
}

/// One value of type `T` for each token class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ByClass<T>(pub [T; TOKEN_CLASSES]);

impl<T: Copy> ByClass<T> {
    /// Returns the value of one class.
    #[expect(clippy::indexing_slicing, reason = "the array has one place for each variant")]
    pub fn get(&self, class: TokenClass) -> T {
        self.0[class as usize]
    }

    /// Sets the value of one class.
    #[expect(clippy::indexing_slicing, reason = "the array has one place for each variant")]
    pub fn set(&mut self, class: TokenClass, value: T) {
        self.0[class as usize] = value;
    }

    /// Iterates over the classes with their values, in stored order.
    pub fn iter(&self) -> impl Iterator<Item = (TokenClass, T)> + '_ {
        TokenClass::ALL.into_iter().zip(self.0.iter().copied())
    }
}

impl<T: AddAssign + Copy> AddAssign<&Self> for ByClass<T> {
    fn add_assign(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// Token counts of one call or of many.
pub type TokenCounts = ByClass<u64>;

/// The largest count of one class that one call can claim. No model has a context of four billion
/// tokens, and with this bound four billion calls can be summed in a `u64`.
pub const TOKENS_PER_CALL_MAX: u64 = u32::MAX as u64;

impl ByClass<u64> {
    /// Returns the sum over all classes.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns everything that went into the model: all classes but output.
    pub fn total_input(&self) -> u64 {
        self.total() - self.get(TokenClass::Output)
    }
}
