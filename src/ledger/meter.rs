//! Lines and frames to rated entries: decoding, resolving and rating, the same code for `run` and `scan`.
//!
//! What a line is worth is decided once per combination of what it names (account, region, model,
//! caller, tier, …) and then looked up by those bytes, since a log repeats few of them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::batch::{Entry, Group, Observation, OutputLimit, Rated, SignalEntry};
use super::combination::{Combination, RECENT};
use super::record_ids::RecordIds;
use super::signals::label;
use crate::decode::frame::{Part, Unit, is_leftover, parts, units};
use crate::decode::{Decoder, Invocation, Item, Refused, SignalRecord, is_blank};
use crate::model::log_format::LogFormat;
use crate::model::model_ref::ModelRef;
use crate::model::names::{LineResult, Outcome, RecordKind, Reject, Route};
use crate::model::principal::{UNKNOWN_PRINCIPAL, principal_of_arn};
use crate::model::series::{
    ContextBand, LABEL_CHARS_MAX, PROVIDER_BEDROCK, SeriesKey, UNKNOWN, label_value,
};
use crate::model::signal::SignalKey;
use crate::model::time::UnixMillis;
use crate::model::tokens::{ByClass, TokenClass};
use crate::price::{Book, RateCard, Validity};

/// Combinations kept; a log with more (hostile or broken) makes them start over.
const COMBINATIONS_MAX: usize = 16_384;

/// What decides how records are resolved and rated. Shared by all meters of a process.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The price book.
    pub book: Arc<Book>,
    /// What stands behind opaque model ARNs.
    pub models: Arc<BTreeMap<String, String>>,
    /// When the ARNs of provisioned throughput are paid by the hour.
    pub provisioned: Arc<BTreeMap<String, Vec<Validity>>>,
    /// Keys of request metadata to keep as attributes.
    pub attributes: Arc<[String]>,
    /// Logs that the config describes.
    pub formats: Arc<[LogFormat]>,
    /// Secret key of the hashes of request ids.
    pub seed: u64,
    /// Whether records get an id, for who tells duplicates.
    pub ids: bool,
    /// Whether to decode with the plain decoder.
    pub plain: bool,
}

/// A decoder and rater for one thread.
pub struct Meter {
    decoder: Decoder,
    rater: Rater,
    /// Entries that the next batch may have.
    entries_expected: usize,
}

/// What rates records once they are decoded.
struct Rater {
    rules: Rules,
    combinations: HashMap<Box<[u8]>, usize, foldhash::fast::FixedState>,
    resolved: Vec<Resolved>,
    /// Combinations that were looked up lately, by what is quickly told of them.
    recent: Box<[Option<usize>; RECENT]>,
    /// Bytes of the combination being looked up.
    key: Vec<u8>,
    ids: RecordIds,
    batch: u64,
}

/// What the names of a record that is no call stand for.
struct ResolvedSignal {
    model: String,
    route: Route,
    principal: String,
}

/// A combination, and its place in the batch being made.
struct Resolved {
    key: Box<[u8]>,
    group: Arc<Group>,
    batch: u64,
    place: u32,
}

/// What [`Meter::rate_seen`] shows.
#[derive(Debug)]
pub enum Seen<'r> {
    /// A record.
    Record(Sight<'r>),
    /// Something that was not counted.
    Refused(RefusedSight<'r>),
}

/// One record.
#[derive(Debug)]
pub enum Sight<'r> {
    /// A call.
    Call(CallSight<'r>),
    /// Something else that happened.
    Signal(SignalSight<'r>),
}

/// Something that was not counted.
#[derive(Debug)]
pub struct RefusedSight<'r> {
    /// Where its line or frame stands in the lines.
    pub place: Range<usize>,
    /// Why.
    pub reject: Reject,
    /// What it is.
    pub part: Refused<'r>,
}

/// A record that is no call: what it says, and what its names are resolved to.
#[derive(Debug)]
pub struct SignalSight<'r> {
    /// Where its line or frame stands in the lines.
    pub place: Range<usize>,
    /// What it says.
    pub record: &'r SignalRecord<'r>,
    /// Base model id, or [`UNKNOWN`].
    pub model: &'r str,
    /// Who called, or [`UNKNOWN_PRINCIPAL`].
    pub principal: &'r str,
}

