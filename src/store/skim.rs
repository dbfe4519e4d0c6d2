//! Reads of the rows in a block only what usage is summed from, into one place for all rows: a question of a quarter
//! reads half a million of them, and to make each whole takes three times as long.
//!
//! It knows the order in which `ledger::amounts::Row` is stored; a test compares the two.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::model::money::Usd;
use crate::model::names::{Outcome, RecordKind, ThrottleKind};
use crate::query::used::Used;

/// Reads a block, and visits its rows by place.
pub(super) struct Skim<F>(pub(super) F);

impl<'de, F: FnMut(u8, &Used)> DeserializeSeed<'de> for Skim<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(u8, &Used)> Visitor<'de> for Skim<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows by place")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut used = Used::default();
        while let Some(place) = map.next_key::<u8>()? {
            map.next_value_seed(RowInto(&mut used))?;
            (self.0)(place, &used);
        }
        Ok(())
    }
}

/// How many fields a row has.
const FIELDS: usize = 15;

/// Reads a row into what usage is summed from.
struct RowInto<'u>(&'u mut Used);

impl<'de> DeserializeSeed<'de> for RowInto<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_tuple(FIELDS, self)
    }
}

impl<'de> Visitor<'de> for RowInto<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(row: &mut A) -> Result<T, A::Error> {
            row.next_element()?.ok_or_else(|| A::Error::custom("a row ends early"))
        }
        let used = self.0;
        used.outcomes.clear();
        row.next_element_seed(ListInto(&mut used.outcomes))?;
        row.next_element_seed(Over::<(RecordKind, u64)>(PhantomData))?;
        row.next_element_seed(Over::<((RecordKind, ThrottleKind), u64)>(PhantomData))?;
        used.tokens = next(&mut row)?;
        used.reasoning_tokens = next(&mut row)?;
        used.cost = next(&mut row)?;
        used.wasted = next(&mut row)?;
        used.charge = next(&mut row)?;
        used.reported = next(&mut row)?;
        next::<Usd, A>(&mut row)?;
        used.unpriced = next(&mut row)?;
        for _ in 0..3 {
            next::<u64, A>(&mut row)?;
        }
        row.next_element_seed(Over::<(u8, u64)>(PhantomData))?;
        Ok(())
    }
}

/// Reads a list into one that is there.
struct ListInto<'l>(&'l mut Vec<(Outcome, u64)>);

impl<'de> DeserializeSeed<'de> for ListInto<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListInto<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(item) = list.next_element()? {
            self.0.push(item);
        }
        Ok(())
    }
}

/// Reads over a list.
struct Over<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Over<T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Over<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<T>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::ledger::amounts::Row;
    use crate::model::tokens::TokenClass;

    fn any_row() -> impl Strategy<Value = Row> {
        let numbers = proptest::collection::vec(any::<u32>(), 20);
        (numbers, 0usize..4, -(1i128 << 80)..(1i128 << 80)).prop_map(|(numbers, some, money)| {
            let number = |place: usize| u64::from(numbers[place]);
            let mut row = Row::default();
            for place in 0..some {
                row.outcomes.add(Outcome::ALL[place], number(place));
                row.kinds.add(RecordKind::ALL[place], number(place + 1));
                row.throttles
                    .add((RecordKind::ALL[place], ThrottleKind::Unknown), number(place + 2));
                row.durations.add(u8::try_from(place).unwrap(), number(place + 3));
                row.tokens.set(TokenClass::ALL[place], number(place + 4));
                row.unpriced.set(TokenClass::ALL[place + 1], number(place + 5));
                row.cost.set(TokenClass::ALL[place + 2], Usd(money + i128::from(number(6))));
            }
            row.reasoning_tokens = number(10);
            row.wasted_cost = Usd(i128::from(number(11)));
            row.charge = Usd(money);
            row.reported_cost = Usd(i128::from(number(12)));
            row.reported_basis = Usd(i128::from(number(13)));
            row.empty_responses = number(14);
            row.retries = number(15);
            row.retries_exhausted = number(16);
            row
        })
    }

    proptest! {
        #[test]
        fn what_is_skimmed_is_what_the_rows_hold(rows in proptest::collection::vec(any_row(), 0..6)) {
            let block: BTreeMap<u8, Row> = (3u8..).zip(rows).collect();
            let bytes = postcard::to_stdvec(&block).unwrap();
            let mut found = Vec::new();
            let mut deserializer = postcard::Deserializer::from_bytes(&bytes);
            Skim(|place, used: &Used| found.push((place, used.clone())))
                .deserialize(&mut deserializer)
                .unwrap();
            prop_assert!(deserializer.finalize().unwrap().is_empty());
            let expected: Vec<_> =
                block.iter().map(|(place, row)| (*place, Used::from(row))).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
