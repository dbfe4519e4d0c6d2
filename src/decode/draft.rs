//! What a walk found, on its way to an [`Invocation`]: which kind of log the line is of, and the
//! readings that all kinds share. Both walks end here.

use std::borrow::Cow;

use super::format::{self, Plan};
use super::paths::Field;
use super::scalar::{self, Clock};
use super::slots::{FieldSet, Slots};
use super::{Invocation, Reject, application, batch, bedrock, json};
use crate::model::names::RecordKind;
use crate::model::time::UnixMillis;
use crate::model::tokens::{TokenClass, TokenCounts};

use super::json::Slot;

/// 2000-01-01T00:00:00Z, long before the first record of any kind.
const EARLIEST: UnixMillis = UnixMillis(946_684_800_000);
/// 2200-01-01T00:00:00Z: whatever is later is a broken clock and would outlive every retention.
const LATEST: UnixMillis = UnixMillis(7_258_118_400_000);

/// The value of [`Field::SchemaType`] in Bedrock's invocation log.
const INVOCATION_SCHEMA: &[u8] = b"\"ModelInvocationLog\"";

/// How far from its start a line is checked at once for text that can be used as it stands. The
/// names of a Bedrock record stand in its first 500 bytes, or behind its bodies.
const HEAD: usize = 512;

/// The values found in one line.
pub(super) struct Draft<'d, 'l> {
    pub(super) line: &'l [u8],
    /// The start of the line as far as it is UTF-8 without a backslash, [`HEAD`] at most. Checking
    /// it once costs less than checking each string in it.
    pub(super) head: &'l str,
    pub(super) slots: &'d Slots,
    /// Slots of the attributes, in the order of the config.
    pub(super) attributes: &'d [Slot],
    /// The logs that the config describes.
    pub(super) formats: &'d [Plan],
    pub(super) clock: &'d mut Clock,
}

