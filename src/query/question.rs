//! What is asked, read from names and values. A command line and a query string are both that, so they mean
//! the same.

use jiff::civil::Date;

use super::dimension::{Dimension, Filter};
use super::step::{CALENDAR, Step};
use crate::budget::zone::Zone;
use crate::model::series::SeriesKey;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// Names with their values; a name may come more than once.
pub type Parameters = Vec<(String, String)>;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The first instant; everything from the beginning on if there is none.
    pub from: Option<UnixMillis>,
    /// The first instant behind the last one.
    pub to: UnixMillis,
    /// The pieces of time to tell it by, and their name.
    pub step: Option<(String, Step)>,
    /// Whose days, weeks and months are meant.
    pub zone: Zone,
    /// What to tell usage apart by; [`None`] by everything that series differ in.
    pub by: Option<Vec<Dimension>>,
    /// Which series are meant.
    pub filters: Vec<Filter>,
    /// How many groups to tell one by one; the rest is told together.
    pub top: Option<usize>,
}

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It makes no sense.
    #[error("{0}")]
    Wrong(String),
    /// The answer would be too large.
    #[error("{0}")]
    TooLarge(String),
}

/// Most parameters of a question, globs included.
const PARAMETERS_MAX: usize = 200;
/// Most characters of a value; labels have 128 at most.
const VALUE_CHARS_MAX: usize = 1_000;
/// The value of `by` that stands for everything that series differ in.
pub const EVERYTHING: &str = "*";
/// Before this nothing can have been; records are of 2000 at the earliest.
const FIRST: UnixMillis = UnixMillis(0);
/// Behind every record, which are of 2200 at the latest.
const LAST: UnixMillis = UnixMillis(7_258_118_400_000);
const AGES: [(&str, i64); 5] =
    [("s", 1_000), ("m", MINUTE_MS), ("h", HOUR_MS), ("d", DAY_MS), ("w", 7 * DAY_MS)];

impl Question {
    /// Reads a question that is asked at `now`.
    ///
    /// # Errors
    /// Says which parameter is wrong and what is expected.
    pub fn parse(parameters: &[(String, String)], now: UnixMillis) -> Result<Self, Refusal> {
        if parameters.len() > PARAMETERS_MAX {
            return Err(wrong(format!("there are more than {PARAMETERS_MAX} parameters")));
        }
        for (name, value) in parameters {
            let longest = name.chars().count().max(value.chars().count());
            if longest > VALUE_CHARS_MAX {
                return Err(wrong(format!(
                    "a parameter has more than {VALUE_CHARS_MAX} characters"
                )));
            }
        }
        let zone = match single(parameters, "zone")? {
            None => Zone::UTC,
            Some(name) => Zone::named(name).ok_or_else(|| {
                wrong(format!("`zone`: there is no time zone `{name}`; take one of the IANA database, for example `Europe/Berlin`"))
            })?,
        };
        let time = |name| {
            match single(parameters, name)? {
            None => Ok(None),
            Some(text) => parse_time(text, &zone, now)
                .map(Some)
                .ok_or_else(|| wrong(format!("`{name}`: `{text}` is no time; expected an age as `7d` or `12h`, a month `2026-11`, a day `2026-11-23`, or `2026-11-23T10:00:00Z`"))),
        }
        };
        let (from, until) = (time("since")?, time("until")?);
        let to = until.unwrap_or(LAST);
        if let Some(from) = from.filter(|from| *from >= to) {
            let (from, to) = (from.second_text(), to.second_text());
            return Err(wrong(format!("`since` ({from}) is not before `until` ({to})")));
        }
        let step = match single(parameters, "step")? {
            None => None,
            Some(text) => {
                let step = Step::parse(text, &zone).ok_or_else(|| {
                    let named = CALENDAR.join("`, `");
                    wrong(format!("`step`: `{text}` is no step; expected `minute`, `{named}`, or whole minutes, hours or days as `15m` or `6h`"))
                })?;
                Some((text.to_owned(), step))
            }
        };
        let top = match single(parameters, "top")? {
            None => None,
            Some(text) => Some(
                text.parse()
                    .ok()
                    .filter(|top| *top > 0)
                    .ok_or_else(|| wrong(format!("`top`: `{text}` is no number from 1 on")))?,
            ),
        };
        let (by, filters) = (parse_by(parameters)?, parse_filters(parameters)?);
        Ok(Self { from, to, step, zone, by, filters, top })
    }

