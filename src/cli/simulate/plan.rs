//! From what was typed to a plan that can be carried out. Opens nothing.
#![allow(clippy::float_arithmetic, reason = "multiples of rates, and no amount of money")]

use std::path::PathBuf;

use super::lines::Log;
use super::world::{Incident, Workload, World};
use crate::cli::args::SimulateArgs;
use crate::cli::failure::Failure;
use crate::config::parse_duration_ms;
use crate::model::time::{DAY_MS, HOUR_MS, UnixMillis};

const WEEK_MS: i64 = 7 * DAY_MS;
/// What lies in the past by default.
const PAST_MS: i64 = 4 * WEEK_MS;
/// How long an incident lasts by default in what lies in the past.
const INCIDENT_MS: i64 = HOUR_MS;
/// How soon an incident begins by default when lines are followed.
const INCIDENT_SOON_MS: i64 = 30_000;
/// Who it is by default: that of the story in `examples/incident`.
const CULPRIT: &str = "role/log-summariser:anthropic.claude-v2:1";

/// Everything that was asked for, checked.
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) from: UnixMillis,
    pub(super) to: Option<UnixMillis>,
    pub(super) pace: Pace,
    pub(super) calls_per_minute: f64,
    /// Folder of the logs; nothing for stdout.
    pub(super) dir: Option<PathBuf>,
    pub(super) append: bool,
    pub(super) logs: Vec<Log>,
    pub(super) rotate_bytes: Option<u64>,
    /// File that tells what was written.
    pub(super) truth: Option<PathBuf>,
}

/// When lines are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    AtOnce,
    /// When they are due; the past at once, or so many times as fast as it was.
    Follow {
        speed: Option<f64>,
    },
}

impl Plan {
    /// Checks what was typed; also returns the world that it is about.
    pub(super) fn of(args: &SimulateArgs, now: UnixMillis) -> Result<(Self, World), Failure> {
        let time = |option, text: &Option<String>| {
            text.as_deref().map(|text| parse_time(option, text, now)).transpose()
        };
        let (from, to) = (time("--from", &args.from)?, time("--to", &args.to)?);
        let from = from.unwrap_or(if args.follow { now } else { now.plus(-PAST_MS) });
        let to = to.or((!args.follow).then_some(now));
        if let Some(to) = to.filter(|to| *to <= from) {
            let (from, to) = (from.second_text(), to.second_text());
            return Err(format!("`--from` ({from}) is not before `--to` ({to})").into());
        }
        check("--calls-per-minute", args.calls_per_minute, 0.01, 1_000_000.0)?;
        if let Some(speed) = args.speed {
            check("--speed", speed, 1.0, 1_000_000.0)?;
        }
        let is_stdout = args.out.as_os_str() == "-";
        let rotate_bytes = args.rotate.as_deref().map(parse_size).transpose()?;
        if is_stdout && rotate_bytes.is_some() {
            return Err("`--rotate` needs files; give `--out DIR`".into());
        }
        let dir = (!is_stdout).then(|| args.out.clone());
        let beside = || dir.as_ref().map(|dir| dir.join("truth.json"));
        let mut world = World::new(args.seed, from, args.calls_per_minute);
        if args.incident.is_some() {
            let default = match to {
                Some(to) if !args.follow => to.plus(-INCIDENT_MS),
                _ => now.plus(INCIDENT_SOON_MS),
            };
            let at = time("--incident-at", &args.incident_at)?.unwrap_or(default);
            world.incident = Some(incident(args, &world, at)?);
        }
        let plan = Self {
            seed: args.seed,
            from,
            to,
            pace: if args.follow { Pace::Follow { speed: args.speed } } else { Pace::AtOnce },
            calls_per_minute: args.calls_per_minute,
            truth: args.truth.clone().or_else(beside),
            dir,
            append: args.append,
            logs: args.logs.clone(),
            rotate_bytes,
        };
        Ok((plan, world))
    }

    /// Returns where lines go, for a person.
    pub(super) fn place_text(&self) -> String {
        self.dir.as_ref().map_or_else(|| "stdout".to_owned(), |dir| dir.display().to_string())
    }
}

