//! What a record has to be like to be found.

use glob::Pattern;

use crate::cli::args::FindArgs;
use crate::cli::failure::Failure;
use crate::config::parse_duration_ms;
use crate::ledger::batch::{Entry, Group};
use crate::ledger::meter::{CallSight, Sight, SignalSight};
use crate::model::money::Usd;
use crate::model::names::Outcome;
use crate::model::time::UnixMillis;
use crate::model::tokens::{ByClass, TokenCounts};

/// Everything that was asked for; a record has to fit all of it.
#[derive(Debug)]
pub(super) struct Criteria {
    request_id: Option<String>,
    models: Vec<Pattern>,
    principals: Vec<Pattern>,
    outcomes: Vec<Outcome>,
    since: Option<UnixMillis>,
    until: Option<UnixMillis>,
    over: Option<Usd>,
}

/// Whether a record fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fits,
    Differs,
    /// It fits but for its dollars, which are not more than asked for as far as they are known.
    CostUnknown,
}

/// Which groups of a batch have the names asked for: globs are matched once a group.
#[derive(Debug, Default)]
pub(super) struct Memo(Vec<Option<bool>>);

impl Criteria {
    /// Reads the criteria; also returns the names that are files.
    ///
    /// Without any option that says what to look for, the first name is a request id.
    pub(super) fn of(args: &FindArgs, now: UnixMillis) -> Result<(Self, &[String]), Failure> {
        let time = |option, text: &Option<String>| {
            text.as_deref().map(|text| parse_time(option, text, now)).transpose()
        };
        let mut criteria = Self {
            request_id: args.request_id.clone(),
            models: patterns("--model", &args.model)?,
            principals: patterns("--principal", &args.principal)?,
            outcomes: args
                .outcome
                .iter()
                .map(|name| parse_outcome(name))
                .collect::<Result<_, _>>()?,
            since: time("--since", &args.since)?,
            until: time("--until", &args.until)?,
            over: args.over_usd.as_deref().map(parse_usd).transpose()?,
        };
        if let (Some(since), Some(until)) = (criteria.since, criteria.until)
            && since >= until
        {
            let (since, until) = (since.second_text(), until.second_text());
            return Err(format!("`--since` ({since}) is not before `--until` ({until})").into());
        }
        let mut files = args.names.as_slice();
        if criteria.is_empty() {
            let Some((id, rest)) = files.split_first() else {
                let text = "there is nothing to look for; give a request id, `--model`, `--principal`, \
                            `--outcome`, `--since`, `--until` or `--over-usd`";
                return Err(text.into());
            };
            criteria.request_id = Some(id.clone());
            files = rest;
        }
        Ok((criteria, files))
    }

    fn is_empty(&self) -> bool {
        let Self { request_id, models, principals, outcomes, since, until, over } = self;
        request_id.is_none()
            && models.is_empty()
            && principals.is_empty()
            && outcomes.is_empty()
            && since.is_none()
            && until.is_none()
            && over.is_none()
    }

    /// Judges one record; `memo` is of the batch that the record is in.
    pub(super) fn judge(&self, sight: &Sight<'_>, memo: &mut Memo) -> Verdict {
        match sight {
            Sight::Call(call) => self.judge_call(call, memo),
            Sight::Signal(signal) if self.fits_signal(signal) => Verdict::Fits,
            Sight::Signal(_) => Verdict::Differs,
        }
    }