/// A call: its entry, and what entries do not keep.
#[derive(Debug)]
pub struct CallSight<'r> {
    /// Where its line or frame stands in the lines.
    pub place: Range<usize>,
    /// Id of the request, as logged.
    pub request_id: Option<&'r str>,
    /// The limit on output that the request asked for.
    pub max_tokens: Option<u64>,
    /// The entry.
    pub entry: &'r Entry,
    /// The group of the entry.
    pub group: &'r Arc<Group>,
}

impl Meter {
    /// Returns a meter under `rules`.
    pub fn new(rules: Rules) -> Self {
        let decoder = Decoder::with_formats(&rules.attributes, &rules.formats);
        let decoder = if rules.plain { decoder.made_plain() } else { decoder };
        let rater = Rater {
            ids: RecordIds::new(rules.seed),
            rules,
            combinations: HashMap::default(),
            resolved: Vec::new(),
            recent: Box::new([None; RECENT]),
            key: Vec::new(),
            batch: 0,
        };
        Self { decoder, rater, entries_expected: 0 }
    }

    /// Rates `lines`, which end in line feeds (the last one may not) but for those in `frames`.
    pub fn rate(&mut self, lines: &[u8], frames: &[Range<usize>]) -> Rated {
        self.rate_seen(lines, frames, |_| {})
    }