    /// Tells whether a series is meant.
    pub fn takes(&self, key: &SeriesKey) -> bool {
        self.filters.iter().all(|filter| filter.takes(key))
    }

    /// Returns the earliest instant at which anything asked for can have been.
    pub fn first(&self) -> UnixMillis {
        self.from.unwrap_or(FIRST)
    }
}

/// The names that are no dimensions.
const RESERVED: [&str; 6] = ["since", "until", "step", "zone", "by", "top"];

fn wrong(text: String) -> Refusal {
    Refusal::Wrong(text)
}

/// Returns the value of a parameter that may come once.
fn single<'p>(parameters: &'p [(String, String)], name: &str) -> Result<Option<&'p str>, Refusal> {
    let mut values = parameters.iter().filter(|(known, _)| known == name);
    let first = values.next().map(|(_, value)| value.as_str());
    if values.next().is_some() {
        return Err(wrong(format!("`{name}` comes twice")));
    }
    Ok(first)
}

fn dimension(name: &str, of: &str) -> Result<Dimension, Refusal> {
    Dimension::parse(name).ok_or_else(|| {
        let known: Vec<String> = Dimension::named().iter().map(Dimension::name).collect();
        wrong(format!("{of}`{name}` is not known; expected `{}`, or `attr:KEY` for a key of the request metadata", known.join("`, `")))
    })
}

/// Reads the labels to tell usage apart by, with commas between them; nothing by default.
fn parse_by(parameters: &[(String, String)]) -> Result<Option<Vec<Dimension>>, Refusal> {
    let Some(text) = single(parameters, "by")? else { return Ok(Some(Vec::new())) };
    if text == EVERYTHING {
        return Ok(None);
    }
    let mut by = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let dimension = dimension(name, "`by`: ")?;
        if by.contains(&dimension) {
            return Err(wrong(format!("`by`: `{name}` comes twice")));
        }
        by.push(dimension);
    }
    Ok(Some(by))
}

/// Reads the globs that labels have to match: every parameter with the name of a dimension.
fn parse_filters(parameters: &[(String, String)]) -> Result<Vec<Filter>, Refusal> {
    let mut filters: Vec<Filter> = Vec::new();
    let given = parameters.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str()));
    for (name, glob) in given {
        let dimension = dimension(name, "the parameter ")?;
        let place = filters.iter().position(|filter| filter.dimension == dimension);
        let place = place.unwrap_or_else(|| {
            filters.push(Filter::new(dimension));
            filters.len() - 1
        });
        if let Some(filter) = filters.get_mut(place) {
            filter.add(glob);
        }
    }
    Ok(filters)
}

/// Reads `7d` (before `now`), `now`, `2026-11`, `2026-11-23` (the local midnight) or an RFC 3339 instant,
/// none before 1970 or after 2200.
fn parse_time(text: &str, zone: &Zone, now: UnixMillis) -> Option<UnixMillis> {
    let age = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let (_, unit_ms) = AGES.into_iter().find(|(name, _)| *name == unit)?;
        Some(now.plus(-i64::from(number.parse::<u32>().ok()?).checked_mul(unit_ms)?))
    };
    let day = |text: &str| {
        let is_day = text.len() == "2026-11-23".len();
        let date = is_day.then(|| text.parse::<Date>().ok()).flatten()?;
        Some(zone.start_of(date))
    };
    let month = || day(&format!("{text}-01"));
    let at = match text {
        "now" => Some(now),
        _ => age().or_else(|| day(text)).or_else(month).or_else(|| UnixMillis::parse_rfc3339(text)),
    };
    at.filter(|at| (FIRST..=LAST).contains(at))
}