fn incident(args: &SimulateArgs, world: &World, from: UnixMillis) -> Result<Incident, Failure> {
    check("--incident-calls", args.incident_calls, 1.0, 1_000.0)?;
    check("--incident-input", args.incident_input, 1.0, 100.0)?;
    check("--incident-throttled", args.incident_throttled, 0.0, 0.8)?;
    let lasts = match args.incident_for.as_deref() {
        None => None,
        Some(text) => Some(parse_span(text).filter(|ms| *ms > 0).ok_or_else(|| {
            let text = format!("`{text}` of `--incident-for` is no duration");
            Failure::with_hint(text, "for example `20m` or `2h`")
        })?),
    };
    let times = args.incident_calls * args.incident_input;
    let culprit = match args.culprit.as_deref().unwrap_or(CULPRIT) {
        "random" => world.any_suspect(times).ok_or(
            "with these multiples nobody could double the spend; raise `--incident-calls` or name \
             the culprit",
        )?,
        name => named(&world.workloads, name)?,
    };
    Ok(Incident {
        culprit,
        from,
        to: lasts.map(|ms| from.plus(ms)),
        calls: args.incident_calls,
        input: args.incident_input,
        throttled: args.incident_throttled,
    })
}

/// Returns the place of the workload with this name.
fn named(workloads: &[Workload], name: &str) -> Result<usize, Failure> {
    let place = workloads.iter().position(|workload| full_name(workload) == name);
    place.ok_or_else(|| {
        let mut names: Vec<String> = workloads.iter().map(full_name).collect();
        names.sort();
        let near = names.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
        let hint = format!("did you mean `{}`?", near.map_or("random", String::as_str));
        let error = format!("with this seed there is no `{name}`; there are {}", names.join(", "));
        Failure::with_hint(error, &hint)
    })
}

/// Returns principal and model as `--culprit` takes them.
pub(super) fn full_name(workload: &Workload) -> String {
    format!("{}:{}", workload.principal, workload.model.base)
}

fn check(option: &str, value: f64, min: f64, max: f64) -> Result<(), Failure> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(format!("`{option}` must be between {min} and {max}, and {value} is not").into())
}

/// Reads `now`, `-4w` and `+30s` from `now`, `2026-01-02` (its start in UTC) or RFC 3339.
fn parse_time(option: &str, text: &str, now: UnixMillis) -> Result<UnixMillis, Failure> {
    let relative = || {
        let (sign, span) = match text.split_at_checked(1)? {
            ("-", span) => (-1, span),
            ("+", span) => (1, span),
            _ => return None,
        };
        Some(now.plus(parse_span(span)?.checked_mul(sign)?))
    };
    let day = || UnixMillis::parse_rfc3339(&format!("{text}T00:00:00Z"));
    let at = if text == "now" { Some(now) } else { relative().or_else(day) };
    at.or_else(|| UnixMillis::parse_rfc3339(text)).ok_or_else(|| {
        let hint =
            "for example `now`, `-4w`, `-90m`, `+30s`, `2026-01-02`, or `2026-01-02T03:04:05Z`";
        Failure::with_hint(format!("`{text}` of `{option}` is no time"), hint)
    })
}

/// Reads a duration; weeks too, which a config does not have.
fn parse_span(text: &str) -> Option<i64> {
    match text.strip_suffix('w') {
        Some(weeks) if weeks.bytes().all(|byte| byte.is_ascii_digit()) => {
            weeks.parse::<i64>().ok()?.checked_mul(WEEK_MS)
        }
        _ => parse_duration_ms(text),
    }
}

/// Reads `500000`, `10MB`, `64KiB`.
fn parse_size(text: &str) -> Result<u64, Failure> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("", 1),
    ];
    let size = || {
        let (number, unit) =
            UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
        number.parse::<u64>().ok()?.checked_mul(*unit).filter(|bytes| *bytes > 0)
    };
    size().ok_or_else(|| {
        let text = format!("`{text}` of `--rotate` is no size");
        Failure::with_hint(text, "for example `10MB`, `64KiB` or `500000`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_now_and_from_the_calendar() {
        let now = UnixMillis(1_795_428_000_000);
        for (text, at) in [
            ("now", Some(now)),
            ("-4w", Some(now.plus(-28 * DAY_MS))),
            ("+30s", Some(now.plus(30_000))),
            ("-90m", Some(now.plus(-90 * 60_000))),
            ("2026-11-23", Some(UnixMillis(1_795_392_000_000))),
            ("2026-11-23T12:00:00+02:00", Some(now)),
            ("4w", None),
            ("-", None),
            ("-w", None),
            ("-4x", None),
            ("+-4w", None),
            ("", None),
        ] {
            assert_eq!(parse_time("--from", text, now).ok(), at, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_and_without_unit() {
        for (text, bytes) in [
            ("500", Some(500)),
            ("10MB", Some(10_000_000)),
            ("64KiB", Some(65_536)),
            ("0", None),
            ("MB", None),
            ("1.5MB", None),
            ("-1", None),
        ] {
            assert_eq!(parse_size(text).ok(), bytes, "{text}");
        }
    }
}
