//! How often a workload calls over the hours of a week: a curve whose mean is one.
#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a rate is made up, and no amount of money"
)]

use super::cast::Rhythm;

const MINUTES_PER_HOUR: i64 = 60;
pub(super) const MINUTES_PER_DAY: i64 = 24 * MINUTES_PER_HOUR;
pub(super) const MINUTES_PER_WEEK: i64 = 7 * MINUTES_PER_DAY;
/// 1970-01-01 was a Thursday, three days behind a Monday.
const DAYS_BEHIND_MONDAY: i64 = 3;
/// How narrow the peak of the day is.
const PEAK_SHARPNESS: f64 = 2.2;
/// What an hourly job does between its runs, as a part of what it does in them.
const BETWEEN_RUNS: f64 = 0.01;

/// The curve of one workload.
pub(super) struct Shape {
    /// The rate in each minute of a day that is no weekend, as its local clock shows it.
    day: Vec<f64>,
    weekend: f64,
    minutes_from_utc: i64,
}

impl Shape {
    /// Returns the curve of a rhythm. `start` is the hour of the peak, or of a nightly run, or, as a part
    /// of an hour, when an hourly run starts; local time is so many hours from UTC.
    pub(super) fn new(rhythm: Rhythm, start: f64, hours_from_utc: f64) -> Self {
        let weekend = match rhythm {
            Rhythm::People { weekend, .. } => weekend,
            Rhythm::Hourly { .. } | Rhythm::Nightly { .. } => 1.0,
        };
        let mut day: Vec<f64> =
            (0..MINUTES_PER_DAY).map(|minute| relative(rhythm, start, minute)).collect();
        let week = day.iter().sum::<f64>() * (5.0 + 2.0 * weekend);
        let scale = MINUTES_PER_WEEK as f64 / week;
        for rate in &mut day {
            *rate *= scale;
        }
        let minutes_from_utc = (hours_from_utc * MINUTES_PER_HOUR as f64) as i64;
        Self { day, weekend, minutes_from_utc }
    }

    /// Returns the rate in a minute since 1970, relative to the mean of the week.
    pub(super) fn at(&self, minute: i64) -> f64 {
        let local = minute + self.minutes_from_utc;
        let of_day = usize::try_from(local.rem_euclid(MINUTES_PER_DAY)).unwrap_or(0);
        let weekday = (local.div_euclid(MINUTES_PER_DAY) + DAYS_BEHIND_MONDAY).rem_euclid(7);
        let weekend = if weekday >= 5 { self.weekend } else { 1.0 };
        self.day.get(of_day).copied().unwrap_or(0.0) * weekend
    }
}

fn relative(rhythm: Rhythm, start: f64, minute: i64) -> f64 {
    match rhythm {
        Rhythm::People { night, .. } => {
            let turn = (minute as f64 / MINUTES_PER_HOUR as f64 - start) / 24.0;
            let peak =
                libm::exp(PEAK_SHARPNESS * (libm::cos(2.0 * std::f64::consts::PI * turn) - 1.0));
            night + (1.0 - night) * peak
        }
        Rhythm::Hourly { minutes } => {
            let first = (start * MINUTES_PER_HOUR as f64) as i64;
            let since = (minute - first).rem_euclid(MINUTES_PER_HOUR);
            if since < minutes { 1.0 } else { BETWEEN_RUNS }
        }
        Rhythm::Nightly { minutes } => {
            let first = (start * MINUTES_PER_HOUR as f64) as i64;
            let since = (minute - first).rem_euclid(MINUTES_PER_DAY);
            if since < minutes { 1.0 } else { 0.0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-23 is a Monday.
    const MONDAY: i64 = 1_795_392_000 / 60;

    fn any_rhythm() -> impl Strategy<Value = Rhythm> {
        prop_oneof![
            (0.01..1.0, 0.05..1.5).prop_map(|(night, weekend)| Rhythm::People { night, weekend }),
            (1_i64..30).prop_map(|minutes| Rhythm::Hourly { minutes }),
            (1_i64..200).prop_map(|minutes| Rhythm::Nightly { minutes }),
        ]
    }

    proptest! {
        #[test]
        fn the_mean_of_every_week_is_one(
            rhythm in any_rhythm(),
            start in 0.0..24.0,
            hours in -12_i32..14,
            week in -10_i64..10,
        ) {
            let shape = Shape::new(rhythm, start, f64::from(hours));
            let from = MONDAY + week * MINUTES_PER_WEEK;
            let rates = (from..from + MINUTES_PER_WEEK).map(|minute| shape.at(minute));
            prop_assert!(rates.clone().all(|rate| rate >= 0.0));
            let mean = rates.sum::<f64>() / MINUTES_PER_WEEK as f64;
            prop_assert!((mean - 1.0).abs() < 1e-9, "{}", mean);
        }
    }

    #[test]
    fn people_call_by_day_and_on_working_days_of_their_own_clock() {
        let rhythm = Rhythm::People { night: 0.1, weekend: 0.5 };
        let shape = Shape::new(rhythm, 14.0, -5.0);
        let (peak, night) = (MONDAY + 19 * 60, MONDAY + 7 * 60);
        assert!(shape.at(peak) > 6.0 * shape.at(night));
        let saturday = peak + 5 * MINUTES_PER_DAY;
        assert!((shape.at(saturday) - shape.at(peak) / 2.0).abs() < 1e-9);
    }

    #[test]
    fn jobs_run_when_they_are_due() {
        let hourly = Shape::new(Rhythm::Hourly { minutes: 5 }, 0.5, 1.0);
        assert!(hourly.at(MONDAY + 30) > 50.0 * hourly.at(MONDAY + 29));
        let nightly = Shape::new(Rhythm::Nightly { minutes: 60 }, 2.0, 0.0);
        assert!(nightly.at(MONDAY + 150) > 20.0);
        assert!(nightly.at(MONDAY + 180) == 0.0);
    }
}
