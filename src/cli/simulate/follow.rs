//! Writes lines when they are due, until they end or a signal comes.
#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a pace, and no amount of money"
)]

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::out::Out;
use super::plan::{Pace, Plan};
use super::stream::Stream;
use super::truth::Truth;
use crate::cli::failure::Failure;
use crate::model::time::UnixMillis;

/// Reads the wall clock.
pub(super) type Clock = fn() -> UnixMillis;

/// Longest sleep without a look at the clock, which somebody may set.
const SLEEP_MS_MAX: u64 = 1_000;

/// When the time of a line is reached.
struct Due {
    /// When following began, and the first instant that is followed.
    began: UnixMillis,
    from: UnixMillis,
    speed: Option<f64>,
}

/// Waits for the end.
struct Stop(Pin<Box<dyn Future<Output = ()>>>);

pub(super) fn follow(
    plan: &Plan,
    stream: &mut Stream,
    out: &mut Out,
    truth: &mut Truth,
    clock: Clock,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stop = Stop::on_signals()?;
        let speed = match plan.pace {
            Pace::Follow { speed } => speed,
            Pace::AtOnce => None,
        };
        let due = Due { began: clock(), from: plan.from, speed };
        while stream.advance() {
            for (line, text) in stream.lines() {
                let at = due.of(line.at);
                if at > clock() {
                    out.flush()?;
                    if stop.comes_before(at, clock).await {
                        return Ok(());
                    }
                }
                out.write(line.log, text)?;
                truth.count(line, text.len());
            }
            if stop.has_come().await {
                return Ok(());
            }
        }
        out.flush()?;
        if let Some(to) = plan.to {
            stop.comes_before(due.of(to), clock).await;
        }
        Ok(())
    })
}

impl Due {
    /// Returns when a line of this time is written: never before its time, so that no line lies in the
    /// future.
    fn of(&self, at: UnixMillis) -> UnixMillis {
        let Some(speed) = self.speed else { return at };
        let since = at.0.saturating_sub(self.from.0);
        at.max(self.began.plus((since as f64 / speed) as i64))
    }
}

impl Stop {
    fn on_signals() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(Self(Box::pin(async move {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
        })))
    }

    /// Waits until `at`; tells whether a signal came before.
    async fn comes_before(&mut self, at: UnixMillis, clock: Clock) -> bool {
        loop {
            let left = at.0.saturating_sub(clock().0);
            let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
                return false;
            };
            let sleep = tokio::time::sleep(Duration::from_millis(left.min(SLEEP_MS_MAX)));
            tokio::select! {
                () = &mut self.0 => return true,
                () = sleep => (),
            }
        }
    }

    /// Tells whether a signal has come, also while much is written without a wait.
    async fn has_come(&mut self) -> bool {
        tokio::select! {
            biased;
            () = &mut self.0 => true,
            () = tokio::task::yield_now() => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_are_due_in_order_and_never_before_their_time(
            speed in proptest::option::of(1.0..10_000.0),
            began in 0_i64..2_000_000_000_000,
            past in 0_i64..10_000_000_000,
            mut times in proptest::collection::vec(0_i64..20_000_000_000, 2..50),
        ) {
            times.sort_unstable();
            let from = UnixMillis(began - past);
            let due = Due { began: UnixMillis(began), from, speed };
            let dues: Vec<UnixMillis> = times.iter().map(|at| due.of(from.plus(*at))).collect();
            prop_assert!(dues.is_sorted());
            prop_assert!(times.iter().zip(&dues).all(|(at, due)| from.plus(*at) <= *due));
        }
    }

    #[test]
    fn a_replay_of_an_hour_at_sixty_times_its_speed_meets_the_present_soon_after_a_minute() {
        let began = UnixMillis(1_795_428_000_000);
        let from = began.plus(-3_600_000);
        let due = Due { began, from, speed: Some(60.0) };
        assert_eq!(due.of(from), began);
        assert_eq!(due.of(began), began.plus(60_000));
        assert_eq!(due.of(began.plus(62_000)), began.plus(62_000));
        assert_eq!(Due { speed: None, ..due }.of(from), from);
    }
}
