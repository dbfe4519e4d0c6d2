//! Single cases of the store: sizes at their limit, damage, clocks that jump, work after a failure.

use super::*;

fn call(id: u16) -> Call {
    Call { principal: 0, id, age_ms: 0, tokens: 1 }
}

fn open(disk: &Disk, settings: Settings) -> Result<(LedgerStore, Ledger), StoreError> {
    LedgerStore::open(Box::new(MemoryEngine::new(disk)), settings, IDENTITY)
}

/// Books and commits one batch.
fn commit(store: &mut LedgerStore, ledger: &mut Ledger, batch: &RatedBatch, now: UnixMillis) {
    let mut booking = ledger.open_booking(now);
    ledger.book(&mut booking, batch, now, &store.stored_ids()).unwrap();
    let delta = ledger.close(booking);
    store.commit(&delta).unwrap();
    ledger.apply(&delta);
}

#[test]
fn a_commit_larger_than_one_value_is_read_back() {
    let disk = Disk::default();
    let (mut store, mut ledger) = open(&disk, UNCAPPED).unwrap();
    let mut booking = ledger.open_booking(START);
    for log in 0..400u16 {
        let calls: Vec<Call> = (log * 100..(log + 1) * 100).map(call).collect();
        ledger
            .book(&mut booking, &batch(log.into(), 0, &calls, START), START, &store.stored_ids())
            .unwrap();
    }
    let delta = ledger.close(booking);
    store.commit(&delta).unwrap();
    ledger.apply(&delta);
    let keys = disk.pairs.lock().unwrap().keys().filter(|key| key[0] == b'j').count();
    assert!(keys > 2, "{keys}");
    let streamed: usize = disk.streams.lock().unwrap().values().map(Vec::len).sum();
    assert_eq!(streamed, 40_000 * size_of::<u64>());
    let (mut again, reopened) = open(&disk, UNCAPPED).unwrap();
    assert_eq!(all_of(&reopened), all_of(&ledger));
    again.fold(&reopened).unwrap();
    let (_, folded) = open(&disk, UNCAPPED).unwrap();
    assert_eq!(all_of(&folded), all_of(&ledger));
}

#[test]
fn ids_that_are_forgotten_go_with_the_commit_that_forgets_them() {
    let disk = Disk::default();
    let settings = Settings { ids_max: 6, ..SETTINGS };
    let (mut store, mut ledger) = open(&disk, settings).unwrap();
    let streams = || disk.streams.lock().unwrap().values().map(Vec::len).collect::<Vec<_>>();
    let calls = |ids: std::ops::Range<u16>| ids.map(call).collect::<Vec<_>>();
    commit(&mut store, &mut ledger, &batch(1, 0, &calls(0..4), START), START);
    assert_eq!(streams(), [32]);
    let later = START.plus(HOUR_MS);
    commit(&mut store, &mut ledger, &batch(1, 41, &calls(4..10), later), later);
    assert_eq!((ledger.seen().len(), streams()), (6, vec![48]));
    let (_, reopened) = open(&disk, settings).unwrap();
    assert_eq!(all_of(&reopened), all_of(&ledger));
    store.fold(&ledger).unwrap();
    assert_eq!(streams(), [48]);
    let (_, folded) = open(&disk, settings).unwrap();
    assert_eq!(all_of(&folded), all_of(&ledger));
    assert_eq!(folded.seen().len(), 6);
}

/// A crash leaves streams of a batch that did not count, and such as were to go.
#[test]
fn streams_that_no_key_names_go_when_the_ledger_is_opened() {
    let (disk, ledger) = small_disk();
    let before = disk.streams.lock().unwrap().clone();
    disk.streams.lock().unwrap().insert(77, vec![1; 64]);
    for stream in disk.streams.lock().unwrap().values_mut() {
        stream.extend([1; 13]);
    }
    let (mut store, mut opened) = open(&disk, SETTINGS).unwrap();
    assert_eq!(all_of(&opened), all_of(&ledger));
    assert!(disk.streams.lock().unwrap().keys().eq(before.keys()));
    let calls: Vec<Call> = (20..24).map(call).collect();
    commit(&mut store, &mut opened, &batch(2, 41, &calls, START), START);
    let (_, again) = open(&disk, SETTINGS).unwrap();
    assert_eq!(all_of(&again), all_of(&opened));
}

