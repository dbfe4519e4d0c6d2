//! `tollkeeper export focus`: charges in the columns of FOCUS 1.2 (the `FinOps` Open Cost and Usage Specification).
//!
//! A row is a charge period, a series and a class of tokens, or what is paid by time. What has no price has a row
//! of its own with no cost, and never one of 0. Costs are exact: decimals in CSV, DECIMAL(38,12) in Parquet.

mod charge;
mod parquet;
mod row;

use std::io::{IsTerminal as _, Write};

use super::super::args::{FocusArgs, FocusFormat, FocusPeriod};
use super::super::ask::Source;
use super::super::failure::Failure;
use super::super::report::parameters;
use super::super::table::csv_line;
use super::pieces::Pieces;
use crate::query::question::EVERYTHING;

use self::charge::charges;
use self::parquet::Table;
use self::row::{COLUMNS, Row};

pub(super) fn focus(args: &FocusArgs) -> Result<(), Failure> {
    let is_parquet = args.format == FocusFormat::Parquet;
    if is_parquet && args.out.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::with_hint(
            "Parquet is nothing for a terminal",
            "name a file with `--out`",
        ));
    }
    let source = Source::find(&args.ask)?;
    let mut parameters = parameters(&args.usage)?;
    parameters.push(("by".to_owned(), EVERYTHING.to_owned()));
    // Days of FOCUS are of UTC; hours as well, since their ends must be those of rows.
    let step = match args.period {
        FocusPeriod::Day => "1d",
        FocusPeriod::Hour => "1h",
    };
    let mut pieces = Pieces::new(&source, parameters, step)?;
    let mut out = super::output(args.out.as_deref())?;
    let mut remarks: Vec<String> = Vec::new();
    if is_parquet {
        let mut table = Table::new(&mut out)?;
        while let Some(answer) = pieces.next()? {
            table.write(&charges(&answer))?;
            remarks.extend(answer.remarks());
        }
        table.finish()?;
    } else {
        let names: Vec<String> = COLUMNS.iter().map(|column| column.name.to_owned()).collect();
        out.write_all(csv_line(&names).as_bytes())?;
        while let Some(answer) = pieces.next()? {
            for row in charges(&answer) {
                out.write_all(line(&row).as_bytes())?;
            }
            remarks.extend(answer.remarks());
        }
    }
    out.flush()?;
    say(&remarks)
}

fn line(row: &Row) -> String {
    csv_line(&COLUMNS.iter().map(|column| (column.value)(row).text()).collect::<Vec<_>>())
}

/// Tells on stderr what the rows do not say.
fn say(remarks: &[String]) -> Result<(), Failure> {
    let mut stderr = std::io::stderr().lock();
    for remark in remarks {
        stderr.write_all(format!("{remark}\n").as_bytes())?;
    }
    Ok(())
}
