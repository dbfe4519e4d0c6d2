//! What budgets and alerts cost: feeding the sums of many series, evaluating many budgets, spikes and
//! conditions, memory.
//!
//! Run with `cargo bench --bench budgets`. A thousand budgets of every period, in five zones, each with
//! ten of 10,000 series in its scope (and some with all); a quarter of hours and seven hours of minutes
//! of every series. CPU time and memory are the kernel's own figures of this process.
#![expect(clippy::print_stdout, reason = "this is the report")]
#![expect(clippy::unwrap_used, reason = "a benchmark that can't go on has no result")]
#![expect(clippy::float_arithmetic, reason = "figures for people")]
#![expect(clippy::indexing_slicing, reason = "tables of known length")]

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use jiff::civil::Weekday;

use tollkeeper::budget::amount::Amount;
use tollkeeper::budget::period::{Cycle, Period};
use tollkeeper::budget::plan::{Budget, Fail, Threshold};
use tollkeeper::budget::scope::{Label, Matcher, Scope};
use tollkeeper::budget::zone::Zone;
use tollkeeper::ledger::delta::SeriesId;
use tollkeeper::ledger::rollup::{Bucket, Horizons, HourCuts, Level};
use tollkeeper::model::money::{PICODOLLARS_PER_USD, Usd};
use tollkeeper::model::names::{Route, Tier};
use tollkeeper::model::series::{ContextBand, SeriesKey};
use tollkeeper::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};
use tollkeeper::quota::limits::Limits;
use tollkeeper::watch::facts::Facts;
use tollkeeper::watch::lookout::{Lookout, World};
use tollkeeper::watch::rules::Rules;

/// 2026-12-20T12:34:56Z: late in a month and in a quarter.
const NOW: UnixMillis = UnixMillis(1_797_770_096_000);
const BUDGETS: u32 = 1_000;
const SERIES: u32 = 10_000;
const DAYS: i64 = 92;
const ROUNDS: usize = 21;
const ZONES: [&str; 5] =
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Santiago"];

fn main() {
    let budgets: Vec<Budget> = (0..BUDGETS).map(budget).collect();
    let cuts = budgets.iter().fold(HourCuts::FULL_HOURS, |cuts, one| cuts.and(one.period.cuts()));
    let before = resident_megabytes();
    let horizons = Horizons { cuts, ..Horizons::default() };
    let limits = Arc::new(Limits::shipped().unwrap());
    let plans = budgets.as_slice().into();
    let mut lookout = Lookout::new(Rules::default(), plans, limits, horizons, &BTreeMap::new());
    let started = Instant::now();
    for id in 0..SERIES {
        lookout.learn(SeriesId(id), &Arc::new(series(id)));
    }
    let learnt = started.elapsed().as_secs_f64();
    println!("{SERIES} series against {BUDGETS} scopes: {learnt:.2} s, once");
    feed(&mut lookout, cuts);
    println!("memory of all sums: {:.1} MB", resident_megabytes() - before);
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    let mut count = 0;
    for _ in 0..ROUNDS {
        let (started, spent) = (Instant::now(), cpu_seconds());
        count = evaluate(&mut lookout);
        wall.push(started.elapsed().as_secs_f64() * 1e3);
        cpu.push((cpu_seconds() - spent) * 1e3);
    }
    wall.sort_by(f64::total_cmp);
    cpu.sort_by(f64::total_cmp);
    println!(
        "{count} budgets, and {SERIES} series active in the last minutes, evaluated: median {:.1} ms CPU, {:.1} ms wall; best {:.1} ms",
        cpu[ROUNDS / 2],
        wall[ROUNDS / 2],
        cpu[0]
    );
}

fn evaluate(lookout: &mut Lookout) -> usize {
    let mut world = World { sources: Vec::new(), book_made: None };
    let (evaluation, step) = lookout.evaluate(&mut world, &mut |_, _| BTreeMap::new(), NOW);
    black_box(step);
    evaluation.budgets.len()
}

/// Hours of a quarter, and minutes of the last hours, of every series.
fn feed(lookout: &mut Lookout, cuts: HourCuts) {
    let hours = NOW.plus(-7 * HOUR_MS).floor(HOUR_MS);
    let started = Instant::now();
    let mut rows = 0_u32;
    let mut at = hours.plus(-DAYS * DAY_MS);
    while at < hours {
        add_all(lookout, Bucket::holding(Level::Hour, at, cuts), &mut rows);
        at = cuts.end_of(at);
    }
    while at <= NOW {
        add_all(lookout, Bucket::holding(Level::Minute, at, cuts), &mut rows);
        at = at.plus(MINUTE_MS);
    }
    let nanoseconds = started.elapsed().as_secs_f64() * 1e9 / f64::from(rows);
    println!("{rows} rows added: {nanoseconds:.0} ns each");
}

fn add_all(lookout: &mut Lookout, bucket: Bucket, rows: &mut u32) {
    for id in 0..SERIES {
        let noise = i128::from((bucket.start_minute ^ id).wrapping_mul(0x9E37_79B9) >> 8);
        let cost = Usd(noise * 1_000);
        let facts = Facts { calls: 3, ok: 3, input_tokens: 4_502, cost, ..Facts::default() };
        lookout.add(SeriesId(id), bucket, &facts, NOW);
        *rows += 1;
    }
}

fn budget(number: u32) -> Budget {
    let cycles = [
        Cycle::Day,
        Cycle::Week { first: Weekday::Monday },
        Cycle::Month { day: 1 },
        Cycle::Quarter { day: 1 },
        Cycle::Rolling { ms: 30 * DAY_MS },
    ];
    let place = usize::try_from(number).unwrap();
    let principal =
        if number.is_multiple_of(100) { "*".to_owned() } else { format!("role/{number}") };
    Budget {
        name: format!("budget-{number}"),
        limit: Amount::Usd(Usd(1_000 * PICODOLLARS_PER_USD)),
        period: Period {
            cycle: cycles[place % cycles.len()],
            zone: Zone::named(ZONES[place / 5 % ZONES.len()]).unwrap(),
        },
        scope: Scope { matchers: vec![Matcher::new(Label::Principal, [principal.as_str()])] },
        thresholds: vec![Threshold(8_000)],
        carry_over: number.is_multiple_of(2),
        per: None,
        enforce: false,
        fail: Fail::Open,
        floor: Usd(PICODOLLARS_PER_USD),
    }
}

fn series(number: u32) -> SeriesKey {
    SeriesKey {
        provider: "aws.bedrock".to_owned(),
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        model: format!("anthropic.claude-{}", number % 10),
        route: Route::InRegion,
        geo: String::new(),
        tier: Tier::Standard,
        principal: format!("role/{}", number / 10),
        attributes: vec![],
        context: ContextBand(0),
        item: String::new(),
    }
}

/// CPU time of this thread, in the nanoseconds of the scheduler.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn resident_megabytes() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}
