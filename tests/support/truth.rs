//! A log generator that owns the truth: what it writes, it also sums, with prices typed in here.
//!
//! Everything follows from a seed. It shares no code and no price data with the crate, so an
//! agreement of the two is not an agreement of one with itself.

use std::collections::BTreeMap;

use crate::support::json;
use crate::support::log::{Bodies, Call, Tokens};
use crate::support::prometheus::Scrape;
use crate::support::random::Random;

const PICODOLLARS_PER_USD: i128 = 1_000_000_000_000;
/// 2026-06-01T08:00:00Z: in the past of every test run, and every model below existed.
const FIRST_CALL_AT: i64 = 1_780_300_800;
/// A float of a sum may differ by this share from the exact one.
const FLOAT_TOLERANCE: f64 = 1e-9;

/// A model, and what its tokens cost in picodollars ($1 per million tokens is 1,000,000): input,
/// cache read, cache write for 5 minutes, for 1 hour, output.
struct Model {
    logged: &'static str,
    /// The value of the label `model`.
    name: &'static str,
    picodollars: Option<[i128; 5]>,
    bodies: &'static [Bodies],
    caches: Caches,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Caches {
    None,
    Read,
    ReadAndWrite,
}

/// On-demand list prices of AWS, USD per million tokens (aws.amazon.com/bedrock/pricing as of
/// November 2026): Claude Sonnet 4.5 through `us.` 3.30/0.33/4.125/6.60/16.50, Claude Haiku 4.5
/// through `global.` 1/0.10/1.25/2/5, Nova Micro 0.035/0.00875/-/-/0.14, Nova Pro
/// 0.80/0.20/-/-/3.20, Llama 3.1 8B 0.22/-/-/-/0.22, Titan Embed V2 0.02.
const MODELS: &[Model] = &[
    Model {
        logged: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        name: "anthropic.claude-sonnet-4-5-20250929-v1:0",
        picodollars: Some([3_300_000, 330_000, 4_125_000, 6_600_000, 16_500_000]),
        bodies: &[Bodies::Off, Bodies::Converse, Bodies::Messages, Bodies::MessagesStream],
        caches: Caches::ReadAndWrite,
    },
    Model {
        logged: "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        name: "anthropic.claude-haiku-4-5-20251001-v1:0",
        picodollars: Some([1_000_000, 100_000, 1_250_000, 2_000_000, 5_000_000]),
        bodies: &[Bodies::Off, Bodies::Converse, Bodies::Messages, Bodies::MessagesStream],
        caches: Caches::ReadAndWrite,
    },
    Model {
        logged: "amazon.nova-micro-v1:0",
        name: "amazon.nova-micro-v1:0",
        picodollars: Some([35_000, 8_750, 0, 0, 140_000]),
        bodies: &[Bodies::Off, Bodies::Converse],
        caches: Caches::Read,
    },
    Model {
        logged: "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
        name: "amazon.nova-pro-v1:0",
        picodollars: Some([800_000, 200_000, 0, 0, 3_200_000]),
        bodies: &[Bodies::Off, Bodies::Converse],
        caches: Caches::Read,
    },
    Model {
        logged: "meta.llama3-1-8b-instruct-v1:0",
        name: "meta.llama3-1-8b-instruct-v1:0",
        picodollars: Some([220_000, 0, 0, 0, 220_000]),
        bodies: &[Bodies::Off, Bodies::Converse],
        caches: Caches::None,
    },
    Model {
        logged: "amazon.titan-embed-text-v2:0",
        name: "amazon.titan-embed-text-v2:0",
        picodollars: Some([20_000, 0, 0, 0, 0]),
        bodies: &[Bodies::Embedding],
        caches: Caches::None,
    },
    Model {
        logged: "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3d4e5f6",
        name: "application-inference-profile/a1b2c3d4e5f6",
        picodollars: None,
        bodies: &[Bodies::Off, Bodies::Converse],
        caches: Caches::None,
    },
];

/// Models that the application's own log names.
const APPLICATION_MODELS: [usize; 2] = [2, 4];

const CALLERS: [&str; 4] = [
    "arn:aws:sts::111122223333:assumed-role/log-summariser/i-0c33",
    "arn:aws:sts::111122223333:assumed-role/chat-backend/i-0aa1",
    "arn:aws:iam::111122223333:role/service/ticket-tagger",
    "arn:aws:iam::111122223333:user/alice",
];

/// Code in the log, and how the call counts.
const ERRORS: [(&str, &str); 4] = [
    ("ThrottlingException", "throttled"),
    ("ThrottlingException", "throttled"),
    ("AccessDeniedException", "access_denied"),
    ("ValidationException", "validation"),
];

/// What is expected of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) requests: u64,
    pub(crate) outcomes: BTreeMap<String, u64>,
    pub(crate) tokens: BTreeMap<String, u64>,
    pub(crate) unpriced: BTreeMap<String, u64>,
    pub(crate) picodollars: i128,
    pub(crate) reported_picodollars: i128,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        for (mine, theirs) in [
            (&mut self.outcomes, &other.outcomes),
            (&mut self.tokens, &other.tokens),
            (&mut self.unpriced, &other.unpriced),
        ] {
            for (name, count) in theirs {
                *mine.entry(name.clone()).or_default() += count;
            }
        }
        self.picodollars += other.picodollars;
        self.reported_picodollars += other.reported_picodollars;
    }
}