    /// Tells whether something fits that happened; what only measures never does, nor has it a cost.
    fn fits_signal(&self, sight: &SignalSight<'_>) -> bool {
        let record = sight.record;
        if record.outcome.is_none() && record.request_id.is_none() {
            return false;
        }
        let at = record.at.unwrap_or(UnixMillis::UNKNOWN);
        let any = |patterns: &[Pattern], name: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name))
        };
        self.over.is_none()
            && (self.request_id.is_none()
                || self.request_id.as_deref() == record.request_id.as_deref())
            && (self.outcomes.is_empty()
                || record.outcome.is_some_and(|outcome| self.outcomes.contains(&outcome)))
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && any(&self.models, sight.model)
            && any(&self.principals, sight.principal)
    }

    fn judge_call(&self, sight: &CallSight<'_>, memo: &mut Memo) -> Verdict {
        let entry = sight.entry;
        let fits = self.request_id.as_deref().is_none_or(|id| sight.request_id == Some(id))
            && (self.outcomes.is_empty() || self.outcomes.contains(&entry.outcome))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
            && memo.fits(entry.group, || self.names_fit(sight.group));
        if !fits {
            return Verdict::Differs;
        }
        let Some(over) = self.over else { return Verdict::Fits };
        let charge = sight.group.card.charge(&tokens_of(entry));
        if charge.total() > over {
            Verdict::Fits
        } else if charge.unpriced.total() > 0 {
            Verdict::CostUnknown
        } else {
            Verdict::Differs
        }
    }

    fn names_fit(&self, group: &Group) -> bool {
        let any = |patterns: &[Pattern], names: &[&str]| {
            patterns.is_empty()
                || patterns.iter().any(|pattern| names.iter().any(|name| pattern.matches(name)))
        };
        any(&self.models, &[&group.series.model, &group.model_id])
            && any(&self.principals, &[&group.series.principal])
    }
}

impl Memo {
    fn fits(&mut self, group: u32, judge: impl FnOnce() -> bool) -> bool {
        let Ok(place) = usize::try_from(group) else { return judge() };
        if place >= self.0.len() {
            self.0.resize(place.saturating_add(1), None);
        }
        match self.0.get_mut(place) {
            Some(known) => *known.get_or_insert_with(judge),
            None => judge(),
        }
    }
}

/// Returns the tokens of an entry in the width that rate cards take.
pub(super) fn tokens_of(entry: &Entry) -> TokenCounts {
    ByClass(entry.tokens.0.map(u64::from))
}

fn patterns(option: &str, globs: &[String]) -> Result<Vec<Pattern>, Failure> {
    globs
        .iter()
        .map(|text| {
            Pattern::new(text)
                .map_err(|error| format!("`{text}` of `{option}` is no glob: {error}").into())
        })
        .collect()
}

fn parse_outcome(text: &str) -> Result<Outcome, Failure> {
    Outcome::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
        let near = names.iter().min_by_key(|name| strsim::damerau_levenshtein(name, text));
        let error = format!("there is no outcome `{text}`; known are {}", names.join(", "));
        Failure::with_hint(error, &format!("did you mean `{}`?", near.unwrap_or(&"ok")))
    })
}

fn parse_usd(text: &str) -> Result<Usd, Failure> {
    Usd::parse_exact(text).map_err(|error| {
        format!("`{text}` of `--over-usd` is no amount of dollars: {error}").into()
    })
}

/// Reads `2h` (before `now`), `2026-01-02` (its start in UTC) or an RFC 3339 instant.
pub(in crate::cli) fn parse_time(
    option: &str,
    text: &str,
    now: UnixMillis,
) -> Result<UnixMillis, Failure> {
    let before = || Some(now.plus(parse_duration_ms(text)?.saturating_neg()));
    let day = || UnixMillis::parse_rfc3339(&format!("{text}T00:00:00Z"));
    before().or_else(day).or_else(|| UnixMillis::parse_rfc3339(text)).ok_or_else(|| {
        let hint = "for example `90m`, `2h` or `7d` ago, `2026-01-02`, or `2026-01-02T03:04:05Z`";
        Failure::with_hint(format!("`{text}` of `{option}` is no time"), hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_ages_days_and_instants() {
        let now = UnixMillis(1_795_428_000_000);
        for (text, at) in [
            ("2h", Some(now.plus(-7_200_000))),
            ("0s", Some(now)),
            ("2026-11-23", Some(UnixMillis(1_795_392_000_000))),
            ("2026-11-23T12:00:00+02:00", Some(now)),
            ("yesterday", None),
            ("2026-13-01", None),
            ("-2h", None),
            ("", None),
        ] {
            assert_eq!(parse_time("--since", text, now).ok(), at, "{text}");
        }
    }
}
