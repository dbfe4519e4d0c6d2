//! Asks for a long time in pieces, so that no answer is too large. Pieces follow each other without a gap, so their
//! sums are those of one answer.

use crate::budget::zone::Zone;
use crate::cli::ask::{AskError, Source};
use crate::cli::failure::Failure;
use crate::daemon::clock;
use crate::model::time::{DAY_MS, UnixMillis};
use crate::query::{Answer, Parameters, Question, Refusal, Step, instant};

/// How many steps are asked for at once at first.
const STEPS: usize = 744;

/// What is asked in pieces.
pub(super) struct Pieces<'s> {
    source: &'s Source,
    /// What is asked of every piece, without times.
    parameters: Parameters,
    step: Step,
    from: UnixMillis,
    to: UnixMillis,
    steps: usize,
}

impl<'s> Pieces<'s> {
    /// Asks for everything in `step`s. Where no beginning or end is named, the steps in which anything was used tell.
    pub(super) fn new(
        source: &'s Source,
        mut parameters: Parameters,
        step: &str,
    ) -> Result<Self, Failure> {
        let question = Question::parse(&parameters, clock::now())?;
        let zone = question.zone.clone();
        let (Some(parsed), Some(_)) = (Step::parse(step, &zone), Zone::named(zone.name())) else {
            return Err(format!("`{step}` is no step").into());
        };
        let (mut from, mut to) = (question.from, question.to);
        let overview = source.ask(&parameters)?;
        to = to.min(overview.of.newest.plus(2 * DAY_MS)).max(from.unwrap_or(UnixMillis(0)));
        if from.is_none() {
            from = first_day(source, &parameters)?;
        }
        parameters.retain(|(name, _)| name != "since" && name != "until");
        parameters.push(("step".to_owned(), step.to_owned()));
        Ok(Self { source, parameters, step: parsed, from: from.unwrap_or(to), to, steps: STEPS })
    }

    /// Returns the first instant of what is left.
    pub(super) fn from(&self) -> UnixMillis {
        self.from
    }

    /// Returns the next piece, or nothing behind the last one.
    pub(super) fn next(&mut self) -> Result<Option<Answer>, Failure> {
        while self.from < self.to {
            let mut end = self.from;
            for _ in 0..self.steps {
                end = self.step.holding(end).end;
            }
            let end = end.min(self.to);
            let mut parameters = self.parameters.clone();
            parameters.push(("since".to_owned(), instant::text(self.from)));
            parameters.push(("until".to_owned(), instant::text(end)));
            match self.source.ask(&parameters) {
                Ok(answer) => {
                    self.from = end;
                    return Ok(Some(answer));
                }
                Err(AskError::Refused(Refusal::TooLarge(_))) if self.steps > 1 => self.steps /= 2,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// Finds the day in which anything was used first. By the quarter is never too much to ask for, nor is a quarter by
/// the day.
fn first_day(source: &Source, parameters: &Parameters) -> Result<Option<UnixMillis>, Failure> {
    let mut parameters: Parameters =
        parameters.iter().filter(|(name, _)| name != "by").cloned().collect();
    let mut first = None;
    for step in ["quarter", "day"] {
        let mut asked = parameters.clone();
        asked.push(("step".to_owned(), step.to_owned()));
        let Some(found) = source.ask(&asked)?.steps.first().map(|step| step.0) else { break };
        first = Some(found);
        parameters.retain(|(name, _)| name != "since" && name != "until");
        parameters.push(("since".to_owned(), instant::text(found)));
        parameters.push(("until".to_owned(), instant::text(found.plus(93 * DAY_MS))));
    }
    Ok(first)
}