/// What is expected of everything that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// By the value of the label `model`.
    pub(crate) models: BTreeMap<String, Sums>,
    /// Lines that are no records.
    pub(crate) rejected: u64,
}

impl Truth {
    pub(crate) fn add(&mut self, other: &Self) {
        for (model, sums) in &other.models {
            self.models.entry(model.clone()).or_default().add(sums);
        }
        self.rejected += other.rejected;
    }

    pub(crate) fn total(&self) -> Sums {
        let mut total = Sums::default();
        self.models.values().for_each(|sums| total.add(sums));
        total
    }

    pub(crate) fn lines(&self) -> u64 {
        self.total().requests + self.rejected
    }

    /// Everything in which `/metrics` differs from the truth, one text each.
    pub(crate) fn differences(&self, scrape: &Scrape) -> Vec<String> {
        let mut found = Vec::new();
        let total = scrape.count("tollkeeper_requests_total", &[]);
        if total != self.total().requests {
            found.push(format!("requests: {total} instead of {}", self.total().requests));
        }
        for (model, sums) in &self.models {
            let labels = [("model", model.as_str())];
            for (name, label, expected) in [
                ("tollkeeper_requests_total", "outcome", &sums.outcomes),
                ("tollkeeper_tokens_total", "token_class", &sums.tokens),
                ("tollkeeper_unpriced_tokens_total", "token_class", &sums.unpriced),
            ] {
                let counted = scrape.counts_by(name, label, &labels);
                if counted != *expected {
                    found.push(format!("{name} of {model}: {counted:?} instead of {expected:?}"));
                }
            }
            for (name, expected) in [
                ("tollkeeper_cost_usd_total", sums.picodollars),
                ("tollkeeper_reported_cost_usd_total", sums.reported_picodollars),
            ] {
                let counted = scrape.sum(name, &labels);
                let expected = usd_f64(expected);
                if (counted - expected).abs() > expected * FLOAT_TOLERANCE {
                    found.push(format!("{name} of {model}: {counted} instead of {expected}"));
                }
            }
        }
        found
    }

    /// Panics when `/metrics` differs from the truth.
    pub(crate) fn assert_in(&self, scrape: &Scrape) {
        let differences = self.differences(scrape);
        assert!(differences.is_empty(), "/metrics differs:\n{}", differences.join("\n"));
    }

    /// Panics when the totals of `check ledger --format json` differ from the truth.
    pub(crate) fn assert_in_ledger(&self, report: &str) {
        let report = json::parse(report);
        let total = self.total();
        assert_eq!(json::number(&report, "/requests"), total.requests);
        assert_eq!(json::counts(&report, "/tokens"), total.tokens);
        assert_eq!(json::text(&report, "/cost_usd"), usd_text(total.picodollars));
    }
}

