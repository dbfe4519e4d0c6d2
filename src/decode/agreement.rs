//! The fast walk and the plain one agree on every line: whether it is JSON, which places they
//! report, and which invocation comes of it. Checked on generated JSON, on records with bytes
//! changed, and on random bytes; `tests/fuzz` goes on from here.

use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::Index;

use super::json::{self, Root, Sink, Slot, Walker};
use super::{Decoder, paths};
use crate::model::log_format::{Condition, FormatField, JsonPath, LogFormat};

/// Everything that a walk reports, with the text there.
#[derive(Default)]
struct Reported(Vec<(Slot, String)>);

impl Sink for Reported {
    fn take(&mut self, slot: Slot, line: &[u8], value: Range<usize>) {
        self.0.push((slot, String::from_utf8_lossy(&line[value]).into_owned()));
    }

    fn forget(&mut self) {
        self.0.clear();
    }
}

fn attributes() -> Vec<String> {
    ["team", "a.b[]", "caf\u{e9}", "team"].map(str::to_owned).to_vec()
}

/// Logs that are described, with places of their own and such that other fields have too.
fn formats() -> Vec<LogFormat> {
    let path = |text| JsonPath::parse(text).expect("a path");
    let field = |(field, text)| (field, path(text));
    let one = LogFormat {
        name: "one".to_owned(),
        when: vec![Condition { path: path("x.kind"), equals: None }],
        fields: [
            (FormatField::Model, "model"),
            (FormatField::Time, "log.x[]"),
            (FormatField::InputTokens, "usage.x"),
            (FormatField::OutputTokens, "usage.output_tokens"),
            (FormatField::Error, "error.code.x"),
        ]
        .map(field)
        .into(),
        cached_in_input: true,
    };
    let other = LogFormat {
        name: "other".to_owned(),
        when: vec![Condition { path: path("messages"), equals: Some("5".to_owned()) }],
        fields: [
            (FormatField::Model, "region"),
            (FormatField::InputTokens, "input.inputTokenCount"),
            (FormatField::CacheRead, "output.outputBodyJson.usage.cacheDetails[]"),
        ]
        .map(field)
        .into(),
        cached_in_input: false,
    };
    vec![one, other]
}

/// Walks over all lines with one walker (so that guesses of earlier lines meet later ones) and fails
/// where the plain walk sees anything else.
fn check(lines: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let (trie, _) = super::places(&attributes(), &formats());
    let mut walker = Walker::new(&trie);
    let mut decoder = Decoder::with_formats(&attributes(), &formats());
    let mut plain_decoder = Decoder::with_formats(&attributes(), &formats()).made_plain();
    // The second time the shapes of all lines are known.
    for line in lines.iter().chain(lines) {
        let (mut fast, mut plain) = (Reported::default(), Reported::default());
        let fast_root = walker.walk(&trie, line, &mut fast);
        let text = String::from_utf8_lossy(line);
        let plain_root = json::plain::walk(&trie, &text, &mut plain);
        prop_assert_eq!(fast_root, plain_root, "{}", text);
        if fast_root != Root::Invalid {
            prop_assert_eq!(fast.0, plain.0, "{}", text);
        }
        let plain = plain_decoder.decode(line).map(super::Invocation::into_owned);
        prop_assert_eq!(decoder.decode(line), plain, "{}", text);
        prop_assert_eq!(items(&mut decoder, line), items(&mut plain_decoder, line), "{}", text);
    }
    Ok(())
}

/// Everything that a decoder shows of a line, as text.
fn items(decoder: &mut Decoder, line: &[u8]) -> Vec<String> {
    let mut items = Vec::new();
    decoder.each(line, &mut |item| items.push(format!("{item:?}")));
    items
}

fn seeds() -> Vec<&'static str> {
    super::meaning::SAMPLES.lines().chain(super::application_spellings::SAMPLES.lines()).collect()
}

