//! Plans against cases computed by hand, and what must hold for any traffic.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::charge::Capacity;
use crate::ledger::amounts::Row;
use crate::ledger::delta::SeriesId;
use crate::ledger::rollup::{Horizons, Level, Retention};
use crate::model::money::{PICODOLLARS_PER_USD, Usd};
use crate::model::names::{Outcome, Route, Tier};
use crate::model::series::{ContextBand, SeriesKey};
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};
use crate::model::tokens::{ByClass, TokenClass, TokenCounts};
use crate::price::{Book, Term};

/// 2026-06-01T00:00:00Z.
const DAY: UnixMillis = UnixMillis(1_780_272_000_000);
const CLAUDE: &str = "anthropic.claude-v2:1";
const NOVA: &str = "amazon.nova-lite-v1:0";
const EVERY: Retention =
    Retention { minutes_ms: DAY_MS, hours_ms: 400 * DAY_MS, days_ms: 3_650 * DAY_MS };

fn key(model: &str, tier: Tier) -> SeriesKey {
    SeriesKey {
        provider: "aws.bedrock".to_owned(),
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        model: model.to_owned(),
        route: Route::InRegion,
        geo: String::new(),
        tier,
        principal: "role/a".to_owned(),
        attributes: Vec::new(),
        context: ContextBand(0),
        item: String::new(),
    }
}

fn dollars(text: &str) -> Usd {
    Usd::parse_exact(text).unwrap()
}

fn counts(input: u64, output: u64) -> TokenCounts {
    let mut tokens = TokenCounts::default();
    tokens.set(TokenClass::Input, input);
    tokens.set(TokenClass::Output, output);
    tokens
}

/// A row as the ledger would have it: priced by the book at its time.
fn row(book: &Book, key: &SeriesKey, at: UnixMillis, tokens: TokenCounts) -> Row {
    let charge = book.rate_card(key, at).charge(&tokens);
    let mut row = Row { tokens, cost: charge.cost, unpriced: charge.unpriced, ..Row::default() };
    row.outcomes.add(Outcome::Ok, 1);
    row
}

/// Makes plans of rows: minutes are kept for the day that begins at [`DAY`], hours before.
struct Maker {
    book: Book,
    settings: Settings,
    horizons: Horizons,
    window: Window,
}

impl Maker {
    fn new(since: UnixMillis, until: UnixMillis) -> Self {
        let horizons = Horizons::default().moved(EVERY, DAY.plus(DAY_MS));
        let window = Window::of(since, until, &horizons);
        Self { book: Book::shipped().unwrap(), settings: Settings::default(), horizons, window }
    }

    fn with_capacity(mut self, input: Option<u64>, output: Option<u64>) -> Self {
        let model = CLAUDE.to_owned();
        self.settings
            .capacities
            .push(ModelCapacity { model, per_unit: Capacity { input, output } });
        self
    }

    fn with_alternative(mut self, name: &str) -> Self {
        let (model, route, geo) = (name.to_owned(), Route::InRegion, String::new());
        self.settings.alternatives.push(Alternative { name: name.to_owned(), model, route, geo });
        self
    }

    fn with_machine(mut self, usd: &str, input: u64, output: u64, least: u64) -> Self {
        self.settings.self_hosted.push(SelfHosted {
            name: "gpu".to_owned(),
            per_hour: dollars(usd),
            input_per_second: input,
            output_per_second: output,
            least,
        });
        self
    }

    fn plan(&self, rows: &[(SeriesKey, UnixMillis, TokenCounts)]) -> Plan {
        let mut gatherer = Gatherer::new(&self.book, self.horizons, &self.settings.alternatives);
        let mut keys: Vec<Arc<SeriesKey>> = Vec::new();
        for (key, at, tokens) in rows {
            let known = keys.iter().position(|known| **known == *key);
            let place = known.unwrap_or_else(|| {
                keys.push(Arc::new(key.clone()));
                keys.len() - 1
            });
            let bucket = self.horizons.bucket(*at);
            let row = row(&self.book, key, bucket.start(), *tokens);
            let id = SeriesId(u32::try_from(place).unwrap());
            gatherer.add(id, &keys[place], bucket, &row);
        }
        Plan::of(gatherer, self.window, &self.book, &self.settings, &[])
    }
}

