//! Adds rows up to an answer. The same rows give the same answer in whatever order and pieces they come.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::answer::{Answer, Doubt, Group, Instant, Rest, Share, State, StepSums};
use super::dimension::Dimension;
use super::question::{Question, Refusal};
use super::sums::Sums;
use super::used::Used;
use crate::budget::period::Interval;
use crate::budget::scope::Label;
use crate::ledger::delta::SeriesId;
use crate::ledger::rollup::{Bucket, Horizons, Level};
use crate::model::series::SeriesKey;
use crate::model::time::{DAY_MS, HOUR_MS, MINUTE_MS, UnixMillis};

/// Returns the place of a series among the groups.
pub type SeriesLookup = HashMap<SeriesId, u32, foldhash::fast::FixedState>;

/// Sums that rows are added to.
pub struct Tally<'q> {
    question: &'q Question,
    horizons: Horizons,
    by: Vec<Dimension>,
    groups: Vec<Tallied>,
    of_series: SeriesLookup,
    /// The piece that the last row was in: the next one mostly is, too.
    piece: Interval,
    cells: usize,
    cells_max: usize,
    doubt: Doubt,
}

#[derive(Default)]
struct Tallied {
    labels: Vec<String>,
    sums: Sums,
    /// By start of their step, in order.
    steps: Vec<(UnixMillis, Sums)>,
}

/// Most steps of all groups together in an answer that is sent: some 40 MB.
pub const CELLS_MAX: usize = 100_000;

impl<'q> Tally<'q> {
    /// Returns sums for the groups that `series` make. `cells_max` bounds the steps of all groups together.
    pub fn new<'s>(
        question: &'q Question,
        horizons: Horizons,
        series: impl Iterator<Item = (SeriesId, &'s SeriesKey)>,
        cells_max: usize,
    ) -> Self {
        let taken: Vec<_> = series.filter(|(_, key)| question.takes(key)).collect();
        let by = match &question.by {
            Some(by) => by.clone(),
            None => everything(taken.iter().map(|(_, key)| *key)),
        };
        let mut groups: Vec<Tallied> = Vec::new();
        let mut places: HashMap<Vec<&str>, u32> = HashMap::new();
        let mut of_series = SeriesLookup::default();
        for (id, key) in taken {
            let labels: Vec<&str> = by.iter().map(|dimension| dimension.of(key)).collect();
            let place = *places.entry(labels).or_insert_with_key(|labels| {
                let labels = labels.iter().map(|label| (*label).to_owned()).collect();
                groups.push(Tallied { labels, ..Tallied::default() });
                u32::try_from(groups.len() - 1).unwrap_or(u32::MAX)
            });
            of_series.insert(id, place);
        }
        let nowhere = Interval { start: UnixMillis(0), end: UnixMillis(0) };
        Self {
            question,
            horizons,
            by,
            groups,
            of_series,
            piece: nowhere,
            cells: 0,
            cells_max,
            doubt: Doubt::default(),
        }
    }