    /// Does the same and shows everything on the way, calls, in the order of [`Rated::entries`].
    pub fn rate_seen(
        &mut self,
        lines: &[u8],
        frames: &[Range<usize>],
        see: impl FnMut(&Seen<'_>),
    ) -> Rated {
        let entries = Vec::with_capacity(self.entries_expected);
        let mut rated = Rated { entries, ..Rated::default() };
        self.rate_all(lines, frames, &mut rated, see);
        // The next batch is mostly as large, and to grow into it would copy it all again.
        self.entries_expected = rated.entries.len() + rated.entries.len() / 16;
        rated
    }

    /// Rates `lines` into `rated`, which must be empty: for who rates many lines and uses its memory
    /// again.
    pub fn rate_into(&mut self, lines: &[u8], frames: &[Range<usize>], rated: &mut Rated) {
        self.rate_all(lines, frames, rated, |_| {});
    }

    fn rate_all(
        &mut self,
        lines: &[u8],
        frames: &[Range<usize>],
        rated: &mut Rated,
        mut see: impl FnMut(&Seen<'_>),
    ) {
        self.rater.begin();
        for Unit { range, is_frame } in units(lines, frames) {
            let Some(text) = lines.get(range.clone()) else { continue };
            if is_frame {
                parts(text, |at, part| {
                    let place = range.start.saturating_add(at)..range.end;
                    self.rate_part(part, place, rated, &mut see);
                });
                continue;
            }
            let line = text.strip_suffix(b"\n").unwrap_or(text);
            if !is_blank(line) {
                let part = if is_leftover(line) { Part::Leftover } else { Part::Text(line) };
                self.rate_part(part, range, rated, &mut see);
            }
        }
    }

    fn rate_part(
        &mut self,
        part: Part<'_>,
        place: Range<usize>,
        rated: &mut Rated,
        see: &mut impl FnMut(&Seen<'_>),
    ) {
        let Part::Text(text) = part else { return rated.reject(Reject::Truncated, place.start) };
        let rater = &mut self.rater;
        self.decoder.each(text, &mut |item| match item {
            Item::Record { invocation, event_id } => {
                rater.rate(&invocation, event_id, rated, |entry, group| {
                    see(&Seen::Record(Sight::Call(CallSight {
                        place: place.clone(),
                        request_id: invocation.request_id.as_deref(),
                        max_tokens: invocation.max_tokens,
                        entry,
                        group,
                    })));
                });
            }
            Item::Signal { signal, event_id } => {
                let resolved = rater.resolved_signal(&signal);
                see(&Seen::Record(Sight::Signal(SignalSight {
                    place: place.clone(),
                    record: &signal,
                    model: &resolved.model,
                    principal: &resolved.principal,
                })));
                rated.signals.push(rater.signal(&signal, &resolved, event_id));
            }
            Item::Rejected { reject, part } => {
                rated.reject(reject, place.start);
                see(&Seen::Refused(RefusedSight { place: place.clone(), reject, part }));
            }
            Item::Ignored => rated.rejected.add((None, LineResult::Ignored), 1),
        });
    }
}

impl Rater {
    /// Begins a batch.
    fn begin(&mut self) {
        self.batch += 1;
        if self.resolved.len() > COMBINATIONS_MAX {
            self.combinations.clear();
            self.resolved.clear();
            self.recent.fill(None);
        }
    }

    fn rate(
        &mut self,
        invocation: &Invocation<'_>,
        event_id: Option<&str>,
        rated: &mut Rated,
        see: impl FnOnce(&Entry, &Arc<Group>),
    ) {
        let tokens = narrowed(invocation);
        let context = ContextBand::of_input(invocation.tokens.total_input());
        let index = self.combination(&Combination::of(invocation, context), invocation);
        let (id, has_shared_id) =
            if self.rules.ids { self.ids.of_call(invocation, event_id) } else { (None, false) };
        if let Some(resolved) = self.resolved.get_mut(index) {
            resolved.refresh(&self.rules, invocation.at);
            let place = resolved.place_in(self.batch, rated);
            let entry = Entry { id, has_shared_id, ..entry(invocation, place, tokens) };
            see(&entry, &resolved.group);
            rated.entries.push(entry);
        }
    }

    /// Returns the place of a combination among the resolved ones.
    fn combination(&mut self, combination: &Combination<'_>, invocation: &Invocation<'_>) -> usize {
        let place = combination.place();
        let recent = self.recent.get(place).copied().flatten();
        if let Some(index) = recent
            && let Some(resolved) = self.resolved.get(index)
            && combination.has_key(&resolved.key)
        {
            return index;
        }
        combination.write(&mut self.key);
        let index = if let Some(&known) = self.combinations.get(self.key.as_slice()) {
            known
        } else {
            let index = self.resolved.len();
            let group = Arc::new(resolve(&self.rules, invocation, combination.context));
            let key = self.key.clone().into_boxed_slice();
            self.combinations.insert(key.clone(), index);
            self.resolved.push(Resolved { key, group, batch: 0, place: 0 });
            index
        };
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = Some(index);
        }
        index
    }
}

impl Rater {
    /// Resolves the model and the caller of a record that is no call.
    fn resolved_signal(&self, record: &SignalRecord<'_>) -> ResolvedSignal {
        let logged = record.model_id.as_deref().unwrap_or(UNKNOWN);
        let model = ModelRef::parse(logged);
        let model = match self.rules.models.get(logged) {
            Some(target) => model.mapped_to(target),
            None => model,
        };
        let principal = record.identity_arn.as_deref().map(principal_of_arn);
        let principal = label_value(principal.as_deref().unwrap_or(UNKNOWN_PRINCIPAL));
        ResolvedSignal { model: model.model, route: model.route, principal }
    }

    fn signal(
        &mut self,
        record: &SignalRecord<'_>,
        resolved: &ResolvedSignal,
        event_id: Option<&str>,
    ) -> SignalEntry {
        let or_unknown = |text: Option<&str>| label_value(text.unwrap_or(UNKNOWN));
        let account = or_unknown(record.account.as_deref());
        let region = or_unknown(record.region.as_deref());
        let observations = record.measurements.iter().map(|measurement| {
            let mut own = measurement.labels.iter();
            let value = |name: &&str| match *name {
                "model" => resolved.model.clone(),
                "route" => resolved.route.as_str().to_owned(),
                "principal" => resolved.principal.clone(),
                _ => own.next().map_or_else(String::new, |text| label(text)),
            };
            let key = SignalKey {
                signal: measurement.signal,
                account: account.clone(),
                region: region.clone(),
                values: measurement.signal.labels().iter().map(value).collect(),
            };
            Observation { key, count: measurement.count, value: measurement.value }
        });
        let observations = observations.collect();
        let id = self.ids.of_signal(record, &account, &region, event_id);
        SignalEntry { kind: record.kind, at: record.at, id, observations }
    }
}

impl Resolved {
    /// Takes the prices of another time if those at hand do not hold at `at`.
    fn refresh(&mut self, rules: &Rules, at: UnixMillis) {
        if !self.group.card.valid.holds_at(at) {
            let card = card(rules, &self.group.model_id, &self.group.series, at);
            let Group { series, model_id, .. } = &*self.group;
            self.group =
                Arc::new(Group { series: series.clone(), model_id: model_id.clone(), card });
            self.batch = 0;
        }
    }

    fn place_in(&mut self, batch: u64, rated: &mut Rated) -> u32 {
        if self.batch != batch {
            self.batch = batch;
            self.place = u32::try_from(rated.groups.len()).unwrap_or(u32::MAX);
            rated.groups.push(Arc::clone(&self.group));
        }
        self.place
    }
}

impl Rated {
    fn reject(&mut self, reject: Reject, offset: usize) {
        self.rejected.add((None, LineResult::Rejected(reject)), 1);
        if !self.examples.iter().any(|(known, _)| *known == reject) {
            self.examples.push((reject, offset));
        }
    }
}

fn resolve(rules: &Rules, invocation: &Invocation<'_>, context: ContextBand) -> Group {
    let logged = &*invocation.model_id;
    let mut model = ModelRef::parse(logged);
    if let Some(target) = rules.models.get(logged) {
        model = model.mapped_to(target);
    } else if let Some(invoked) = invocation.invoked_model_id.as_deref() {
        model = model.mapped_to(invoked);
    }
    let is_bedrock =
        matches!(invocation.kind, RecordKind::BedrockInvocation | RecordKind::BatchOutput)
            || logged.starts_with("arn:aws")
            || rules.book.knows(&model.model);
    let or_unknown = |text: &Option<_>| label_value(text.as_deref().unwrap_or(UNKNOWN));
    let arn = invocation.identity_arn.as_deref();
    let attributes = rules.attributes.iter().cloned();
    let values = invocation
        .attributes
        .iter()
        .map(|value| value.as_deref().unwrap_or("").chars().take(LABEL_CHARS_MAX).collect());
    let series = SeriesKey {
        provider: if is_bedrock { PROVIDER_BEDROCK } else { UNKNOWN }.to_owned(),
        account: or_unknown(&invocation.account),
        region: or_unknown(&invocation.region),
        model: model.model,
        route: model.route,
        geo: model.geo,
        tier: invocation.tier,
        principal: arn
            .map_or(UNKNOWN_PRINCIPAL.to_owned(), |arn| label_value(&principal_of_arn(arn))),
        attributes: attributes.zip(values).collect(),
        context,
        item: String::new(),
    };
    let card = card(rules, logged, &series, invocation.at);
    Group { series, model_id: label_value(logged), card }
}

/// Returns the prices of a series of calls of the model id `logged`.
fn card(rules: &Rules, logged: &str, series: &SeriesKey, at: UnixMillis) -> RateCard {
    match rules.provisioned.get(logged).filter(|_| series.route == Route::Provisioned) {
        Some(times) => RateCard::of_provisioned(times, at),
        None => rules.book.rate_card(series, at),
    }
}

fn narrowed(invocation: &Invocation<'_>) -> ByClass<u32> {
    // The decoder refuses counts beyond `TOKENS_PER_CALL_MAX`, which is what fits.
    ByClass(invocation.tokens.0.map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX)))
}

