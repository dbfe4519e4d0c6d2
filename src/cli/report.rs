//! `tollkeeper report`: what was used and what it cost, as a page for people or for programs.

mod csv;
mod html;
mod markdown;
mod previous;
mod sheet;
mod terminal;

use std::io::{IsTerminal as _, Write as _};

use serde_json::json;

use super::args::{ReportArgs, ReportFormat, UsageArgs};
use super::ask::Source;
use super::failure::Failure;
use super::run::environment;
use crate::daemon::clock;
use crate::query::{Answer, Parameters, instant};

use self::sheet::Sheet;

pub(super) fn report(args: &ReportArgs) -> Result<(), Failure> {
    let source = Source::find(&args.ask)?;
    let (answer, before) = ask(args, &source)?;
    let sheet = || Sheet::new(&answer, before.as_ref(), args.top.is_some());
    let page = match args.format {
        ReportFormat::Table => terminal::page(&sheet(), has_colour()),
        ReportFormat::Markdown => markdown::page(&sheet()),
        ReportFormat::Html => html::page(&sheet()),
        ReportFormat::Csv => csv::page(&answer, before.as_ref()),
        ReportFormat::Json => {
            let mut object = json!(answer);
            if let (Some(before), Some(object)) = (&before, object.as_object_mut()) {
                object.insert("previous".to_owned(), json!(before));
            }
            serde_json::to_string_pretty(&object)? + "\n"
        }
    };
    Ok(std::io::stdout().lock().write_all(page.as_bytes())?)
}

/// Returns the answer, and that of the period before if it is wanted.
fn ask(args: &ReportArgs, source: &Source) -> Result<(Answer, Option<Answer>), Failure> {
    let mut parameters = parameters(&args.usage)?;
    parameters.push(("by".to_owned(), args.by.clone()));
    parameters.extend(args.step.iter().map(|step| ("step".to_owned(), step.clone())));
    if args.compare.is_none() {
        parameters.extend(args.top.map(|top| ("top".to_owned(), top.to_string())));
        return Ok((source.ask(&parameters)?, None));
    }
    if args.usage.until.is_none() {
        parameters.push(("until".to_owned(), instant::text(clock::now())));
    }
    // All groups are asked for, since what was used before may be used no more.
    let answer = source.ask(&parameters)?;
    let Some((from, to)) = previous::period(&answer) else {
        return Err("`--compare` needs `--since`".into());
    };
    parameters.retain(|(name, _)| name != "since" && name != "until");
    parameters.push(("since".to_owned(), instant::text(from)));
    parameters.push(("until".to_owned(), instant::text(to)));
    parameters.retain(|(name, value)| name != "by" || value != "*");
    if args.by == "*" {
        parameters.push(("by".to_owned(), answer.by.join(",")));
    }
    let before = source.ask(&parameters)?;
    let answer = match args.top {
        Some(top) => previous::cut(answer, top.get()),
        None => answer,
    };
    Ok((answer, Some(before)))
}

/// Returns what `args` ask for, with the names that the daemon takes.
pub(super) fn parameters(args: &UsageArgs) -> Result<Parameters, Failure> {
    let given = [("since", &args.since), ("until", &args.until), ("zone", &args.zone)];
    let mut parameters: Parameters = given
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
        .collect();
    for filter in &args.filters {
        let Some((label, glob)) = filter.split_once('=') else {
            let hint = "for example `--where 'model=*claude*'`";
            return Err(Failure::with_hint(format!("`{filter}` is not `LABEL=GLOB`"), hint));
        };
        if crate::query::Dimension::parse(label).is_none() {
            return Err(format!("`--where {filter}`: `{label}` is no label").into());
        }
        parameters.push((label.to_owned(), glob.to_owned()));
    }
    Ok(parameters)
}

/// Tells whether stdout is a terminal whose person did not say that there should be no colours
/// (no-color.org: any value that is not empty).
fn has_colour() -> bool {
    let refused = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !refused
}
