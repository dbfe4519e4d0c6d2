//! Explanations against a limiter that knows why it refused, and worked examples.

use super::*;
use crate::ledger::batch::{Entry, OutputLimit};
use crate::ledger::inflight::Inflight;
use crate::model::names::{Approximations, Operation, Outcome, RecordKind};
use crate::model::tokens::{ByClass, TokenClass};
use crate::quota::limiter::{Ask, Limiter, Minute, Rules};
use std::collections::BTreeMap;

const START: UnixMillis = UnixMillis(20_000 * 86_400_000);

/// What calls of one principal are like.
#[derive(Clone, Copy)]
struct Habit {
    calls_per_minute: u64,
    input: u64,
    output: u64,
    max_tokens: u64,
    duration_ms: i64,
}

/// A plain generator of random numbers (the constants of Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end.max(1)
    }

    /// From half to one and a half of `middle`.
    fn around(&mut self, middle: u64) -> u64 {
        middle / 2 + self.below(middle + 1)
    }
}

/// One call as a log tells it, and why it was refused.
struct Told {
    principal: usize,
    ask: Ask,
    refusal: Option<Vec<Reason>>,
}

fn run(rules: Rules, habits: &[Habit], minutes: u64, seed: u64) -> Vec<Told> {
    let mut dice = Dice(seed);
    let mut asks: Vec<(usize, Ask)> = Vec::new();
    for (principal, habit) in habits.iter().enumerate() {
        for minute in 0..minutes {
            // Load comes in waves, so that limits are reached in some minutes only.
            let calls = habit.calls_per_minute * (50 + dice.below(100)) / 100;
            for _ in 0..calls {
                let at_ms = i64::try_from(minute * 60_000 + dice.below(60_000)).unwrap();
                let output = dice.around(habit.output).min(habit.max_tokens);
                let ask = Ask {
                    at_ms: START.0 + at_ms,
                    duration_ms: i64::try_from(dice.around(habit.duration_ms.unsigned_abs()))
                        .unwrap(),
                    input: dice.around(habit.input),
                    output,
                    max_tokens: habit.max_tokens,
                };
                asks.push((principal, ask));
            }
        }
    }
    asks.sort_by_key(|(_, ask)| ask.at_ms);
    let mut limiter = Limiter::new(rules);
    let told = asks.into_iter();
    told.map(|(principal, ask)| Told { principal, ask, refusal: limiter.ask(ask).err() }).collect()
}

fn entry(told: &Told) -> Entry {
    let narrow = |tokens: u64| u32::try_from(tokens).unwrap();
    let mut tokens = ByClass([0; 6]);
    if told.refusal.is_none() {
        tokens.set(TokenClass::Input, narrow(told.ask.input));
        tokens.set(TokenClass::Output, narrow(told.ask.output));
    }
    Entry {
        group: 0,
        // Bedrock's log has full seconds.
        at: UnixMillis(told.ask.at_ms).floor(1_000),
        id: None,
        has_shared_id: false,
        is_told_elsewhere: false,
        kind: RecordKind::BedrockInvocation,
        operation: Operation::Converse,
        outcome: if told.refusal.is_none() { Outcome::Ok } else { Outcome::Throttled },
        error_code: None,
        retries_exhausted: None,
        throttle: ThrottleKind::Unknown,
        output_limit: OutputLimit::Tokens(narrow(told.ask.max_tokens)),
        stop_reason: None,
        empty: false,
        tokens,
        reasoning_tokens: 0,
        latency_ms: told.refusal.is_none().then(|| u32::try_from(told.ask.duration_ms).unwrap()),
        first_byte_ms: None,
        reported_cost: None,
        approximations: Approximations::NONE,
    }
}

/// The calls of each principal by the minute, as the ledger keeps them.
fn inflight(told: &[Told]) -> Vec<BTreeMap<UnixMillis, Inflight>> {
    let principals = told.iter().map(|told| told.principal + 1).max().unwrap_or(0);
    let mut kept = vec![BTreeMap::<UnixMillis, Inflight>::new(); principals];
    for told in told {
        let entry = entry(told);
        let minute = entry.at.floor(MINUTE_MS);
        kept[told.principal].entry(minute).or_default().observe(minute, &entry);
    }
    kept
}

const NAMES: [&str; 3] = ["role/agent", "role/chat", "role/batch"];

fn lanes(kept: &[BTreeMap<UnixMillis, Inflight>]) -> Vec<Lane<'_>> {
    let lanes = kept.iter().zip(NAMES).map(|(minutes, principal)| Lane {
        principal,
        minutes: minutes.iter().map(|(at, inflight)| (*at, inflight)).collect(),
    });
    lanes.collect()
}