/// While duplicates keep coming, their slice is not read again for each batch, and grows all the same.
#[test]
fn duplicates_that_keep_coming_are_known_beside_new_calls() {
    let (mut store, mut ledger) = open(&Disk::default(), UNCAPPED).unwrap();
    let old: Vec<Call> = (0..2_000).map(call).collect();
    commit(&mut store, &mut ledger, &batch(1, 0, &old, START), START);
    let mut all = old.clone();
    for round in 0..3u16 {
        let mut booking = ledger.open_booking(START);
        for part in 0..8u16 {
            let new = (1..=300).map(|id| call(2_000 + 300 * (8 * round + part) + id));
            all.extend(new);
            let log = u64::from(2 + 8 * round + part);
            ledger
                .book(&mut booking, &batch(log, 0, &all, START), START, &store.stored_ids())
                .unwrap();
            assert_eq!(ledger.seen().len(), all.len(), "{round} {part}");
        }
        let delta = ledger.close(booking);
        store.commit(&delta).unwrap();
        ledger.apply(&delta);
        if round == 1 {
            store.fold(&ledger).unwrap();
        }
    }
    assert_eq!(ledger.grand().requests, all.len() as u64);
    assert_sound(&store, &ledger);
}

/// The slices of another window begin at other times than the stored ones.
#[test]
fn what_was_counted_is_known_under_a_window_of_another_length() {
    let disk = Disk::default();
    let now = START.plus(HOUR_MS / 2);
    let calls: Vec<Call> = (0..2_000).map(call).collect();
    let (mut store, mut ledger) = open(&disk, UNCAPPED).unwrap();
    commit(&mut store, &mut ledger, &batch(1, 0, &calls, now), now);
    let (mut log, mut counted) = (2, calls.len());
    for hours in [6, 5, 7, 1, 24] {
        let settings = Settings { window_ms: hours * HOUR_MS, ..UNCAPPED };
        (store, ledger) = open(&disk, settings).unwrap();
        commit(&mut store, &mut ledger, &batch(log, 0, &calls, now), now);
        assert_eq!(ledger.seen().len(), counted, "{hours} hours");
        let new = 2_000 + u16::try_from(log).unwrap();
        commit(&mut store, &mut ledger, &batch(log + 100, 0, &[call(new)], now), now);
        (log, counted) = (log + 1, counted + 1);
    }
}

/// More than the places of new ids have bits for.
#[test]
fn a_batch_of_more_than_a_million_calls_is_counted_once() {
    let calls = (1 << 20) + 1_000;
    let settings = Settings { ids_max: 2 * calls, ..UNCAPPED };
    let (mut store, mut ledger) = open(&Disk::default(), settings).unwrap();
    for (log, counted) in [(1, calls), (2, calls)] {
        let mut large = batch(log, 0, &[call(1)], START);
        let first = large.rated.entries.remove(0);
        large.rated.entries.extend((0..calls).map(|number| {
            let id = crate::model::hash::seeded_hash(&number.to_be_bytes(), 7);
            Entry { id: Some(id), ..first }
        }));
        commit(&mut store, &mut ledger, &large, START);
        assert_eq!(ledger.grand().requests, counted as u64);
    }
    assert_eq!(ledger.seen().len(), calls);
}

#[test]
fn with_fewer_ids_than_before_the_latest_slices_stay_whole() {
    let disk = Disk::default();
    let now = START.plus(3 * HOUR_MS);
    let settings = Settings { window_ms: 12 * HOUR_MS, ..UNCAPPED };
    let calls: Vec<Call> =
        (0..600).map(|id| Call { age_ms: i64::from(2 - id / 200) * HOUR_MS, ..call(id) }).collect();
    let (mut store, mut ledger) = open(&disk, settings).unwrap();
    for (log, calls) in (1..).zip(calls.chunks(200)) {
        commit(&mut store, &mut ledger, &batch(log, 0, calls, now), now);
    }
    let fewer = Settings { ids_max: 450, ..settings };
    (store, ledger) = open(&disk, fewer).unwrap();
    assert_eq!((ledger.seen().len(), ledger.slices().len()), (400, 3));
    // Nothing is forgotten but with a commit, and that is told.
    let booking = ledger.open_booking(now);
    let delta = ledger.close(booking);
    assert_eq!(delta.evicted.iter().map(|slice| slice.early).collect::<Vec<_>>(), [true]);
    store.commit(&delta).unwrap();
    ledger.apply(&delta);
    (store, ledger) = open(&disk, fewer).unwrap();
    assert_eq!((ledger.seen().len(), ledger.slices().len()), (400, 2));
    commit(&mut store, &mut ledger, &batch(9, 0, &calls[200..], now), now);
    assert_eq!(ledger.grand().requests, 600);
    assert_sound(&store, &ledger);
    // None fits.
    let (_, ledger) = open(&disk, Settings { ids_max: 100, ..settings }).unwrap();
    assert_eq!(ledger.seen().len(), 0);
}