fn quote<'p>(plan: &'p Plan, offer: &Offer) -> &'p Quote {
    let mut quotes = plan.traffic[0].quotes.iter();
    quotes.find(|quote| quote.offer == *offer).unwrap_or_else(|| panic!("no {offer:?}"))
}

fn usd(plan: &Plan, offer: &Offer) -> Usd {
    quote(plan, offer).cost.as_ref().unwrap_or_else(|reason| panic!("{reason:?}")).usd
}

fn reason(plan: &Plan, offer: &Offer) -> String {
    quote(plan, offer).cost.as_ref().expect_err("a price").text(offer)
}

/// A day of Claude: 720 minutes of 10,000 input and 1,000 output tokens, then one of 30,000 and 3,000. At $8 and
/// $24 a million tokens a minute costs 0.08 + 0.024 = $0.104, the last one $0.312: $75.192.
fn day_of_claude() -> Vec<(SeriesKey, UnixMillis, TokenCounts)> {
    let at = |minute: i64| DAY.plus(minute * MINUTE_MS);
    let key = key(CLAUDE, Tier::Standard);
    let mut rows: Vec<_> =
        (0..720).map(|minute| (key.clone(), at(minute), counts(10_000, 1_000))).collect();
    rows.push((key, at(720), counts(30_000, 3_000)));
    rows
}

#[test]
fn provisioned_throughput_by_hand() {
    let maker = Maker::new(DAY, DAY.plus(DAY_MS)).with_capacity(Some(10_000), Some(2_000));
    let plan = maker.plan(&day_of_claude());
    assert_eq!((plan.window.hours(), plan.window.known_minutes()), (24, 1_440));
    assert_eq!(usd(&plan, &Offer::Tier(Tier::Standard)), dollars("75.192"));
    // $63 an hour for 24 hours; of the last minute a unit serves a third, so 0.312 × 2/3 flow over.
    let offer = Offer::Provisioned(Term::OneMonth);
    let found = quote(&plan, &offer);
    let fleet = found.cost.as_ref().unwrap().fleet.as_ref().unwrap();
    assert_eq!(fleet.chosen.fixed, dollars("1512"));
    assert_eq!(fleet.chosen.overflow, dollars("0.208"));
    assert_eq!((fleet.chosen.units, fleet.chosen.overflow_tokens), (1, 22_000));
    assert_eq!(usd(&plan, &offer), dollars("1512.208"));
    // A month of 730 hours at least, half a year for the other term.
    assert_eq!(fleet.committed, Some(dollars("45990")));
    let half_year = quote(&plan, &Offer::Provisioned(Term::SixMonths));
    let cost = half_year.cost.as_ref().unwrap();
    assert_eq!(cost.fleet.as_ref().unwrap().committed, Some(dollars("153264.96")));
    // 721 of 1,440 minutes have tokens: half of all have none or fewer than that.
    let units: Vec<_> =
        fleet.sizes.iter().map(|size| (size.percentile.as_str(), size.sized.units)).collect();
    assert_eq!(units, [("p50", 1), ("p90", 1), ("p95", 1), ("p99", 1), ("max", 3)]);
    assert_eq!(fleet.sizes[4].sized.total(), dollars("4536"));
    // 11 tokens cost 8 × 10 + 24 = 104 millionths of a dollar, so $63 are paid by 6,663,461.5 tokens an hour:
    // 111,057.7 a minute, of which a unit serves 11,000 with this mix.
    assert_eq!(found.unit.unwrap().break_even, Some(111_058));
    assert_eq!(fleet.unit_tokens, Some(11_000));
    assert!(!fleet.can_pay(Some(111_058)));
    assert_eq!(
        reason(&plan, &Offer::Provisioned(Term::None)),
        "no hourly price of the term `none` in the price book"
    );
}