fn limits(rules: Rules, source: LimitSource) -> PoolLimits {
    let limit = |value| Some(Limit { value, source });
    PoolLimits {
        tokens_per_minute: limit(rules.tokens_per_minute),
        tokens_per_day: limit(rules.tokens_per_day),
        requests_per_minute: limit(rules.requests_per_minute),
    }
}

/// What each throttled minute was explained by, and whether most of its refused calls were refused for it.
fn explained(rules: Rules, habits: &[Habit], seed: u64) -> Vec<(Explanation, bool)> {
    let told = run(rules, habits, 12, seed);
    let kept = inflight(&told);
    let lanes = lanes(&kept);
    let toll = Toll { burndown: u32::try_from(rules.burndown).unwrap(), max_output: None };
    let mut found = Vec::new();
    for minute in (0..12).map(|minute| START.plus(minute * MINUTE_MS)) {
        let end = minute.plus(MINUTE_MS);
        let ended = told.iter().filter(|told| told.refusal.is_none());
        let ended = ended.filter(|told| told.ask.at_ms + told.ask.duration_ms < end.0);
        let day_settled = ended.map(|told| told.ask.input + told.ask.output * rules.burndown).sum();
        let limits = limits(rules, LimitSource::Config);
        let case = Case {
            minute,
            limits,
            toll,
            lanes: &lanes,
            day: DayUse {
                settled: day_settled,
                limit: limits.tokens_per_day,
                is_of_account: false,
            },
            told: &Counts::default(),
            elsewhere: 0,
        };
        let Some(explanation) = explain(&case) else { continue };
        let refused =
            told.iter().filter(|told| told.ask.at_ms >= minute.0 && told.ask.at_ms < end.0);
        let refusals: Vec<&Vec<Reason>> =
            refused.filter_map(|told| told.refusal.as_ref()).collect();
        assert_eq!(explanation.used.throttled, refusals.len() as u64);
        let is_true = |against: &&&Vec<Reason>| against.contains(&explanation.reason);
        let right = refusals.iter().filter(is_true).count();
        found.push((explanation, right * 2 >= refusals.len()));
    }
    found
}

const NEVER: u64 = 1 << 40;

/// Situations in which one limit is reached, with what is typical of it.
fn situations(minute: Minute) -> Vec<(Reason, Rules, Vec<Habit>)> {
    let rules = Rules {
        tokens_per_minute: 2_000_000,
        requests_per_minute: NEVER,
        tokens_per_day: NEVER,
        burndown: 5,
        minute,
    };
    let agent = Habit {
        calls_per_minute: 90,
        input: 4_000,
        output: 1_200,
        max_tokens: 64_000,
        duration_ms: 22_000,
    };
    let chat = Habit {
        calls_per_minute: 40,
        input: 2_000,
        output: 300,
        max_tokens: 1_000,
        duration_ms: 4_000,
    };
    let summaries = Habit {
        calls_per_minute: 260,
        input: 9_000,
        output: 250,
        max_tokens: 400,
        duration_ms: 5_000,
    };
    let small = Habit { calls_per_minute: 160, max_tokens: 500, ..chat };
    let few = Rules { requests_per_minute: 200, ..rules };
    vec![
        (Reason::Reservation, rules, vec![agent, chat]),
        (Reason::Settled, rules, vec![summaries, chat]),
        (Reason::Requests, few, vec![chat, small]),
        (Reason::Daily, Rules { tokens_per_day: 9_000_000, ..rules }, vec![summaries, chat]),
        (
            Reason::Reservation,
            rules,
            vec![Habit { calls_per_minute: 50, ..agent }, summaries_few(), small],
        ),
    ]
}

fn summaries_few() -> Habit {
    Habit { calls_per_minute: 60, input: 9_000, output: 250, max_tokens: 8_000, duration_ms: 6_000 }
}

/// The share of throttled minutes whose reason is true, and how many there were.
fn score(minute: Minute) -> (usize, usize, BTreeMap<Reason, usize>) {
    let (mut right, mut all) = (0, 0);
    let mut reasons = BTreeMap::new();
    for (_, rules, habits) in situations(minute) {
        for seed in 0..12 {
            for (explanation, is_right) in explained(rules, &habits, seed) {
                *reasons.entry(explanation.reason).or_default() += 1;
                right += usize::from(is_right);
                all += 1;
            }
        }
    }
    (right, all, reasons)
}