#[test]
fn labels_as_long_as_a_line_still_fit_into_one_value() {
    let disk = Disk::default();
    let (mut store, mut ledger) = open(&disk, UNCAPPED).unwrap();
    let mut rated = batch(1, 0, &[call(1)], START);
    let long = Group {
        series: SeriesKey {
            principal: "é".repeat(1 << 20),
            attributes: vec![("team".to_owned(), "x".repeat(1 << 20)); 16],
            ..group(0).series.clone()
        },
        model_id: String::new(),
        card: group(0).card.clone(),
    };
    rated.rated.groups = vec![Arc::new(long)];
    commit(&mut store, &mut ledger, &rated, START);
    store.fold(&ledger).unwrap();
    let (_, folded) = open(&disk, UNCAPPED).unwrap();
    assert_eq!(all_of(&folded), all_of(&ledger));
}

#[test]
fn a_log_that_comes_back_while_it_is_forgotten_keeps_its_position() {
    let disk = Disk::default();
    let (mut store, mut ledger) = open(&disk, UNCAPPED).unwrap();
    commit(&mut store, &mut ledger, &batch(1, 0, &[call(1)], START), START);
    let mut booking = ledger.open_booking(START);
    ledger.forget(&mut booking, LogId(1));
    ledger
        .book(&mut booking, &batch(1, 11, &[call(2)], START), START, &store.stored_ids())
        .unwrap();
    let delta = ledger.close(booking);
    ledger.apply(&delta);
    assert_eq!(ledger.positions()[&LogId(1)].offset, 22);
}

#[test]
fn a_batch_that_breaks_the_order_or_lacks_a_group_is_refused() {
    let (store, mut ledger) = open(&Disk::default(), UNCAPPED).unwrap();
    let mut booking = ledger.open_booking(START);
    let mut other_end = batch(1, 0, &[call(1)], START);
    Arc::make_mut(&mut other_end.position).offset = 5;
    let mut no_group = batch(2, 0, &[call(2)], START);
    no_group.rated.groups.clear();
    for broken in [other_end, no_group] {
        assert!(ledger.book(&mut booking, &broken, START, &store.stored_ids()).is_err());
    }
}

#[test]
fn a_clock_that_runs_years_ahead_does_not_take_the_minutes_away() {
    let disk = Disk::default();
    let (mut store, mut ledger) = open(&disk, SETTINGS).unwrap();
    commit(&mut store, &mut ledger, &batch(1, 0, &[call(1)], START), START);
    let ahead = START.plus(60 * 365 * DAY_MS);
    let mut late = batch(1, 11, &[call(2)], START);
    commit(&mut store, &mut ledger, &late, ahead);
    late.span = Span { from: 22, to: 33 };
    Arc::make_mut(&mut late.position).offset = 33;
    late.rated.entries[0].id = None;
    commit(&mut store, &mut ledger, &late, START.plus(MINUTE_MS));
    assert_eq!(ledger.horizons().bucket(START.plus(2 * DAY_MS)).level, Level::Minute);
}

#[test]
fn times_in_the_future_do_not_push_ids_out_of_the_window() {
    let settings = Settings { ids_max: 1_000_000, ..SETTINGS };
    let (store, mut ledger) = open(&Disk::default(), settings).unwrap();
    let mut booking = ledger.open_booking(START);
    ledger.book(&mut booking, &batch(1, 0, &[call(0)], START), START, &store.stored_ids()).unwrap();
    let future: Vec<Call> =
        (1..100).map(|day| Call { age_ms: -i64::from(day) * DAY_MS, ..call(day) }).collect();
    ledger.book(&mut booking, &batch(2, 0, &future, START), START, &store.stored_ids()).unwrap();
    ledger.book(&mut booking, &batch(3, 0, &[call(0)], START), START, &store.stored_ids()).unwrap();
    let delta = ledger.close(booking);
    let lines = &delta.ingest[0].1.lines;
    assert_eq!(lines.get((Some(RecordKind::Application), LineResult::Duplicate)), 1);
    assert!(delta.evicted.is_empty());
}

