//! `tollkeeper export`: other programs read what it writes, and find the ledger's sums in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tollkeeper::model::money::Usd;

use super::report::Books;
use crate::support::json;
use crate::support::servers::Prometheus;
use crate::support::tools;
use crate::support::wait::{SOON, wait_until};

fn total(books: &Books) -> (Usd, u64) {
    let groups = books.scan("provider");
    let cost = groups.iter().map(|group| Usd::parse_exact(json::text(group, "/cost_usd")).unwrap());
    let tokens = groups.iter().flat_map(|group| json::counts(group, "/tokens").into_values());
    (cost.sum(), tokens.sum())
}

/// A Python that has `duckdb`, which the benches install.
fn duckdb(test: &str) -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-venv/bin/python");
    let has = Command::new(&python).args(["-c", "import duckdb"]).output();
    if has.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    tools::skipped(test, "there is no DuckDB; benches/run fetches it");
    None
}

#[test]
fn focus_has_a_row_for_each_charge_and_duckdb_finds_the_ledgers_sums() {
    let books = Books::at_rest("focus", "81");
    let (cost, tokens) = total(&books);
    let csv = books.work.join("focus.csv");
    let parquet = books.work.join("focus.parquet");
    let hourly = books.work.join("hourly.parquet");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    books.ask(&["export", "focus", "--out", &path(&csv)]);
    books.ask(&["export", "focus", "--format", "parquet", "--out", &path(&parquet)]);
    let by_hour = ["--format", "parquet", "--period", "hour", "--out", &path(&hourly)];
    books.ask(&[&["export", "focus"], &by_hour[..]].concat());
    let text = std::fs::read_to_string(&csv).unwrap();
    assert!(text.starts_with("BilledCost,BillingAccountId,BillingCurrency,"), "{text}");
    assert!(text.contains("Anthropic") && text.contains("Input Cache Read"), "{text}");
    let Some(python) = duckdb("focus") else { return };
    let script = "
import duckdb, sys
csv, parquet, hourly = sys.argv[1:]
read_csv = f\"read_csv('{csv}', all_varchar=true)\"
def one(sql): return duckdb.sql(sql).fetchall()[0][0]
print(one(f'SELECT sum(CAST(BilledCost AS DECIMAL(38,12))) FROM {read_csv}'))
print(one(f'SELECT sum(CAST(ConsumedQuantity AS HUGEINT)) FROM {read_csv}'))
for file in (parquet, hourly):
    print(one(f\"SELECT sum(BilledCost) FROM '{file}'\"))
    print(one(f\"SELECT CAST(sum(ConsumedQuantity) AS HUGEINT) FROM '{file}'\"))
    print(one(f\"SELECT count(*) FROM '{file}' WHERE ListUnitPrice * PricingQuantity <> ListCost\"))
    print(one(f\"SELECT count(*) FROM '{file}' WHERE ChargePeriodEnd <= ChargePeriodStart OR BillingPeriodStart > ChargePeriodStart OR BillingPeriodEnd < ChargePeriodEnd\"))
print(one(f\"SELECT typeof(BilledCost) FROM '{parquet}' LIMIT 1\"))
print(one(f\"SELECT typeof(ChargePeriodStart) FROM '{parquet}' LIMIT 1\"))
columns = ', '.join(name for name, *_ in duckdb.sql(f\"DESCRIBE SELECT * FROM '{parquet}'\").fetchall() if not name.endswith(('Start', 'End', 'Cost', 'Quantity', 'UnitPrice')))
print(one(f\"SELECT count(*) FROM (SELECT {columns} FROM '{parquet}' EXCEPT SELECT {columns} FROM {read_csv})\"))
print(one(f\"SELECT count(*) - (SELECT count(*) FROM {read_csv}) FROM '{parquet}'\"))
";
    let output = tools::run(Command::new(python).args(["-c", script]).args([csv, parquet, hourly]));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    let is_cost = |text: &str| assert_eq!(Usd::parse_exact(text).unwrap(), cost, "{stdout}");
    is_cost(lines[0]);
    assert_eq!(lines[1], tokens.to_string());
    for file in [&lines[2..6], &lines[6..10]] {
        is_cost(file[0]);
        assert_eq!(&file[1..], [tokens.to_string().as_str(), "0", "0"], "{stdout}");
    }
    let types = ["DECIMAL(38,12)", "TIMESTAMP WITH TIME ZONE", "0", "0"];
    assert_eq!(&lines[10..], types, "{stdout}");
}

#[test]
fn prometheus_answers_from_blocks_of_the_history() {
    let (Some(promtool), Some(prometheus)) =
        (tools::find("promtool", "openmetrics"), tools::find("prometheus", "openmetrics"))
    else {
        return;
    };
    let books = Books::at_rest("openmetrics", "82");
    let (cost, tokens) = total(&books);
    let history = books.work.join("history.om");
    books.ask(&["export", "openmetrics", "--out", history.to_str().unwrap()]);
    let text = std::fs::read_to_string(&history).unwrap();
    assert!(text.ends_with("\n# EOF\n"));
    let blocks = ["tsdb", "create-blocks-from", "openmetrics"];
    let tsdb = books.work.folder("tsdb");
    tools::run(Command::new(promtool).args(blocks).args([&history, &tsdb]));
    let prometheus = Prometheus::start(&prometheus, &books.work, "127.0.0.1:1");
    let close = |query: &str, expected: f64| {
        let found = wait_until(SOON, query, || prometheus.query(query));
        assert!((found - expected).abs() <= expected * 1e-9, "{query}: {found} and not {expected}");
    };
    close("sum(last_over_time(tollkeeper_cost_usd_total[10d]))", cost.to_f64());
    #[expect(clippy::cast_precision_loss, reason = "that of Prometheus")]
    close("sum(last_over_time(tollkeeper_tokens_total[10d]))", tokens as f64);
    // Counters begin at 0, so that what they grew by is all of it.
    close(
        "sum(last_over_time(tollkeeper_cost_usd_total[10d]) - min_over_time(tollkeeper_cost_usd_total[10d]))",
        cost.to_f64(),
    );
}