    /// Returns the levels with the range in which rows that matter start.
    pub fn ranges(&self) -> [(Level, UnixMillis, UnixMillis); 4] {
        let (from, to) = (self.question.first(), self.question.to);
        [
            (Level::Ever, from, to),
            (Level::Day, from.floor(DAY_MS), to),
            (Level::Hour, from.floor(HOUR_MS), to),
            (Level::Minute, from.floor(MINUTE_MS), to),
        ]
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Refuses when there are too many steps of groups.
    pub fn add(&mut self, bucket: Bucket, series: SeriesId, row: &Used) -> Result<(), Refusal> {
        let Some(place) = self.of_series.get(&series) else { return Ok(()) };
        let Some(group) = usize::try_from(*place).ok().and_then(|place| self.groups.get_mut(place))
        else {
            return Ok(());
        };
        let (start, end) = (bucket.start(), end_of(bucket, &self.horizons));
        let (from, to) = (self.question.first(), self.question.to);
        if start < from {
            if end > from {
                add_share(&mut self.doubt.early, row);
            }
            return Ok(());
        }
        if start >= to {
            return Ok(());
        }
        if end > to {
            add_share(&mut self.doubt.late, row);
        }
        group.sums.add_used(row);
        let Some((_, step)) = &self.question.step else { return Ok(()) };
        if !self.piece.holds(start) {
            self.piece = step.holding(start);
        }
        if end > self.piece.end && self.piece.end < to {
            add_share(&mut self.doubt.between, row);
        }
        let piece_start = self.piece.start.max(from);
        let at = match group.steps.last() {
            Some((last, _)) if *last == piece_start => group.steps.len() - 1,
            _ => match group.steps.binary_search_by_key(&piece_start, |(known, _)| *known) {
                Ok(at) => at,
                Err(at) => {
                    self.cells += 1;
                    if self.cells > self.cells_max {
                        return Err(too_large(self.cells_max));
                    }
                    group.steps.insert(at, (piece_start, Sums::default()));
                    at
                }
            },
        };
        if let Some((_, sums)) = group.steps.get_mut(at) {
            sums.add_used(row);
        }
        Ok(())
    }

    /// Returns the answer, which tells the state `of` of the ledger.
    pub fn finish(self, of: State) -> Answer {
        let used = self.groups.into_iter().filter(|group| !group.sums.is_empty());
        let mut groups: Vec<Group> = used.map(Group::from).collect();
        groups.sort_by(|a, b| {
            let dearest = b.sums.spent().cmp(&a.sums.spent());
            let largest = || b.sums.tokens.total().cmp(&a.sums.tokens.total());
            dearest.then_with(largest).then_with(|| a.labels.cmp(&b.labels))
        });
        let total = together(&groups);
        let left = match self.question.top {
            Some(top) if top < groups.len() => groups.split_off(top),
            _ => Vec::new(),
        };
        let rest = (!left.is_empty()).then(|| Rest { groups: left.len(), usage: together(&left) });
        Answer {
            from: self.question.from,
            to: self.question.to,
            step: self.question.step.as_ref().map(|(name, _)| name.clone()),
            zone: self.question.zone.name().to_owned(),
            by: self.by.iter().map(Dimension::name).collect(),
            steps: total.steps.iter().map(|step| Instant(step.start)).collect(),
            groups,
            rest,
            total,
            doubt: self.doubt,
            of,
        }
    }
}

impl From<Tallied> for Group {
    fn from(tallied: Tallied) -> Self {
        let steps = tallied.steps.into_iter();
        Self {
            labels: tallied.labels,
            sums: tallied.sums,
            steps: steps.map(|(start, sums)| StepSums { start, sums }).collect(),
        }
    }
}

/// Returns everything that `series` differ in: what has a name, then the attributes in their order.
fn everything<'s>(series: impl Iterator<Item = &'s SeriesKey>) -> Vec<Dimension> {
    let keys: BTreeSet<&str> =
        series.flat_map(|key| key.attributes.iter().map(|(name, _)| name.as_str())).collect();
    let attributes = keys.into_iter().map(|key| Dimension::Label(Label::Attribute(key.to_owned())));
    Dimension::named().into_iter().chain(attributes).collect()
}

/// Returns the first instant after a bucket, as late as it may be: of rows by the hour from before their cuts
/// nobody knows whether they have them.
fn end_of(bucket: Bucket, horizons: &Horizons) -> UnixMillis {
    let start = bucket.start();
    match bucket.level {
        Level::Minute => start.plus(MINUTE_MS),
        Level::Hour if start < horizons.cuts_from => start.floor(HOUR_MS).plus(HOUR_MS),
        Level::Hour => horizons.cuts.end_of(start),
        Level::Day => start.plus(DAY_MS),
        Level::Ever => horizons.days_from,
    }
}

fn add_share(share: &mut Share, row: &Used) {
    share.add(row.requests(), row.tokens.total(), row.spent());
}

fn together(groups: &[Group]) -> Group {
    let mut total = Sums::default();
    let mut steps: BTreeMap<UnixMillis, Sums> = BTreeMap::new();
    for group in groups {
        total.add(&group.sums);
        for step in &group.steps {
            steps.entry(step.start).or_default().add(&step.sums);
        }
    }
    let steps = steps.into_iter().map(|(start, sums)| StepSums { start, sums }).collect();
    Group { labels: Vec::new(), sums: total, steps }
}

fn too_large(cells_max: usize) -> Refusal {
    Refusal::TooLarge(format!(
        "the answer has more than {cells_max} steps of all groups together; ask for less time, a longer `step`, or fewer labels in `by`, or name values of labels"
    ))
}