impl<'l> Draft<'_, 'l> {
    /// Returns the invocation that the line tells of.
    pub(super) fn finish(&mut self) -> Result<Invocation<'l>, Reject> {
        // What the config says goes before what can be guessed, but never before the name of a schema.
        if !self.formats.is_empty()
            && self.raw(Field::SchemaType) != Some(INVOCATION_SCHEMA)
            && let Some(plan) = format::plan_of(self)
        {
            return format::invocation(self, plan);
        }
        match self.kind() {
            Some(RecordKind::BedrockInvocation) => bedrock::invocation(self),
            Some(RecordKind::Application) => application::invocation(self),
            Some(RecordKind::BatchOutput) => batch::invocation(self),
            _ => Err(Reject::UnknownKind),
        }
    }

    /// Tells the kind by the fields that are there: a name of the schema decides, then whatever no
    /// other log has. A lone `modelId` is the weakest sign.
    fn kind(&self) -> Option<RecordKind> {
        if let Some(schema) = self.raw(Field::SchemaType) {
            return (schema == INVOCATION_SCHEMA).then_some(RecordKind::BedrockInvocation);
        }
        let has_model = self.has(Field::ModelId);
        let of_a_call = const { FieldSet::of(&[Field::Operation, Field::Input, Field::Output]) };
        if has_model && self.has_any(of_a_call) {
            return Some(RecordKind::BedrockInvocation);
        }
        if application::is_one(self) {
            return Some(RecordKind::Application);
        }
        if batch::is_one(self) {
            return Some(RecordKind::BatchOutput);
        }
        has_model.then_some(RecordKind::BedrockInvocation)
    }

    /// Tells whether the line has a field, and not as `null`.
    #[inline]
    pub(super) fn has(&self, field: Field) -> bool {
        self.slots.has(field)
    }

    /// Tells whether the line has any of these fields, and not as `null`.
    #[inline]
    pub(super) fn has_any(&self, fields: FieldSet) -> bool {
        self.slots.has_any(fields)
    }

    /// Returns the JSON text of a field, if it is there and not `null`.
    #[inline]
    pub(super) fn raw(&self, field: Field) -> Option<&'l [u8]> {
        self.slots.raw(self.line, field)
    }

    /// Returns the JSON text at a slot.
    pub(super) fn raw_slot(&self, slot: Slot) -> Option<&'l [u8]> {
        self.slots.raw_slot(self.line, slot)
    }

    /// Returns a field that is a string.
    #[inline]
    pub(super) fn text(&self, field: Field) -> Option<Cow<'l, str>> {
        self.text_slot(field as Slot)
    }

    #[inline]
    pub(super) fn text_slot(&self, slot: Slot) -> Option<Cow<'l, str>> {
        let place = self.slots.place(slot)?;
        match self.head.get(place.clone()) {
            Some(quoted) => quoted.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed),
            None => json::string(self.line.get(place)?),
        }
    }

    /// Returns a model id, without which no call can be counted.
    pub(super) fn model_id(&self, field: Field) -> Result<Cow<'l, str>, Reject> {
        self.raw(field).ok_or(Reject::MissingField)?;
        self.text(field).filter(|id| !id.is_empty()).ok_or(Reject::BadField)
    }

    /// Returns when the call was made.
    pub(super) fn at(&mut self) -> Result<UnixMillis, Reject> {
        self.raw(Field::Timestamp).ok_or(Reject::MissingField)?;
        let text = self.text(Field::Timestamp).ok_or(Reject::BadTimestamp)?;
        self.clock.read(&text).ok_or(Reject::BadTimestamp).and_then(believed)
    }

    /// Returns when the call was made out of the first of these fields that tells it, as text or as a
    /// number.
    pub(super) fn at_any(&mut self, fields: &[Field]) -> Result<UnixMillis, Reject> {
        let mut reject = Reject::MissingField;
        for &field in fields {
            let Some(raw) = self.raw(field) else { continue };
            let at = match self.text(field) {
                Some(text) => self.clock.read(&text),
                None => scalar::epoch(raw),
            };
            match at.ok_or(Reject::BadTimestamp).and_then(believed) {
                Ok(at) => return Ok(at),
                Err(bad) => reject = bad,
            }
        }
        Err(reject)
    }

    /// Returns a count that the record stands for: one that can't be read spoils the record.
    #[inline]
    pub(super) fn count(&self, field: Field) -> Result<Option<u64>, Reject> {
        let count = self.raw(field).map(scalar::count).transpose();
        count.map_err(|scalar::NotACount| Reject::BadTokenCount)
    }

    /// Returns a count out of a body, which anyone may have written: one that can't be read is as
    /// good as none.
    #[inline]
    pub(super) fn hint(&self, field: Field) -> Option<u64> {
        scalar::count(self.raw(field)?).ok()
    }

    /// Returns the first of some counts out of a body.
    pub(super) fn first_hint(&self, fields: &[Field]) -> Option<u64> {
        fields.iter().find_map(|&field| self.hint(field))
    }

    /// Returns the values of the attributes.
    pub(super) fn attribute_values(&self) -> Vec<Option<Cow<'l, str>>> {
        if self.attributes.is_empty() {
            return Vec::new();
        }
        self.attributes.iter().map(|&slot| self.text_slot(slot)).collect()
    }
}

/// Returns `at` if a record can be of that time.
pub(super) fn believed(at: UnixMillis) -> Result<UnixMillis, Reject> {
    if (EARLIEST..LATEST).contains(&at) { Ok(at) } else { Err(Reject::BadTimestamp) }
}

/// Returns the start of `line` that can be used as text as it stands.
pub(super) fn head(line: &[u8]) -> &str {
    let head = line.get(..HEAD).unwrap_or(line);
    let head = memchr::memchr(b'\\', head).and_then(|end| head.get(..end)).unwrap_or(head);
    match simdutf8::compat::from_utf8(head) {
        Ok(text) => text,
        Err(error) => {
            let valid = head.get(..error.valid_up_to()).unwrap_or(&[]);
            std::str::from_utf8(valid).unwrap_or("")
        }
    }
}

/// Books `total` cache writes by their times to live, where the parts that the log names add up to
/// it; else as of unknown time to live. Without a total the parts are the total.
pub(super) fn set_cache_writes(
    tokens: &mut TokenCounts,
    total: Option<u64>,
    parts: Option<(u64, u64)>,
) {
    match (total, parts) {
        (None, Some((short, long))) => set_parts(tokens, short, long),
        (Some(total), Some((short, long))) if short.saturating_add(long) == total => {
            set_parts(tokens, short, long);
        }
        (total, _) => tokens.set(TokenClass::CacheWriteUnknownTtl, total.unwrap_or(0)),
    }
}

fn set_parts(tokens: &mut TokenCounts, short: u64, long: u64) {
    tokens.set(TokenClass::CacheWrite5m, short);
    tokens.set(TokenClass::CacheWrite1h, long);
}