/// Picodollars as an exact decimal without trailing zeros.
pub(crate) fn usd_text(picodollars: i128) -> String {
    let whole = picodollars / PICODOLLARS_PER_USD;
    let fraction = format!("{:012}", picodollars % PICODOLLARS_PER_USD);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

/// Picodollars as the float nearest to them in dollars.
pub(crate) fn usd_f64(picodollars: i128) -> f64 {
    usd_text(picodollars).parse().expect("a decimal number")
}

/// Writes lines and sums them.
pub(crate) struct Generator {
    random: Random,
    /// Makes request ids differ between generators that write for one daemon.
    name: String,
    calls: u64,
    /// Kept until taken: what was written since.
    truth: Truth,
}

impl Generator {
    pub(crate) fn new(name: &str, seed: u64) -> Self {
        Self { random: Random::new(seed), name: name.to_owned(), calls: 0, truth: Truth::default() }
    }

    /// What was written so far.
    pub(crate) fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Some lines at once.
    pub(crate) fn lines(&mut self, count: usize) -> String {
        (0..count).map(|_| self.line()).collect()
    }

    /// Some lines of records without request ids.
    pub(crate) fn anonymous_lines(&mut self, count: usize) -> String {
        (0..count).map(|_| self.application_line(0)).collect()
    }

    /// Counts what somebody else wrote for the same daemon.
    pub(crate) fn absorb(&mut self, other: &Truth) {
        self.truth.add(other);
    }

    /// The next line, with its line feed: a record of either form, seldom one that is no record.
    pub(crate) fn line(&mut self) -> String {
        if self.random.chance(1) {
            self.truth.rejected += 1;
            return "neither a record nor JSON\n".to_owned();
        }
        if self.random.chance(40) { self.application_line(20) } else { self.bedrock_line() }
    }

    /// A record of the application form, so many percent of which have a request id. Without one,
    /// nothing but the position can keep it from being counted twice.
    fn application_line(&mut self, with_id_percent: u64) -> String {
        let model = &MODELS[*self.random.choose(&APPLICATION_MODELS)];
        let mut call = self.call(model);
        call.tokens = Tokens {
            input: self.random.range(1, 9_000),
            output: self.random.range(1, 900),
            ..Tokens::default()
        };
        if !self.random.chance(with_id_percent) {
            call.request_id = None;
        }
        let reported = i128::from(self.random.range(1, 500));
        call.reported_usd = Some(usd_text(reported * PICODOLLARS_PER_USD / 1000));
        self.count(model, &call, "ok", reported * PICODOLLARS_PER_USD / 1000);
        call.application_line()
    }

    /// A Bedrock record.
    fn bedrock_line(&mut self) -> String {
        let model = self.random.choose(MODELS);
        let mut call = self.call(model);
        if self.random.chance(12) {
            let (code, outcome) = *self.random.choose(&ERRORS);
            call.error_code = Some(code.to_owned());
            self.count(model, &call, outcome, 0);
            return call.bedrock_line();
        }
        call.bodies = *self.random.choose(model.bodies);
        call.tokens = self.tokens(model, call.bodies);
        self.count(model, &call, "ok", 0);
        call.bedrock_line()
    }

    fn call(&mut self, model: &Model) -> Call {
        self.calls += 1;
        let calls = i64::try_from(self.calls).expect("not that many calls");
        let words = self.random.range(1, 40) * if self.random.chance(2) { 200 } else { 1 };
        let words = usize::try_from(words).expect("not that many words");
        Call {
            model_id: model.logged.to_owned(),
            at: FIRST_CALL_AT + calls / 20,
            region: (*self.random.choose(&["us-east-1", "us-west-2"])).to_owned(),
            identity_arn: (*self.random.choose(&CALLERS)).to_owned(),
            request_id: Some(format!("req-{}-{:08}", self.name, self.calls)),
            prompt: "sum up \"inputTokenCount\":999999, please ".repeat(words),
            answer: "so it was. ".repeat(words / 4),
            tokens: Tokens::default(),
            ..Call::example()
        }
    }

    fn tokens(&mut self, model: &Model, bodies: Bodies) -> Tokens {
        let mut tokens = Tokens { input: self.random.range(1, 60_000), ..Tokens::default() };
        if bodies != Bodies::Embedding {
            tokens.output = self.random.range(1, 4_000);
        }
        if model.caches != Caches::None && self.random.chance(40) {
            tokens.cache_read = self.random.range(1, 30_000);
        }
        if model.caches == Caches::ReadAndWrite && self.random.chance(30) {
            let written = self.random.range(1, 20_000);
            if bodies == Bodies::Off {
                tokens.cache_write_unknown_ttl = written;
            } else {
                tokens.cache_write_1h = self.random.range(0, written);
                tokens.cache_write_5m = written - tokens.cache_write_1h;
            }
        }
        tokens
    }

    fn count(&mut self, model: &Model, call: &Call, outcome: &str, reported_picodollars: i128) {
        let mut sums = Sums { requests: 1, reported_picodollars, ..Sums::default() };
        sums.outcomes.insert(outcome.to_owned(), 1);
        for (class, count) in call.tokens.by_class().into_iter().filter(|(_, count)| *count > 0) {
            sums.tokens.insert(class.to_owned(), count);
            match model.picodollars {
                Some(prices) => sums.picodollars += i128::from(count) * price(prices, class),
                None => *sums.unpriced.entry(class.to_owned()).or_default() += count,
            }
        }
        self.truth.models.entry(model.name.to_owned()).or_default().add(&sums);
    }
}

/// The price of a class; a cache write of unknown duration costs what five minutes cost.
fn price([input, read, write_5m, write_1h, output]: [i128; 5], class: &str) -> i128 {
    match class {
        "input" => input,
        "cache_read" => read,
        "cache_write_5m" | "cache_write_unknown_ttl" => write_5m,
        "cache_write_1h" => write_1h,
        "output" => output,
        other => panic!("no token class: {other}"),
    }
}