#[test]
fn the_reason_is_true_in_nineteen_of_twenty_throttled_minutes() {
    let (right, all, reasons) = score(Minute::Sliding);
    assert!(all > 300, "{all}");
    for reason in [Reason::Reservation, Reason::Settled, Reason::Requests, Reason::Daily] {
        assert!(reasons.get(&reason).is_some_and(|&minutes| minutes >= 20), "{reasons:?}");
    }

    assert!(right * 20 >= all * 19, "{right} of {all}: {reasons:?}");
}

/// AWS does not say what a minute is. If it is that of the clock, what is left of the one before does not count.
#[test]
fn the_reason_is_true_in_most_minutes_also_if_minutes_are_those_of_the_clock() {
    let (right, all, reasons) = score(Minute::Fixed);

    assert!(right * 10 >= all * 9, "{right} of {all}: {reasons:?}");
}

/// The story of the user guide: 2,000,000 tokens a minute, and calls that set no limit of their own on a model that
/// writes up to 64,000. 31 of them fill the quota, whatever they use.
#[test]
fn calls_without_a_limit_of_their_own_fill_the_quota_with_31() {
    let toll = Toll { burndown: 5, max_output: Some(64_000) };
    let rules = Rules {
        tokens_per_minute: 2_000_000,
        requests_per_minute: NEVER,
        tokens_per_day: NEVER,
        burndown: 5,
        minute: Minute::Sliding,
    };
    let mut inflight = Inflight::default();
    let ask =
        |at_ms| Ask { at_ms, duration_ms: 40_000, input: 500, output: 400, max_tokens: 64_000 };
    let mut limiter = Limiter::new(rules);
    for call in 0..60 {
        let refusal = limiter.ask(ask(START.0 + call * 100)).err();
        let told = Told { principal: 0, ask: ask(START.0 + call * 100), refusal };
        let unset = Entry { output_limit: OutputLimit::Unset, ..entry(&told) };
        inflight.observe(START, &unset);
    }
    let lanes = [Lane { principal: "role/agent", minutes: vec![(START, &inflight)] }];
    let case = Case {
        minute: START,
        limits: limits(rules, LimitSource::ServiceQuotas),
        toll,
        lanes: &lanes,
        day: DayUse::default(),
        told: &Counts::default(),
        elsewhere: 0,
    };
    let found = explain(&case).unwrap();
    assert_eq!((found.used.open_peak, found.used.throttled), (31, 29));
    assert_eq!(found.used.reserved_peak, 31 * 64_500);
    assert_eq!((found.reason, found.confidence), (Reason::Reservation, Confidence::High));
    assert_eq!(found.unknown, []);
    let advice: Vec<String> = found.advice.iter().map(ToString::to_string).collect();
    assert_eq!(
        advice,
        [
            "role/agent reserves 64,000 and uses 415 at p99: max_tokens 520 would cut the peak reservation \
          from 100 % of 2,000,000 to 2 % of 2,000,000"
        ]
    );
}

fn case_of<'c>(
    lanes: &'c [Lane<'c>],
    limits: PoolLimits,
    told: &'c Counts<ThrottleKind>,
) -> Case<'c> {
    let toll = Toll { burndown: 1, max_output: None };
    let day = DayUse { limit: limits.tokens_per_day, ..DayUse::default() };
    Case { minute: START, limits, toll, lanes, day, told, elsewhere: 0 }
}

fn throttled(at: i64) -> Told {
    let ask = Ask { at_ms: START.0 + at, duration_ms: 0, input: 0, output: 0, max_tokens: 0 };
    Told { principal: 0, ask, refusal: Some(Vec::new()) }
}

/// What can't be known is said, and is no reason.
#[test]
fn throttles_without_limits_and_without_calls_are_not_explained_away() {
    let mut inflight = Inflight::default();
    inflight.observe(START, &entry(&throttled(1_000)));
    let lanes = [Lane { principal: "role/a", minutes: vec![(START, &inflight)] }];
    let nothing = Counts::default();
    let found = explain(&case_of(&lanes, PoolLimits::default(), &nothing)).unwrap();
    assert_eq!((found.reason, found.confidence), (Reason::Unknown, Confidence::Low));
    assert_eq!(found.unknown, [Unknown::OtherCalls, Unknown::TokenLimit]);
    assert_eq!(found.advice, [Advice::TellLimit]);
    let mut told = Counts::default();
    told.add(ThrottleKind::Requests, 1);
    let found = explain(&case_of(&lanes, PoolLimits::default(), &told)).unwrap();
    assert_eq!((found.reason, found.confidence), (Reason::Requests, Confidence::High));
}