#[test]
fn percentiles_count_minutes_without_calls() {
    let plan = Maker::new(DAY, DAY.plus(DAY_MS)).plan(&day_of_claude());
    let minutes = &plan.traffic[0].minutes;
    let found = Percentile::ALL.map(|percentile| minutes.tokens(percentile).unwrap());
    // The 720th of 1,440 minutes is the first of the 721 with tokens, behind 719 without.
    assert_eq!(found, [11_000, 11_000, 11_000, 11_000, 33_000]);
    let mut short = day_of_claude();
    short.drain(..2);
    let plan = Maker::new(DAY, DAY.plus(DAY_MS)).plan(&short);
    // Nothing is known before the third minute; 719 of 1,438 minutes have tokens.
    assert_eq!(plan.window.from, DAY.plus(2 * MINUTE_MS));
    assert_eq!(plan.traffic[0].minutes.tokens(Percentile::P50), Some(0));
}

#[test]
fn without_a_capacity_or_a_price_nothing_is_guessed() {
    let rows = day_of_claude();
    let plan = Maker::new(DAY, DAY.plus(DAY_MS)).plan(&rows);
    let month = Offer::Provisioned(Term::OneMonth);
    assert_eq!(reason(&plan, &month), "capacity per unit not declared");
    let unit = quote(&plan, &month).unit.unwrap();
    assert_eq!((unit.per_hour, unit.break_even), (dollars("63"), Some(111_058)));
    assert_eq!(reason(&plan, &Offer::Tier(Tier::Batch)), "no batch price in the price book");
    let unknown = Maker::new(DAY, DAY.plus(DAY_MS)).with_alternative("acme.none-v1:0").plan(&rows);
    let model = Offer::Model("acme.none-v1:0".to_owned());
    assert_eq!(reason(&unknown, &model), "the price book does not know the model");
    // The standard tier has a price for cache reads, batch has none: it is not taken from there.
    let mut tokens = counts(1_000_000, 0);
    let nova = |tokens| {
        Maker::new(DAY, DAY.plus(DAY_MS)).plan(&[(key(NOVA, Tier::Standard), DAY, tokens)])
    };
    assert_eq!(usd(&nova(tokens), &Offer::Tier(Tier::Batch)), dollars("0.03"));
    tokens.set(TokenClass::CacheRead, 1);
    assert_eq!(
        reason(&nova(tokens), &Offer::Tier(Tier::Batch)),
        "no batch price for cache_read tokens in the price book"
    );
}

#[test]
fn tiers_and_other_models_by_hand() {
    // Nova Lite: $0.06 and $0.24 a million tokens, half of it in batches, whatever tier the calls had.
    let day = Maker::new(DAY, DAY.plus(DAY_MS)).with_alternative("amazon.nova-micro-v1:0");
    let rows = [
        (key(NOVA, Tier::Standard), DAY, counts(1_000_000, 500_000)),
        (key(NOVA, Tier::Batch), DAY.plus(HOUR_MS), counts(1_000_000, 500_000)),
    ];
    let plan = day.plan(&rows);
    assert_eq!(plan.traffic[0].booked, dollars("0.27"));
    assert_eq!(usd(&plan, &Offer::Tier(Tier::Standard)), dollars("0.36"));
    assert_eq!(usd(&plan, &Offer::Tier(Tier::Batch)), dollars("0.18"));
    // Nova Micro: $0.035 and $0.14.
    assert_eq!(usd(&plan, &Offer::Model("amazon.nova-micro-v1:0".to_owned())), dollars("0.21"));
    let same = Maker::new(DAY, DAY.plus(DAY_MS)).with_alternative(NOVA).plan(&rows);
    assert!(same.traffic[0].quotes.iter().all(|quote| !matches!(quote.offer, Offer::Model(_))));
}