/// A small ledger with folded and journaled commits.
fn small_disk() -> (Disk, Ledger) {
    let disk = Disk::default();
    let (mut store, mut ledger) = open(&disk, SETTINGS).unwrap();
    // The last commit has so many ids that they are stored beside the journal.
    for (log, from, ids) in [(1, 0, 1..2), (1, 11, 2..3), (2, 0, 3..7)] {
        let calls: Vec<Call> = ids.map(call).collect();
        commit(&mut store, &mut ledger, &batch(log, from, &calls, START), START);
        if ledger.number() == 2 {
            store.fold(&ledger).unwrap();
        }
    }
    assert_eq!(disk.streams.lock().unwrap()[&0].len(), 6 * size_of::<u64>());
    (disk, ledger)
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let (whole, ledger) = small_disk();
    let sound = whole.pairs.lock().unwrap().clone();
    for (key, value) in &sound {
        for bit in 0..value.len() * 8 {
            let mut damaged = sound.clone();
            damaged.get_mut(key).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let disk = with_pairs(&whole, damaged);
            match open(&disk, SETTINGS) {
                Err(
                    StoreError::Corrupt { .. }
                    | StoreError::NewerSchema { .. }
                    | StoreError::OlderSchema { .. },
                ) => {}
                Err(error) => panic!("{key:02x?} bit {bit}: {error}"),
                // Rows are read only when history is asked for.
                Ok((store, opened)) => {
                    assert_eq!(all_of(&opened), all_of(&ledger), "{key:02x?} bit {bit}");
                    let found = verify(&store, &opened);
                    assert!(found.is_err(), "{key:02x?} bit {bit}");
                }
            }
        }
    }
    let sound = whole.streams.lock().unwrap()[&0].clone();
    for bit in 0..sound.len() * 8 {
        whole.streams.lock().unwrap().get_mut(&0).unwrap()[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(open(&whole, SETTINGS), Err(StoreError::Corrupt { .. })), "bit {bit}");
        whole.streams.lock().unwrap().insert(0, sound.clone());
    }
}

/// A disk with the same streams.
fn with_pairs(disk: &Disk, pairs: BTreeMap<Vec<u8>, Vec<u8>>) -> Disk {
    let streams = disk.streams.lock().unwrap().clone();
    Disk { pairs: Arc::new(Mutex::new(pairs)), streams: Arc::new(Mutex::new(streams)) }
}

