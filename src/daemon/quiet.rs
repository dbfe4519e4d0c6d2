//! Says a thing once and then keeps quiet about it for a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a thing that was said is not said again.
const QUIET: Duration = Duration::from_mins(1);
/// Things remembered; beyond it everything may be said again.
const THINGS_MAX: usize = 4_096;

/// Which things were said lately.
#[derive(Debug)]
pub(super) struct Quiet<K>(BTreeMap<K, Instant>);

impl<K> Default for Quiet<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Quiet<K> {
    /// Tells whether `thing` may be said now, and remembers that it was.
    pub(super) fn may_say(&mut self, thing: K) -> bool {
        if self.0.get(&thing).is_some_and(|last| last.elapsed() < QUIET) {
            return false;
        }
        if self.0.len() >= THINGS_MAX {
            self.0.clear();
        }
        self.0.insert(thing, Instant::now());
        true
    }
}
