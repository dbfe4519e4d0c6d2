//! What is asked of any bytes, for each family of decoders: nothing panics, the fast walk and the plain one
//! come to the same result, also after the fast one has learned from the lines before, and what comes out
//! is bounded by what went in.
//!
//! All targets share this; they differ in where they start from (`targets.txt` and `seeds/`) and in what
//! they ask beyond that. It must never know a log format, or it would repeat the decoder's mistakes.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use tollkeeper::decode::frame::{Part, Rule, cut, parts, units};
use tollkeeper::decode::{Decoder, is_blank};
use tollkeeper::model::log_format::{Condition, FormatField, JsonPath, LogFormat};
use tollkeeper::model::names::{Route, Tier};
use tollkeeper::model::series::{ContextBand, SeriesKey};
use tollkeeper::model::time::UnixMillis;
use tollkeeper::query::{Parameters, Question};

/// Units are looked at anew only a few times: behind so many, where they begin depends on where reading
/// began (`decode::frame`).
const LINES_MAX: usize = 8;

/// Asks `target`'s questions of `data`.
pub(crate) fn ask(target: &str, data: &[u8]) {
    match target {
        "format" => agree(data, &formats()),
        "frames" => frames(data),
        "query" => query(data),
        "wrappings" => {
            agree(data, &[]);
            wrapped(data);
        }
        _ => agree(data, &[]),
    }
}

/// Both walks find the same, in all of it as one record and in each line.
fn agree(data: &[u8], formats: &[LogFormat]) {
    let mut walks = Walks::new(formats);
    walks.items(data);
    for line in data.split(|&byte| byte == b'\n').filter(|line| !is_blank(line)) {
        assert_eq!(walks.fast.decode(line), walks.plain.decode(line));
        walks.items(line);
    }
}

struct Walks {
    fast: Decoder,
    plain: Decoder,
}

impl Walks {
    fn new(formats: &[LogFormat]) -> Self {
        let attributes = ["team".to_owned()];
        let new = || Decoder::with_formats(&attributes, formats);
        Self { fast: new(), plain: new().made_plain() }
    }

    /// Everything that both show of a line, as text.
    fn items(&mut self, line: &[u8]) -> Vec<String> {
        let [fast, plain] = [&mut self.fast, &mut self.plain].map(|decoder| {
            let mut items = Vec::new();
            decoder.each(line, &mut |item| items.push(format!("{item:?}")));
            items
        });
        assert_eq!(fast, plain);
        fast
    }
}

/// A log that is described, with every field and some places that others read too.
fn formats() -> [LogFormat; 1] {
    let fields = [
        (FormatField::Model, "llm.model"),
        (FormatField::InputTokens, "llm.in"),
        (FormatField::OutputTokens, "llm.out"),
        (FormatField::CacheRead, "llm.hit"),
        (FormatField::CacheWrite, "llm.put"),
        (FormatField::Total, "llm.all"),
        (FormatField::Time, "at"),
        (FormatField::RequestId, "tags.\"req.id\""),
        (FormatField::StopReason, "choices[].why"),
        (FormatField::Status, "http.status"),
        (FormatField::Error, "error"),
        (FormatField::LatencyMs, "took"),
        (FormatField::FirstTokenMs, "first"),
        (FormatField::CostUsd, "usd"),
    ];
    let path = |(field, path)| Some((field, JsonPath::parse(path)?));
    [LogFormat {
        name: "f".to_owned(),
        when: ["llm.model", "kind = llm"]
            .iter()
            .filter_map(|text| Condition::parse(text))
            .collect(),
        fields: fields.into_iter().filter_map(path).collect(),
        cached_in_input: true,
    }]
}

/// Units are whole, in order and the same wherever reading stopped; their parts agree.
fn frames(data: &[u8]) {
    let rule = Rule { line_bytes_max: 1 << 16, mid_line: false, is_finished: true };
    let whole = cut(data, rule);
    if whole.is_too_long {
        return;
    }
    assert_eq!(whole.whole, data.len());
    let mut at = 0;
    let mut walks = Walks::new(&[]);
    for unit in units(data, &whole.frames) {
        assert_eq!(unit.range.start, at);
        at = unit.range.end;
        let Some(text) = data.get(unit.range) else { panic!("a unit beyond the text") };
        parts(text, |place, part| {
            assert!(place <= text.len());
            if let Part::Text(text) = part {
                walks.items(text);
            }
        });
    }
    assert_eq!(at, data.len());
    if memchr::memchr_iter(b'\n', data).count() < LINES_MAX {
        // Any place will do to stop at; the first byte of the input chooses one.
        let stop = data.first().map_or(0, |&byte| usize::from(byte) * data.len() / 256);
        let first = cut(&data[..stop], Rule { is_finished: false, ..rule });
        let mid_line = first.whole > 0 && data[first.whole - 1] != b'\n';
        let rest = cut(&data[first.whole..], Rule { mid_line, ..rule });
        let shifted =
            rest.frames.iter().map(|frame| frame.start + first.whole..frame.end + first.whole);
        let both: Vec<_> = first.frames.iter().cloned().chain(shifted).collect();
        assert_eq!(both, whole.frames, "stopped at {stop}");
    }
}

/// A query string is a question that makes sense, or is refused in words.
fn query(data: &[u8]) {
    let now = UnixMillis(1_800_000_000_000);
    let parameters: Parameters = form_urlencoded::parse(data).into_owned().collect();
    let question = match Question::parse(&parameters, now) {
        Ok(question) => question,
        Err(refusal) => return assert!(!refusal.to_string().is_empty()),
    };
    assert!(question.from.is_none_or(|from| from < question.to));
    assert!(question.top != Some(0));
    // Globs are matched with what a log may hold, the question itself included.
    let mut text = String::from_utf8_lossy(data).into_owned();
    text.truncate(text.floor_char_boundary(128));
    let key = SeriesKey {
        provider: "aws.bedrock".to_owned(),
        account: text.clone(),
        region: String::new(),
        model: text.clone(),
        route: Route::Geo,
        geo: "us".to_owned(),
        tier: Tier::Standard,
        principal: text,
        attributes: Vec::new(),
        context: ContextBand::default(),
        item: String::new(),
    };
    question.takes(&key);
    let Some((_, step)) = &question.step else { return };
    let mut at = question.first().max(now);
    for _ in 0..4 {
        let interval = step.holding(at);
        assert!(interval.start <= at && at < interval.end, "{at:?} {interval:?}");
        at = interval.end;
    }
}

/// What is wrapped is taken apart like what is not.
fn wrapped(data: &[u8]) {
    let mut walks = Walks::new(&[]);
    let base64 = STANDARD.encode(data);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let Ok(()) = gzip.write_all(data) else { return };
    let Ok(gzip) = gzip.finish() else { return };
    let plain = walks.items(format!("{{\"records\":[{{\"data\":\"{base64}\"}}]}}").as_bytes());
    let packed = STANDARD.encode(gzip);
    let packed = walks.items(format!("{{\"records\":[{{\"data\":\"{packed}\"}}]}}").as_bytes());
    // gzip in gzip is no wrapping, and what is refused is shown as bytes of its own.
    if !data.starts_with(&[0x1f, 0x8b]) {
        assert_eq!(plain.len(), packed.len());
    }
}
