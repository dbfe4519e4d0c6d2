//! Deterministic random numbers: a failure is repeated by its seed.

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and good enough to choose test cases.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of `from..to`; the bias of the remainder does not matter here.
    pub(crate) fn range(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    /// True in `percent` of all cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.range(0, 100) < percent
    }

    pub(crate) fn choose<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[usize::try_from(self.range(0, choices.len() as u64)).unwrap()]
    }
}

/// The seed of a test: from the environment to repeat a failure, else the given one. Printed, so
/// that a failure shows it.
pub(crate) fn seed(variable: &str, default: u64) -> u64 {
    let seed = number_from_environment(variable).unwrap_or(default);
    println!("seed: {variable}={seed}");
    seed
}

/// A number from the environment; panics when it is there and not a number.
pub(crate) fn number_from_environment(variable: &str) -> Option<u64> {
    let value = std::env::var_os(variable)?;
    Some(value.to_str().and_then(|text| text.parse().ok()).expect("the variable is a number"))
}
