//! What logs are wrapped in on their way: recognised without configuration, nested as they come.
//!
//! Here a line is taken apart until records are left: JSON objects one after the other, arrays,
//! `CloudWatch` Logs envelopes and pages, base64 with or without gzip, the strings of container and
//! journal logs, and text in front of JSON (`prefix`). What a wrapping tells of an event (its id,
//! its account) goes along. It must never look for records inside of records, nor in the message of
//! an application's own log line: that may be anybody's text.
//!
//! Wrappings are hostile input: depth, the bytes that gzip gives for one line, and the records that it may hold
//! are bounded.

use std::borrow::Cow;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;

use super::json::{self, Root};
use super::paths::Field;
use super::signal::{self, Context, Found, SignalRecord};
use super::{Decoder, Invocation, Refused, Reject, is_blank, parallel, prefix, scalar};
use crate::model::names::Approximation;
use crate::model::time::UnixMillis;

/// Wrappings in wrappings that are followed. Firehose of Kinesis of a subscription of a container's
/// log with a prefix has six.
const DEPTH_MAX: usize = 10;
/// Bytes that gzip may give for one line. A subscription's payload is 1 MiB at most in Kinesis
/// (`Kinesis Data Streams` quotas) and JSON of logs rarely shrinks to less than a twentieth.
const INFLATED_BYTES_MAX: usize = 32 << 20;
/// Records that any line may hold, and the bytes for which it may hold one more: two counts, of a digit
/// and a comma each, are the shortest that arrays tell of a call, so only what gzip shrunk has more.
const RECORDS_MIN: usize = 128;
const BYTES_PER_RECORD_MIN: usize = 2;
/// Records of any line, since each takes memory until it is committed: the longest by default have so many
/// if each takes this many bytes.
const RECORDS_MAX: usize = 1 << 18;
const BYTES_PER_RECORD: usize = 32;
/// Scratch memory larger than this is given back at once.
const SPARE_BYTES_MAX: usize = 1 << 20;

/// What was found in a line.
#[derive(Debug)]
pub enum Item<'i> {
    /// A call of a model.
    Record {
        /// The call.
        invocation: Invocation<'i>,
        /// Id of the `CloudWatch` event that held it.
        event_id: Option<&'i str>,
    },
    /// Something else that happened.
    Signal {
        /// What happened.
        signal: SignalRecord<'i>,
        /// Id of the `CloudWatch` event that held it.
        event_id: Option<&'i str>,
    },
    /// Something that could not be counted.
    Rejected {
        /// Why.
        reject: Reject,
        /// What it is that could not.
        part: Refused<'i>,
    },
    /// Something that is known to hold no record.
    Ignored,
}

/// What the wrappings around a record tell of it.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    event_id: Option<&'a str>,
    /// The account that the log belongs to.
    owner: Option<&'a str>,
    /// The log group that the event is of.
    log_group: Option<&'a str>,
    /// When the event was written, as what holds it tells: read only for records without a time.
    time: Option<&'a [u8]>,
    /// The same as a wrapping further out tells.
    at: Option<UnixMillis>,
    /// Whether events were left out of what holds this one.
    sampled: bool,
    depth: usize,
}

/// Tells whether text is JSON of records, and not a line that begins with a level or time in brackets.
pub(super) fn begins_json(text: &[u8]) -> bool {
    match text {
        [b'{', ..] => true,
        [b'[', rest @ ..] => matches!(rest.trim_ascii_start(), [b'{' | b'[' | b']', ..]),
        _ => false,
    }
}

/// Returns when an event was written, if its number says so.
fn time_of(raw: &[u8]) -> Option<UnixMillis> {
    scalar::epoch(raw).and_then(|at| super::draft::believed(at).ok())
}