#[test]
fn machines_by_hand() {
    // An instance takes 60,000 input and 6,000 output tokens a minute, so one of the two serves all.
    let maker = Maker::new(DAY, DAY.plus(DAY_MS)).with_machine("4.1", 1_000, 100, 2);
    let plan = maker.plan(&day_of_claude());
    let offer = Offer::SelfHosted("gpu".to_owned());
    assert_eq!(usd(&plan, &offer), dollars("196.8"));
    // Two for $8.20 an hour pay from 867,307.7 tokens an hour on.
    assert_eq!(quote(&plan, &offer).unit.unwrap().break_even, Some(14_456));
    let month = quote(&plan, &offer).curve.unwrap();
    assert_eq!(month.month(0), dollars("5986"));
    assert_eq!(month.month(132_000), dollars("5986"));
    assert_eq!(month.month(132_001), dollars("8979"));
}

#[test]
fn hours_bound_what_they_do_not_tell() {
    let before = DAY.plus(-DAY_MS);
    let key = key(CLAUDE, Tier::Standard);
    // An hour before minutes were kept: 600,000 tokens, 10,000 a minute on average.
    let rows = [(key.clone(), before, counts(600_000, 0)), (key, DAY, counts(5_000, 0))];
    let maker = Maker::new(before, DAY.plus(DAY_MS)).with_capacity(Some(5_000), None);
    let plan = maker.plan(&rows);
    assert_eq!((plan.window.hours(), plan.window.minutes_from), (48, DAY));
    let traffic = &plan.traffic[0];
    assert_eq!(traffic.minutes.tokens(Percentile::Max), Some(5_000));
    assert_eq!(traffic.minutes.longer_mean_max, Some(10_000));
    let offer = Offer::Provisioned(Term::OneMonth);
    let fleet = quote(&plan, &offer).cost.as_ref().unwrap().fleet.as_ref().unwrap();
    // Half of the hour flows over: 300,000 tokens at $8 a million.
    assert_eq!(fleet.chosen.overflow, dollars("2.4"));
    let told = plan.assumptions.join("\n");
    assert!(
        told.contains("since 2026-06-01T00:00:00Z") && told.contains("a lower bound"),
        "{told}"
    );
}

#[test]
fn what_ran_on_provisioned_throughput_is_priced_in_its_region_and_items_are_apart() {
    let mut provisioned = key(CLAUDE, Tier::Standard);
    provisioned.route = Route::Provisioned;
    let maker = Maker::new(DAY, DAY.plus(DAY_MS));
    let plan = maker.plan(&[(provisioned, DAY, counts(1_000_000, 0))]);
    assert_eq!(usd(&plan, &Offer::Tier(Tier::Standard)), dollars("8"));
    assert_eq!((plan.traffic[0].booked, plan.traffic[0].booked_unpriced), (Usd::ZERO, 1_000_000));
    let mut gatherer = Gatherer::new(&maker.book, maker.horizons, &[]);
    let item = Arc::new(SeriesKey { item: "unit".to_owned(), ..key(CLAUDE, Tier::Standard) });
    for hour in 0..2 {
        let row = Row { charge: dollars("63"), ..Row::default() };
        let bucket = maker.horizons.bucket(DAY.plus(hour * HOUR_MS));
        gatherer.add(SeriesId(0), &item, bucket, &row);
    }
    let plan = Plan::of(gatherer, maker.window, &maker.book, &maker.settings, &[]);
    assert!(plan.traffic.is_empty());
    assert_eq!(plan.window.from, maker.window.from);
    assert_eq!(plan.items[0].usd, dollars("126"));
}

fn any_tokens() -> impl Strategy<Value = TokenCounts> {
    prop::array::uniform6(0u64..1 << 24).prop_map(ByClass)
}

