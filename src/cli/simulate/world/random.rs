//! Random numbers that are the same on every machine and in every version.
//!
//! `rand_pcg` promises that (its "reproducibility"), `fastrand` does not; the draws are our own, since
//! the distributions of `rand` may change. `libm` computes logarithms and the like without the
//! system's library, whose last bit differs between systems.
#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "what is drawn is made up, and no amount of money"
)]

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng as _;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

/// The second half of what PCG is started with; any odd constant does.
const STREAM: u128 = 0xa02b_db35_3c0d_4f6b_9d1f_77ac_0e5b_2cc3;

/// A source of random numbers.
pub(super) struct Random(Pcg64);

/// A name from which independent sources are made, one for each number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(u64);

impl Key {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Self(xxh3_64_with_seed(name.as_bytes(), seed))
    }

    /// Returns the source that belongs to a number, for example a minute.
    pub(super) fn at(self, number: i64) -> Random {
        let mut bytes = [0; 16];
        let (key, cell) = bytes.split_at_mut(8);
        key.copy_from_slice(&self.0.to_le_bytes());
        cell.copy_from_slice(&number.to_le_bytes());
        Random(Pcg64::new(xxh3_128(&bytes), STREAM))
    }
}

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a source of its own, so that what draws from it disturbs nothing here.
    pub(super) fn fork(&mut self) -> Self {
        Self(Pcg64::new(u128::from(self.next()), STREAM))
    }

    /// Returns a number of `0.0..1.0`.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Returns a whole number of `0..end`, or 0 if that is empty.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Tells whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Returns one of some choices; nothing of none.
    pub(super) fn choose<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let place = usize::try_from(self.below(choices.len() as u64)).ok()?;
        choices.get(place).copied()
    }

    /// Returns the time to the next of events that come once per unit of time on average.
    pub(super) fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.uniform())
    }

    /// Returns a number of the standard normal distribution (Box and Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.uniform())
    }

    /// Returns a number around a median with a long tail above it.
    pub(super) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * libm::exp(sigma * self.normal())
    }

    /// Returns the bits of a UUID of version 4 (RFC 9562).
    pub(super) fn uuid(&mut self) -> u128 {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        let version = (bits & !(0xf << 76)) | (0x4 << 76);
        (version & !(0x3 << 62)) | (0x2 << 62)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first number was computed by a second implementation (in Python, from the paper). If this fails,
    /// every simulated log of the same seed has changed: say so in the changelog.
    #[test]
    fn the_numbers_of_a_seed_never_change() {
        let mut random = Key::new(7, "chat").at(29_675_520);
        assert_eq!(random.next(), 1_244_117_454_201_459_006);
        assert_eq!(random.lognormal(1000.0, 0.7).to_bits(), 4_663_645_442_227_719_552);
    }

    #[test]
    fn draws_have_the_mean_and_width_that_their_names_say() {
        let mut random = Key::new(1, "mean").at(0);
        let count = 200_000;
        let mean = |draw: &mut dyn FnMut() -> f64| {
            (0..count).map(|_| draw()).sum::<f64>() / f64::from(count)
        };
        for (what, found, expected) in [
            ("uniform", mean(&mut || random.uniform()), 0.5),
            ("exponential", mean(&mut || random.exponential()), 1.0),
            ("normal", mean(&mut || random.normal()), 0.0),
            ("normal squared", mean(&mut || random.normal().powi(2)), 1.0),
            ("log of lognormal", mean(&mut || libm::log(random.lognormal(50.0, 0.5))), 50_f64.ln()),
            ("chance", mean(&mut || f64::from(u8::from(random.chance(0.25)))), 0.25),
        ] {
            assert!((found - expected).abs() < 0.02, "{what}: {found} instead of {expected}");
        }
    }

    proptest! {
        #[test]
        fn numbers_stay_below_their_end(seed: u64, cell: i64, end in 1_u64..) {
            prop_assert!(Key::new(seed, "x").at(cell).below(end) < end);
        }

        #[test]
        fn uuids_have_their_version_and_variant(seed: u64) {
            let id = Key::new(seed, "x").at(0).uuid();
            prop_assert_eq!((id >> 76) & 0xf, 4);
            prop_assert_eq!((id >> 62) & 0x3, 2);
        }
    }
}