impl<'a> Around<'a> {
    /// Returns the account that owns the log, if it is the id of one.
    fn account(&self) -> Option<Cow<'static, str>> {
        let is_account = |id: &&str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
        self.owner.filter(is_account).map(|owner| Cow::Owned(owner.to_owned()))
    }

    /// Returns when the event was written, if what is around it tells.
    fn at(&self) -> Option<UnixMillis> {
        self.time.and_then(time_of).or(self.at)
    }

    /// Returns the same for a list of events, each of which may have a time of its own.
    fn of_list(self) -> Self {
        Self { time: None, at: self.at(), ..self }
    }

    fn context(&self) -> Context<'a> {
        Context { log_group: self.log_group }
    }
}

/// One line on its way apart.
struct Unwrap<'d, V> {
    decoder: &'d mut Decoder,
    visit: &'d mut V,
    inflated: usize,
    /// Records that the line may still hold.
    left: usize,
}

/// Takes `line` apart and shows each part of it to `visit`.
pub(super) fn unwrap(decoder: &mut Decoder, line: &[u8], visit: &mut impl FnMut(Item<'_>)) {
    Unwrap::new(decoder, line, visit).message(line, Around::default());
}

/// Does the same for a line that was just walked over and is an object, but no record.
pub(super) fn unwrap_object(decoder: &mut Decoder, line: &[u8], visit: &mut impl FnMut(Item<'_>)) {
    Unwrap::new(decoder, line, visit).wrapping(line, Around::default());
}

/// Does the same for a line that was just walked over and whose counts are none of a single call.
pub(super) fn unwrap_calls(decoder: &mut Decoder, line: &[u8], visit: &mut impl FnMut(Item<'_>)) {
    Unwrap::new(decoder, line, visit).calls(line, Around::default());
}

impl<'d, V: FnMut(Item<'_>)> Unwrap<'d, V> {
    fn new(decoder: &'d mut Decoder, line: &[u8], visit: &'d mut V) -> Self {
        let few = line.len() / BYTES_PER_RECORD_MIN + RECORDS_MIN;
        let many = RECORDS_MAX.max(line.len() / BYTES_PER_RECORD);
        Self { decoder, visit, inflated: 0, left: few.min(many) }
    }

    /// Tells whether the line may hold one more record; if not, says so of `part`.
    fn may_hold(&mut self, part: &[u8]) -> bool {
        let left = self.left.checked_sub(1);
        match left {
            Some(left) => self.left = left,
            None => self.reject(Reject::Oversized, part),
        }
        left.is_some()
    }

    fn reject(&mut self, reject: Reject, part: &[u8]) {
        (self.visit)(Item::Rejected { reject, part: Refused(part) });
    }

    /// Takes apart what somebody wrote as one line or one event.
    fn message(&mut self, text: &[u8], around: Around<'_>) {
        if around.depth > DEPTH_MAX {
            return self.reject(Reject::NestedTooDeep, text);
        }
        if self.decoder.plain
            && let Cow::Owned(text) = String::from_utf8_lossy(text)
        {
            return self.message(text.as_bytes(), around);
        }
        let deeper = Around { depth: around.depth + 1, ..around };
        match text.trim_ascii_start() {
            [] => {}
            start if begins_json(start) => self.documents(text, around),
            _ => match prefix::payload(text) {
                Some(payload) => {
                    let event_id = payload.event_id.or(around.event_id);
                    let (time, at) = match payload.at {
                        None => (around.time, around.at),
                        at => (None, at),
                    };
                    self.message(payload.text, Around { event_id, time, at, ..deeper });
                }
                None if prefix::is_empty_page(text) || prefix::is_heading(text) => {
                    (self.visit)(Item::Ignored);
                }
                None => match memchr::memchr(b'\n', text.trim_ascii()) {
                    Some(_) => self.lines(text, deeper),
                    None => self.text(&String::from_utf8_lossy(text), around),
                },
            },
        }
    }

    /// Shows what one line of text is.
    fn text(&mut self, line: &str, around: Around<'_>) {
        match signal::of_text(line, &around.context()) {
            Some(found) => self.found(found, line.as_bytes(), around),
            None => self.reject(Reject::InvalidJson, line.as_bytes()),
        }
    }

    /// Takes apart text of several lines, the first of which is no JSON.
    fn lines(&mut self, text: &[u8], around: Around<'_>) {
        for line in text.split(|&byte| byte == b'\n') {
            self.message(line, around);
        }
    }

    /// Takes apart JSON values that follow each other with or without white space.
    fn documents(&mut self, mut text: &[u8], around: Around<'_>) {
        // Nearly always it is one object, and the walk tells that by itself.
        if self.decoder.walk(text) == Root::Object {
            return self.walked(text, around);
        }
        loop {
            let whole = json::document_end(text).and_then(|end| text.split_at_checked(end));
            let Some((document, rest)) = whole else {
                return self.reject(Reject::InvalidJson, text);
            };
            match document.trim_ascii_start().first() {
                Some(b'{') => self.object(document, around),
                Some(b'[') => self.array(document.trim_ascii_start(), around),
                _ => self.reject(Reject::NotAnObject, document),
            }
            text = rest;
            if is_blank(text) {
                return;
            }
        }
    }

    fn array(&mut self, array: &[u8], around: Around<'_>) {
        let around = Around { depth: around.depth + 1, ..around };
        let mut is_empty = true;
        for element in json::elements(array) {
            is_empty = false;
            match element.first() {
                Some(b'{') => self.object(element, around),
                _ => self.reject(Reject::NotAnObject, element),
            }
        }
        if is_empty {
            self.reject(Reject::NotAnObject, array);
        }
    }

    /// Shows the record that an object is, or takes it apart as a wrapping.
    fn object(&mut self, object: &[u8], around: Around<'_>) {
        if around.depth > DEPTH_MAX {
            return self.reject(Reject::NestedTooDeep, object);
        }
        match self.decoder.walk(object) {
            Root::Object => self.walked(object, around),
            Root::Other => self.reject(Reject::NotAnObject, object),
            Root::Invalid => self.reject(Reject::InvalidJson, object),
        }
    }

    fn walked(&mut self, object: &[u8], around: Around<'_>) {
        match self.decoder.draft(object).finish() {
            Ok(invocation) => self.record(invocation, object, around),
            Err(Reject::UnknownKind) => self.wrapping(object, around),
            Err(Reject::BadTokenCount) => self.calls(object, around),
            Err(reject) => self.reject(reject, object),
        }
    }

    /// Shows the calls of an object that was walked over and whose counts are none of a single call.
    fn calls(&mut self, object: &[u8], around: Around<'_>) {
        match parallel::calls(self.decoder, object) {
            Some(calls) => calls.into_iter().for_each(|call| self.record(call, object, around)),
            None => self.reject(Reject::BadTokenCount, object),
        }
    }

    fn record(&mut self, mut invocation: Invocation<'_>, part: &[u8], around: Around<'_>) {
        if !self.may_hold(part) {
            return;
        }
        if invocation.account.is_none() {
            invocation.account = around.account();
        }
        if invocation.at == UnixMillis::UNKNOWN
            && let Some(at) = around.at()
        {
            invocation.at = at;
            invocation.approximations.remove(Approximation::TimeUnknown);
        }
        if around.sampled {
            invocation.approximations.insert(Approximation::SampledLog);
        }
        (self.visit)(Item::Record { invocation, event_id: around.event_id });
    }

    /// Shows what a line that is no call was found to be.
    fn found(&mut self, found: Found<'_>, part: &[u8], around: Around<'_>) {
        match found {
            Found::Signal(mut signal) if self.may_hold(part) => {
                signal.at = signal.at.or_else(|| around.at());
                if signal.account.is_none() {
                    signal.account = around.account();
                }
                (self.visit)(Item::Signal { signal, event_id: around.event_id });
            }
            Found::Signal(_) => {}
            Found::Ignored => (self.visit)(Item::Ignored),
            Found::Rejected(reject) => self.reject(reject, part),
        }
    }

    /// Takes apart an object that was walked over and is no record. Whatever is wanted of it is
    /// picked up before the next walk.
    fn wrapping(&mut self, object: &[u8], around: Around<'_>) {
        let around = Around { depth: around.depth + 1, ..around };
        let field = |field| self.decoder.raw(object, field);
        let string = |name| field(name).filter(|value| value.starts_with(b"\""));
        if field(Field::LogEvents).is_some() {
            if field(Field::MessageType) == Some(b"\"CONTROL_MESSAGE\"") {
                return (self.visit)(Item::Ignored);
            }
            let owner = field(Field::Owner).and_then(json::string);
            let log_group = field(Field::LogGroup).and_then(json::string);
            let around = Around {
                owner: owner.as_deref().or(around.owner),
                log_group: log_group.as_deref().or(around.log_group),
                ..around
            };
            self.events(object, Field::LogEvents, around);
        } else if let Some(data) = string(Field::AwslogsData) {
            self.base64(data, around);
        } else if let (Some(data), Some(_)) =
            (string(Field::StreamData), field(Field::PartitionKey))
        {
            self.base64(data, around);
        } else if field(Field::SessionResults).is_some() {
            let sampled = around.sampled || field(Field::SessionSampled) == Some(b"true");
            self.events(object, Field::SessionResults, Around { sampled, ..around });
        } else if field(Field::Events).is_some() {
            self.events(object, Field::Events, around);
        } else if let Some(rows) = field(Field::Results) {
            self.rows(rows, around);
        } else if let Some(records) = field(Field::Records) {
            self.records(records, around);
        } else if let Some(text) = string(Field::Log).or_else(|| string(Field::JournalMessage)) {
            self.string(text, around);
        } else if field(Field::SessionStart).is_some()
            || field(Field::NotificationEvent) == Some(b"\"s3:TestEvent\"")
        {
            (self.visit)(Item::Ignored);
        } else if let (Some(text), Some(_)) = (string(Field::TopicMessage), field(Field::TopicArn))
        {
            self.string(text, around);
        } else if let (Some(detail), Some(kind)) = (field(Field::Detail), field(Field::DetailType))
        {
            if kind == b"\"AWS API Call via CloudTrail\"" {
                self.object(detail, around);
            } else {
                (self.visit)(Item::Ignored);
            }
        } else if let Some(results) = field(Field::QueryResults) {
            self.query(results, around);
        } else {
            let found = signal::of_object(&mut self.decoder.draft(object), &around.context());
            self.found(found, object, around);
        }
    }

    /// Takes apart the results of a metric query.
    fn query(&mut self, results: &[u8], around: Around<'_>) {
        let mut is_empty = true;
        for result in json::elements(results) {
            is_empty = false;
            self.decoder.walk(result);
            let field = |field| self.decoder.raw(result, field);
            let label = field(Field::QueryLabel).and_then(json::string).unwrap_or_default();
            let times = field(Field::QueryTimes).unwrap_or_default();
            let values = field(Field::QueryValues).unwrap_or_default();
            signal::query_results(&label, times, values, &mut |found| {
                self.found(found, result, around);
            });
        }
        if is_empty {
            (self.visit)(Item::Ignored);
        }
    }

    /// Takes apart the events of an envelope, of a page of events, or of a live tail: the list of them
    /// at `field` of an object that was just walked over.
    fn events(&mut self, object: &[u8], field: Field, around: Around<'_>) {
        let around = around.of_list();
        let events = self.decoder.slots.take_events();
        match events.of(field) {
            Some([]) => (self.visit)(Item::Ignored),
            Some(list) => {
                for event in list {
                    let around = Around { time: event.time(object), ..around };
                    self.event(event.message(object), event.id(object), around);
                }
            }
            None => self.many_events(self.decoder.raw(object, field).unwrap_or(&[]), around),
        }
        self.decoder.slots.give_back(events);
    }

    /// Takes apart more events than a walk keeps the places of.
    fn many_events(&mut self, events: &[u8], around: Around<'_>) {
        let mut events = json::elements(events);
        while let Some((_, event)) = self.decoder.walk_next(&mut events) {
            let message = self.decoder.raw(event, Field::EventMessage);
            let around = Around { time: self.decoder.raw(event, Field::Timestamp), ..around };
            self.event(message, self.decoder.raw(event, Field::EventId), around);
        }
    }

    fn event(&mut self, message: Option<&[u8]>, id: Option<&[u8]>, around: Around<'_>) {
        let id = id.and_then(json::string);
        let event_id = id.as_deref().filter(|id| !id.is_empty());
        match message {
            Some(text) if text.starts_with(b"\"") => {
                self.string(text, Around { event_id, ..around });
            }
            _ => self.reject(Reject::UnknownKind, message.unwrap_or_default()),
        }
    }

    /// Takes apart the rows of a Logs Insights query: arrays of `{"field": …, "value": …}`.
    fn rows(&mut self, rows: &[u8], around: Around<'_>) {
        let mut is_empty = true;
        for row in json::elements(rows) {
            is_empty = false;
            let message = json::elements(row).filter(|cell| {
                self.decoder.walk(cell) == Root::Object
                    && self.decoder.raw(cell, Field::CellName) == Some(b"\"@message\"")
            });
            let message = message.last();
            match message.and_then(|cell| {
                self.decoder.walk(cell);
                self.decoder.raw(cell, Field::CellValue)
            }) {
                Some(text) if text.starts_with(b"\"") => self.string(text, around),
                _ => self.reject(Reject::UnknownKind, row),
            }
        }
        if is_empty {
            (self.visit)(Item::Ignored);
        }
    }

    /// Takes apart what AWS services hand on as `Records`: stream records, queue messages, or
    /// records of a log themselves.
    fn records(&mut self, records: &[u8], around: Around<'_>) {
        let mut records = json::elements(records);
        while let Some((root, record)) = self.decoder.walk_next(&mut records) {
            let data = self.decoder.raw(record, Field::StreamData);
            let body = self.decoder.raw(record, Field::EventMessage);
            match (root, data, body) {
                (Root::Object, Some(data), _) if data.starts_with(b"\"") => {
                    self.base64(data, around);
                }
                (Root::Object, None, Some(body)) if body.starts_with(b"\"") => {
                    self.string(body, around);
                }
                (Root::Object, ..) => self.object(record, around),
                _ => self.reject(Reject::NotAnObject, record),
            }
        }
    }

    /// Takes apart the text that a JSON string stands for.
    fn string(&mut self, quoted: &[u8], around: Around<'_>) {
        let [b'"', inner @ .., b'"'] = quoted else { return self.reject(Reject::BadField, quoted) };
        if !inner.contains(&b'\\') {
            return self.message(inner, around);
        }
        let mut text = self.decoder.spare.pop().unwrap_or_default();
        self.message(json::unescape_in(inner, &mut text), around);
        self.keep(text);
    }

    fn base64(&mut self, quoted: &[u8], around: Around<'_>) {
        let Some(encoded) = json::string(quoted) else {
            return self.reject(Reject::BadField, quoted);
        };
        let mut bytes = self.decoder.spare.pop().unwrap_or_default();
        bytes.clear();
        if STANDARD.decode_vec(encoded.as_bytes(), &mut bytes).is_err() {
            self.reject(Reject::BadWrapping, quoted);
        } else if bytes.starts_with(&[0x1f, 0x8b]) {
            self.gzip(&bytes, around);
        } else {
            self.message(&bytes, around);
        }
        self.keep(bytes);
    }

    /// Takes apart what gzip holds, unless the line has given too much by then.
    fn gzip(&mut self, bytes: &[u8], around: Around<'_>) {
        let mut text = self.decoder.spare.pop().unwrap_or_default();
        text.clear();
        let left = INFLATED_BYTES_MAX.saturating_sub(self.inflated);
        let most = u64::try_from(left).unwrap_or(0).saturating_add(1);
        let result = MultiGzDecoder::new(bytes).take(most).read_to_end(&mut text);
        self.inflated = self.inflated.saturating_add(text.len());
        if text.len() > left {
            self.reject(Reject::Oversized, bytes);
        } else if result.is_err() {
            self.reject(Reject::BadWrapping, bytes);
        } else {
            self.message(&text, around);
        }
        self.keep(text);
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= SPARE_BYTES_MAX && self.decoder.spare.len() <= DEPTH_MAX {
            self.decoder.spare.push(buffer);
        }
    }
}