/// Spellings of the keys in the table, and of some that only look like them.
fn key() -> impl Strategy<Value = String> {
    let mut keys: Vec<String> = paths::all_keys().into_iter().map(str::to_owned).collect();
    keys.extend(
        ["team", "a.b[]", "caf\u{e9}", "x", "kind", "", "modelid", "inputTokenCount "]
            .map(str::to_owned),
    );
    (proptest::sample::select(keys), 0..12u8, any::<Index>()).prop_map(|(key, escape, place)| {
        if escape > 0 || key.is_empty() {
            return key;
        }
        let at = place.index(key.chars().count());
        key.chars()
            .enumerate()
            .map(|(i, c)| if i == at { format!("\\u{:04x}", c as u32) } else { c.to_string() })
            .collect()
    })
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[0-9]{1,3}".prop_map(|digits| digits.trim_start_matches('0').to_owned() + "0"),
        2 => "\"[a-z:/ .-]{0,40}\"",
        1 => proptest::sample::select(vec![
            "null", "true", "false", "-1", "-0", "0.5", "1e3", "1E-2", "1e999", "18446744073709551616",
            "\"\"", "\"5\"", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"\\n\\\\\\\"\"", "\"caf\u{e9}\"",
            "\"5m\"", "\"1h\"", "\"ModelInvocationLog\"", "\"2026-09-02T14:00:01Z\"", "\"priority\"",
            "\"INTERVENED\"", "\"end_turn\"", "\"ThrottlingException\"", "\"us-east-1\"",
        ]).prop_map(str::to_owned),
        1 => proptest::sample::select(vec![
            "01", "-", "1.", "nul", "\"\\x\"", "\"\\ud8\"", "\"\t\"", "\"", "", "}", "]", ",", "\u{feff}",
        ]).prop_map(str::to_owned),
    ]
}

fn good_scalar() -> impl Strategy<Value = String> {
    scalar().prop_map(|text| {
        if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() { text } else { "7".into() }
    })
}

/// JSON built of the table's keys; about every second line is broken somewhere if `broken`.
fn value(broken: bool) -> BoxedStrategy<String> {
    let leaf = if broken {
        prop_oneof![40 => good_scalar(), 1 => scalar()].boxed()
    } else {
        good_scalar().boxed()
    };
    let space = || proptest::sample::select(vec!["", "", "", "", " ", "\t\r\n  "]);
    leaf.prop_recursive(7, 60, 8, move |inner| {
        let member = (space(), key(), space(), space(), inner.clone(), space());
        let member = member.prop_map(|(a, key, b, c, value, d)| format!("{a}\"{key}\"{b}:{c}{value}{d}"));
        let element = (space(), inner, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        prop_oneof![
            4 => proptest::collection::vec(member, 0..9).prop_map(|all| format!("{{{}}}", all.join(","))),
            1 => proptest::collection::vec(element, 0..5).prop_map(|all| format!("[{}]", all.join(","))),
        ]
    })
    .boxed()
}

/// A value under a path of the table, so that deep places are met too.
fn planted() -> impl Strategy<Value = String> {
    let paths = paths::all_paths();
    proptest::collection::vec((proptest::sample::select(paths), value(true)), 1..6).prop_map(
        |all| {
            let members: Vec<String> = all
                .into_iter()
                .map(|(path, value)| {
                    let nested = path.split('.').rev().fold(value, |value, part| {
                        match part.strip_suffix("[]") {
                            Some(key) => format!("{{\"{key}\":[{value}]}}"),
                            None => format!("{{\"{part}\":{value}}}"),
                        }
                    });
                    nested
                        .strip_prefix('{')
                        .and_then(|inner| inner.strip_suffix('}'))
                        .unwrap()
                        .to_owned()
                })
                .collect();
            format!("{{{}}}", members.join(","))
        },
    )
}

/// Puts, cuts and changes bytes.
fn mutate(mut line: Vec<u8>, changes: Vec<(Index, u8, u8)>) -> Vec<u8> {
    const TELLING: &[u8] = b"\"\\{}[]:, \t\n0-.eEu1ntf\0\x1f\x7f\xff\xc3\xa9\xed";
    for (place, how, byte) in changes {
        if line.is_empty() {
            break;
        }
        let at = place.index(line.len());
        let byte = if how & 8 == 0 { TELLING[usize::from(byte) % TELLING.len()] } else { byte };
        match how % 8 {
            0 => line.truncate(at),
            1 | 2 => drop(line.remove(at)),
            3 | 4 => line.insert(at, byte),
            _ => line[at] = byte,
        }
    }
    line
}

fn changes() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    proptest::collection::vec(any::<(Index, u8, u8)>(), 1..4)
}