/// Rows of a few series in minutes and hours of two days.
fn any_rows() -> impl Strategy<Value = Vec<(SeriesKey, UnixMillis, TokenCounts)>> {
    let models = prop::sample::select(vec![CLAUDE, NOVA]);
    let tiers = prop::sample::select(vec![Tier::Standard, Tier::Batch]);
    let at = (-1_440i64..1_440).prop_map(|minute| DAY.plus(minute * MINUTE_MS));
    let row = (models, tiers, at, any_tokens())
        .prop_map(|(model, tier, at, tokens)| (key(model, tier), at, tokens));
    prop::collection::vec(row, 1..20)
}

fn any_stretches() -> impl Strategy<Value = Vec<Stretch>> {
    let stretch =
        (prop::sample::select(vec![1u64, 60]), 0u64..100_000, 0u64..20_000, 0i128..1 << 40);
    let stretch = stretch.prop_map(|(minutes, input, output, cost)| Stretch {
        minutes,
        input,
        output,
        on_demand: Usd(cost),
    });
    prop::collection::vec(stretch, 0..30)
}

fn any_fleet() -> impl Strategy<Value = Fleet> {
    let limit = || prop::option::of(1u64..50_000);
    (0i128..1 << 42, limit(), limit(), 1u64..4).prop_map(|(usd, input, output, least)| Fleet {
        per_hour: Usd(usd),
        input,
        output,
        least,
    })
}