#[test]
fn a_missing_key_is_noticed() {
    let (whole, ledger) = small_disk();
    let sound = whole.pairs.lock().unwrap().clone();
    for key in sound.keys() {
        let mut damaged = sound.clone();
        damaged.remove(key);
        let disk = with_pairs(&whole, damaged);
        match open(&disk, SETTINGS) {
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) => panic!("{key:02x?}: {error}"),
            Ok((store, opened)) => match key[0] {
                b'q' | b'r' | b'w' => {
                    assert!(!verify(&store, &opened).unwrap().problems.is_empty());
                }
                // Whether there was another commit is told by the commit alone.
                b'j' => assert_eq!(opened.number(), ledger.number() - 1),
                _ => panic!("{key:02x?} is missing and nobody noticed"),
            },
        }
    }
    let stream = whole.streams.lock().unwrap().remove(&0).unwrap();
    assert!(matches!(open(&whole, SETTINGS), Err(StoreError::Corrupt { .. })));
    whole.streams.lock().unwrap().insert(0, stream[..stream.len() - 1].to_vec());
    assert!(matches!(open(&whole, SETTINGS), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_store_of_another_schema_is_refused() {
    let (disk, _) = small_disk();
    disk.pairs.lock().unwrap().insert(vec![0], 7u32.to_be_bytes().to_vec());
    assert!(matches!(
        open(&disk, SETTINGS),
        Err(StoreError::NewerSchema { found: 7, supported: 6 })
    ));
    disk.pairs.lock().unwrap().insert(vec![0], 5u32.to_be_bytes().to_vec());
    assert!(matches!(open(&disk, SETTINGS), Err(StoreError::OlderSchema { found: 5 })));
}

#[test]
fn nothing_works_after_a_failed_write() {
    let disk = Disk::default();
    drop(open(&disk, SETTINGS).unwrap());
    let engine = MemoryEngine::failing(&disk, &Arc::default(), Some((0, Failure::Before)));
    let (mut store, mut ledger) = LedgerStore::open(Box::new(engine), SETTINGS, IDENTITY).unwrap();
    let mut booking = ledger.open_booking(START);
    ledger.book(&mut booking, &batch(1, 0, &[call(1)], START), START, &store.stored_ids()).unwrap();
    let delta = ledger.close(booking);
    assert!(matches!(store.commit(&delta), Err(StoreError::Engine { .. })));
    assert!(matches!(store.commit(&delta), Err(StoreError::Poisoned)));
    assert!(matches!(store.fold(&ledger), Err(StoreError::Poisoned)));
}

#[test]
fn rows_begin_at_from_and_end_before_to() {
    let (disk, _) = small_disk();
    let (store, _) = open(&disk, SETTINGS).unwrap();
    let calls = |from: i64, to: i64| {
        let mut calls = 0;
        store
            .rows(Level::Minute, START.plus(from), START.plus(to), |_, _, row| {
                calls += row.outcomes.total();
            })
            .unwrap();
        calls
    };
    for (from, to, found) in [
        (0, 1, 6),
        (1, MINUTE_MS, 0),
        (-1, 0, 0),
        (-1, MINUTE_MS, 6),
        (5, -5, 0),
        (MINUTE_MS, 0, 0),
    ] {
        assert_eq!(calls(from, to), found, "{from} {to}");
    }
}

/// Two commits of `many` series.
fn wide(many: u64) -> Vec<RatedBatch> {
    (0..2u64)
        .map(|round| {
            let mut wide = batch(1, round, &[], START);
            for number in 0..many {
                let mut series = SeriesKey::clone(&group(0).series);
                series.principal = format!("role/{number}");
                let card = group(0).card.clone();
                wide.rated.groups.push(Arc::new(Group { series, model_id: String::new(), card }));
                let call = Call { tokens: 3, ..call(0) };
                let mut entry = entry(&call, u32::try_from(number).unwrap(), START);
                entry.id = Some(crate::model::hash::seeded_hash(
                    &[number, round].map(u64::to_be_bytes).concat(),
                    7,
                ));
                wide.rated.entries.push(entry);
            }
            wide
        })
        .collect()
}

/// Many series fold in parts, and a crash may come between any two of them.
#[test]
fn a_fold_of_many_series_may_stop_anywhere_and_is_ended_by_the_next_start() {
    let settings = Settings { principals_max: 10_000, series_max: 10_000, ..UNCAPPED };
    let batches = wide(1_300);
    let run = |fail| {
        let (disk, commits) = (Disk::default(), Arc::default());
        let engine = MemoryEngine::failing(&disk, &commits, fail);
        let opened = LedgerStore::open(Box::new(engine), settings, IDENTITY);
        let (mut store, mut ledger) = opened.unwrap();
        for batch in &batches {
            commit(&mut store, &mut ledger, batch, START);
        }
        let before = *commits.lock().unwrap();
        let folded = store.fold(&ledger);
        let after = *commits.lock().unwrap();
        (disk, ledger, before..after, folded)
    };
    let (_, ledger, fold, _) = run(None);
    assert_eq!(fold.len(), 11);
    for number in fold.clone() {
        for failure in [Failure::Before, Failure::After] {
            let (disk, _, _, folded) = run(Some((number, failure)));
            assert!(folded.is_err());
            // The next start may stop in the middle as well.
            let again = MemoryEngine::failing(&disk, &Arc::default(), Some((0, failure)));
            drop(LedgerStore::open(Box::new(again), settings, IDENTITY));
            let (store, opened) = open(&disk, settings).unwrap();
            assert_eq!(all_of(&opened), all_of(&ledger), "{number} {failure:?}");
            assert_sound(&store, &opened);
            let is_stopped = (number, failure) == (fold.start, Failure::Before);
            assert_eq!(store.has_journal(), is_stopped, "{number} {failure:?}");
        }
    }
}

/// A fold moves rows, and old ones into coarser rows: who reads meanwhile sees each exactly once.
#[test]
fn an_answer_is_of_one_commit_while_others_commit_and_fold() {
    const COMMITS: u64 = 300;
    let (mut store, mut ledger) = open(&Disk::default(), SETTINGS).unwrap();
    let history = store.history();
    let question = Question::parse(&[], START).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut answers = 0;
            loop {
                let answer = history.usage(&question, 0).unwrap();
                // Each commit has one call.
                assert_eq!(answer.total.sums.requests(), answer.of.commit);
                answers += 1;
                if answer.of.commit == COMMITS {
                    return answers;
                }
            }
        });
        for number in 0..COMMITS {
            let hours = i64::try_from(number).unwrap();
            let now = START.plus(hours * HOUR_MS);
            let id = u16::try_from(number).unwrap();
            commit(&mut store, &mut ledger, &batch(1, 11 * number, &[call(id)], now), now);
            if number % 3 == 0 {
                store.fold(&ledger).unwrap();
            }
        }
        assert!(reader.join().unwrap() > 0);
    });
    assert_sound(&store, &ledger);
}