/// `DECODE_CASES` sets the number of cases of each property; every case has several lines.
fn config() -> ProptestConfig {
    let cases = option_env!("DECODE_CASES").and_then(|cases| cases.parse().ok()).unwrap_or(5000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_walks_agree_on_json_of_any_shape(
        lines in proptest::collection::vec(prop_oneof![value(false), value(true), planted()], 1..6)
    ) {
        let mut lines: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
        // Once more, so that every guess is met by the line it comes from.
        lines.extend(lines.clone());
        check(&lines)?;
    }

    #[test]
    fn both_walks_agree_on_records_with_bytes_changed(
        lines in proptest::collection::vec((proptest::sample::select(seeds()), changes()), 1..6)
    ) {
        let mut all = Vec::new();
        for (seed, changes) in lines {
            let changed = mutate(seed.as_bytes().to_vec(), changes);
            all.extend([seed.as_bytes().to_vec(), changed.clone(), changed]);
        }
        check(&all)?;
    }

    #[test]
    fn both_walks_agree_on_random_bytes(
        lines in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..60),
            "[\\[\\]{}:,\" 0-9.eE+\\\\a-f-]{0,60}".prop_map(String::into_bytes),
        ], 1..8)
    ) {
        check(&lines)?;
    }

    #[test]
    fn both_walks_agree_on_values_changed_in_place(
        seed in proptest::sample::select(seeds()),
        values in proptest::collection::vec((any::<Index>(), value(true)), 1..4),
    ) {
        let mut line = seed.to_owned();
        for (place, value) in values {
            let ends: Vec<usize> = line.match_indices("\":").map(|(at, _)| at + 2).collect();
            if ends.is_empty() {
                break;
            }
            let at = ends[place.index(ends.len())];
            let rest = line.split_at(at).1.find([',', '}']).map_or(line.len(), |end| at + end);
            line.replace_range(at..rest, &value);
        }
        check(&[seed.into(), line.into_bytes(), seed.into()])?;
    }
}

#[test]
fn a_guess_never_stands_in_for_a_missing_comma_or_a_spare_one() {
    let lines = [
        r#"{"modelId":"m","region":"r"}"#,
        r#"{"modelId":"m""region":"r"}"#,
        r#"{,"modelId":"m","region":"r"}"#,
        r#"{"region":"m","modelId":"r"}"#,
        r#"{"region":"m","modelId":"r",}"#,
        r#"{"modelId": "m","region" :"r" }"#,
        r#"{"modelId":  "m","region":"r"}"#,
        "{ }",
        "{}",
        "{",
    ];
    let lines: Vec<Vec<u8>> = lines
        .iter()
        .flat_map(|line| [line.as_bytes().to_vec(), line.as_bytes().to_vec()])
        .collect();
    check(&lines).unwrap();
}

#[test]
fn deep_nesting_is_skipped_without_recursion() {
    let deep = "[".repeat(300_000) + &"]".repeat(300_000);
    let usage = r#""inputTokenCount":3"#;
    let line = format!(
        r#"{{"modelId":"m","timestamp":"2026-09-02T14:00:01Z","input":{{"inputBodyJson":{deep},{usage}}}}}"#
    );
    let mut decoder = Decoder::new(&[]);
    assert_eq!(decoder.decode(line.as_bytes()).map(|call| call.tokens.total()), Ok(3));
    assert_eq!(Decoder::plain(&[]).decode(line.as_bytes()).map(|call| call.tokens.total()), Ok(3));
}