/// The maker of all properties: prices by the unit, of machines and of another model.
fn full() -> Maker {
    Maker::new(DAY.plus(-DAY_MS), DAY.plus(DAY_MS))
        .with_capacity(Some(20_000), Some(3_000))
        .with_alternative("amazon.nova-micro-v1:0")
        .with_machine("4.1", 500, 50, 2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn on_demand_is_what_the_ledger_has_to_the_picodollar(mut rows in any_rows()) {
        for (key, ..) in &mut rows {
            key.tier = Tier::Standard;
        }
        let plan = full().plan(&rows);
        for traffic in &plan.traffic {
            let on_demand = &traffic.quotes[0];
            match &on_demand.cost {
                Ok(cost) => {
                    prop_assert_eq!(cost.usd, traffic.booked);
                    prop_assert_eq!(traffic.booked_unpriced, 0);
                }
                Err(NoPrice::Tokens { tokens, .. }) => {
                    prop_assert_eq!(*tokens, traffic.booked_unpriced);
                }
                Err(other) => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn splitting_and_moving_rows_changes_nothing(rows in any_rows(), seed in any::<u64>()) {
        let maker = full();
        let mut parts = Vec::new();
        for (place, (key, at, tokens)) in rows.iter().enumerate() {
            let part = ByClass(tokens.0.map(|count| count / (seed >> (place % 32)).max(1)));
            let rest = ByClass(std::array::from_fn(|class| tokens.0[class] - part.0[class]));
            parts.insert(parts.len() / 2, (key.clone(), *at, part));
            parts.push((key.clone(), *at, rest));
        }
        let (mut whole, mut split) = (maker.plan(&rows), maker.plan(&parts));
        for plan in [&mut whole, &mut split] {
            plan.traffic.iter_mut().for_each(|traffic| traffic.requests = 0);
        }
        prop_assert_eq!(whole, split);
    }

    /// To within a picodollar of rounding for every row, and for as many units.
    #[test]
    fn more_load_never_costs_less_on_any_option(
        rows in any_rows(), place in any::<prop::sample::Index>(), more in any_tokens()
    ) {
        let maker = full();
        let mut larger = rows.clone();
        let chosen = place.index(rows.len());
        larger.push((rows[chosen].0.clone(), rows[chosen].1, more));
        let (less, more) = (maker.plan(&rows), maker.plan(&larger));
        for traffic in &less.traffic {
            let same = more.traffic.iter().find(|one| one.key == traffic.key).unwrap();
            for (before, after) in traffic.quotes.iter().zip(&same.quotes) {
                prop_assert_eq!(&before.offer, &after.offer);
                if let (Ok(before), Ok(after)) = (&before.cost, &after.cost) {
                    prop_assert!(after.usd.0 + 100 >= before.usd.0, "{:?} {:?}", before, after);
                }
            }
        }
    }

    #[test]
    fn a_number_of_units_costs_no_less_for_more_load_and_serves_no_less_than_fewer(
        fleet in any_fleet(), stretches in any_stretches(), units in 1u64..20,
        place in any::<prop::sample::Index>(), input in 0u64..50_000, output in 0u64..50_000,
    ) {
        let sized = fleet.sized(units, &stretches, 24);
        prop_assert!(fleet.sized(units + 1, &stretches, 24).overflow <= sized.overflow);
        if stretches.is_empty() {
            return Ok(());
        }
        let mut larger = stretches.clone();
        let stretch = &mut larger[place.index(stretches.len())];
        stretch.input += input;
        stretch.output += output;
        stretch.on_demand += Usd(i128::from(input + output) * 1_000);
        let more = fleet.sized(units, &larger, 24);
        prop_assert!(more.overflow >= sized.overflow && more.fixed == sized.fixed);
        prop_assert!(fleet.needed(&larger[0]) >= fleet.needed(&stretches[0]));
    }

    #[test]
    fn the_cheapest_number_of_units_is_no_dearer_than_any_other(
        fleet in any_fleet(), stretches in any_stretches(), hours in 1u64..1_000
    ) {
        let cheapest = fleet.cheapest(&stretches, hours);
        let all = stretches.iter().map(|stretch| fleet.needed(stretch)).max().unwrap_or(1);
        for units in (fleet.least..=all.max(fleet.least)).take(300) {
            let other = fleet.sized(units, &stretches, hours);
            prop_assert!(cheapest.total().0 <= other.total().0 + 100, "{:?} {:?}", cheapest, other);
        }
        for stretch in &stretches {
            let one = std::slice::from_ref(stretch);
            let needed = fleet.needed(stretch);
            prop_assert_eq!(fleet.sized(needed, one, 1).overflow_tokens, 0);
            let fewer = fleet.sized(needed - 1, one, 1).overflow_tokens;
            prop_assert!(needed <= fleet.least || fewer > 0);
        }
    }

    /// At the load that pays units cost no more, and just below it they cost no less.
    #[test]
    fn a_load_pays_from_the_break_even_on(
        per_hour in 1i128..1 << 46, usd in 1i128..1 << 60, tokens in 1u64..1 << 32, least in 1u64..5
    ) {
        let load = Curve::break_even(Usd(per_hour), least, Usd(usd), tokens).unwrap();
        let line = Curve::Line { usd: Usd(usd), tokens };
        let steps = Curve::Steps { per_hour: Usd(per_hour), unit: u64::MAX, least };
        if load < 1 << 40 {
            prop_assert!(steps.month(load) <= line.month(load));
            prop_assert!(load == 0 || line.month(load - 1) <= steps.month(load - 1));
        }
        prop_assert!(line.month(load) <= line.month(load.saturating_add(1)));
    }
}

#[test]
fn a_month_of_a_dollar_a_million_tokens() {
    let line = Curve::Line { usd: Usd(PICODOLLARS_PER_USD), tokens: 1_000_000 };
    // 1,000 tokens a minute are 43.8 million in 730 hours.
    assert_eq!(line.month(1_000), dollars("43.8"));
}

#[test]
fn a_window_is_of_whole_rows() {
    let maker = Maker::new(DAY.plus(-DAY_MS + 90_000), DAY.plus(30_000));
    assert_eq!(maker.window.from, DAY.plus(-DAY_MS));
    assert_eq!(maker.window.to, DAY.plus(MINUTE_MS));
    assert_eq!(maker.window.hours(), 25);
    let old = Maker::new(UnixMillis(0), DAY.plus(-390 * DAY_MS));
    assert_eq!(old.window.from, old.horizons.days_from);
    assert_eq!(old.horizons.bucket(old.window.to).level, Level::Hour);
}