fn entry(invocation: &Invocation<'_>, group: u32, tokens: ByClass<u32>) -> Entry {
    let narrow = |ms: u64| u32::try_from(ms).unwrap_or(u32::MAX);
    Entry {
        group,
        at: invocation.at,
        id: None,
        has_shared_id: false,
        is_told_elsewhere: false,
        kind: invocation.kind,
        operation: invocation.operation,
        outcome: invocation.outcome,
        error_code: invocation.error_code,
        retries_exhausted: invocation
            .retries_exhausted
            .map(|retries| u16::try_from(retries).unwrap_or(u16::MAX)),
        throttle: invocation.throttle,
        output_limit: match invocation.max_tokens {
            Some(tokens) => OutputLimit::Tokens(narrow(tokens)),
            None if invocation.has_prompt => OutputLimit::Unset,
            None => OutputLimit::Unknown,
        },
        stop_reason: invocation.stop_reason,
        empty: invocation.outcome == Outcome::Ok
            && invocation.has_output_count
            && tokens.get(TokenClass::Output) == 0,
        tokens,
        reasoning_tokens: narrow(invocation.reasoning_tokens),
        latency_ms: invocation.latency_ms.map(narrow),
        first_byte_ms: invocation.first_byte_ms.map(narrow),
        reported_cost: invocation.reported_cost,
        approximations: invocation.approximations,
    }
}