/// A limit of zero is one that every call exceeds, as new accounts have.
#[test]
fn a_limit_of_zero_throttles_everything() {
    let mut inflight = Inflight::default();
    inflight.observe(START, &entry(&throttled(1_000)));
    let lanes = [Lane { principal: "role/a", minutes: vec![(START, &inflight)] }];
    let zero = Some(Limit { value: 0, source: LimitSource::ServiceQuotas });
    let limits = PoolLimits { requests_per_minute: zero, ..PoolLimits::default() };
    let found = explain(&case_of(&lanes, limits, &Counts::default())).unwrap();
    assert_eq!((found.reason, found.confidence), (Reason::Requests, Confidence::High));
}

/// Of calls whose limit or duration is not logged only the input counts, for a second, and that is said.
#[test]
fn bodies_that_are_off_make_it_unsure() {
    let mut inflight = Inflight::default();
    for call in 0..100 {
        let ask = Ask {
            at_ms: START.0 + call * 100,
            duration_ms: 30_000,
            input: 10_000,
            output: 10,
            max_tokens: 64_000,
        };
        let told = Told { principal: 0, ask, refusal: None };
        let blind = Entry { output_limit: OutputLimit::Unknown, latency_ms: None, ..entry(&told) };
        inflight.observe(START, &blind);
    }
    inflight.observe(START, &entry(&throttled(9_000)));
    let lanes = [Lane { principal: "role/a", minutes: vec![(START, &inflight)] }];
    let limit = Some(Limit { value: 2_000_000, source: LimitSource::Config });
    let limits = PoolLimits { tokens_per_minute: limit, ..PoolLimits::default() };
    let found = explain(&case_of(&lanes, limits, &Counts::default())).unwrap();
    assert_eq!(found.used.reserved_peak, 100_000);
    assert_eq!((found.reason, found.confidence), (Reason::Unknown, Confidence::Low));
    assert_eq!(found.unknown, [Unknown::OutputLimits, Unknown::Durations]);
}

/// `CloudWatch` says that calls were throttled, and the log holds none of them: the fullest second decides, less surely.
#[test]
fn throttles_that_only_other_logs_tell_of_are_explained_by_the_fullest_second() {
    let mut inflight = Inflight::default();
    for call in 0..30 {
        let ask = Ask {
            at_ms: START.0 + 20_000 + call,
            duration_ms: 30_000,
            input: 1_000,
            output: 100,
            max_tokens: 64_000,
        };
        inflight.observe(START, &entry(&Told { principal: 0, ask, refusal: None }));
    }
    let lanes = [Lane { principal: "role/a", minutes: vec![(START, &inflight)] }];
    let nothing = Counts::default();
    let limit = |value| Some(Limit { value, source: LimitSource::Config });
    let limits = PoolLimits { tokens_per_minute: limit(2_000_000), ..PoolLimits::default() };
    let case = Case { elsewhere: 7, ..case_of(&lanes, limits, &nothing) };
    let found = explain(&case).unwrap();
    assert_eq!((found.used.throttled, found.elsewhere), (0, 7));
    assert_eq!((found.reason, found.confidence), (Reason::Reservation, Confidence::Medium));
    assert_eq!(found.unknown, [Unknown::ThrottledCalls]);
    let wide = PoolLimits { tokens_per_minute: limit(9_000_000), ..PoolLimits::default() };
    let found = explain(&Case { elsewhere: 7, ..case_of(&lanes, wide, &nothing) }).unwrap();
    assert_eq!(found.reason, Reason::Unknown);
    assert_eq!(explain(&case_of(&lanes, wide, &nothing)), None, "nothing was throttled");
}

/// All models of an account share a limit of the day.
#[test]
fn the_day_of_the_account_is_a_reason_too() {
    let mut inflight = Inflight::default();
    inflight.observe(START, &entry(&throttled(1_000)));
    let lanes = [Lane { principal: "role/a", minutes: vec![(START, &inflight)] }];
    let nothing = Counts::default();
    let limit = Limit { value: 700_000_000, source: LimitSource::ServiceQuotas };
    let case = case_of(&lanes, PoolLimits::default(), &nothing);
    let of_account = |settled| DayUse { settled, limit: Some(limit), is_of_account: true };
    let found = explain(&Case { day: of_account(699_999_000), ..case }).unwrap();
    assert_eq!(found.reason, Reason::Daily);
    let found = explain(&Case { day: of_account(1_000), ..case }).unwrap();
    assert_eq!(found.reason, Reason::Unknown);
    let of_model =
        DayUse { settled: 90, limit: Some(Limit { value: 100, ..limit }), is_of_account: false };
    assert_eq!(of_model.or_fuller(of_account(629_999_999)), of_model);
    assert_eq!(of_model.or_fuller(of_account(630_000_001)), of_account(630_000_001));
    assert_eq!(DayUse::default().or_fuller(of_account(1)), of_account(1));
}
