//! What tells a record from all others: a keyed hash of the request it is of, in its account and region, or
//! else of the event that held it. Whoever writes a log must not be able to choose colliding ones.
//!
//! The hash of what many records share is the key of what is their own, so texts are hashed where they
//! stand: to put them together takes longer than the hash.

use super::seen::told_by;
use crate::decode::{Invocation, SignalRecord};
use crate::model::hash::seeded_hash;
use crate::model::names::RecordKind;
use crate::model::series::UNKNOWN;

/// Accounts and regions whose keys are remembered.
const SCOPES_MAX: usize = 16;

/// Makes the ids of one ledger.
#[derive(Debug)]
pub(super) struct RecordIds {
    /// Secret of the ledger.
    seed: u64,
    /// Key of request ids that are unique by themselves.
    unique: u64,
    /// Key of ids of events.
    event: u64,
    /// Keys by account and region.
    scopes: Vec<(String, String, u64)>,
}

impl RecordIds {
    /// Returns what makes the ids of the ledger with the secret `seed`.
    pub(super) fn new(seed: u64) -> Self {
        // No account begins like these.
        let (unique, event) = (seeded_hash(&[2], seed), seeded_hash(&[0], seed));
        Self { seed, unique, event, scopes: Vec::new() }
    }

    /// Returns the id of a call, if the log tells it from others. Also whether other kinds of log name it
    /// alike.
    pub(super) fn of_call(
        &mut self,
        invocation: &Invocation<'_>,
        event_id: Option<&str>,
    ) -> (Option<u64>, bool) {
        let id = match (invocation.request_id.as_deref(), event_id) {
            // Of several calls in one record no other log names a single one by this id.
            (Some(request_id), _) if is_uuid(request_id) && invocation.part == 0 => {
                let id = seeded_hash(request_id.as_bytes(), self.unique);
                let is_application = invocation.kind == RecordKind::Application;
                return (Some(told_by(id, is_application)), true);
            }
            (Some(request_id), _) => {
                let account = invocation.account.as_deref().unwrap_or(UNKNOWN);
                let region = invocation.region.as_deref().unwrap_or(UNKNOWN);
                seeded_hash(request_id.as_bytes(), self.scope(account, region))
            }
            (None, Some(event_id)) => seeded_hash(event_id.as_bytes(), self.event),
            (None, None) => return (None, false),
        };
        let part = invocation.part;
        (Some(if part > 0 { seeded_hash(&part.to_le_bytes(), id) } else { id }), false)
    }

    /// Returns the id of a record that is no call.
    pub(super) fn of_signal(
        &self,
        record: &SignalRecord<'_>,
        account: &str,
        region: &str,
        event_id: Option<&str>,
    ) -> Option<u64> {
        let Some(id) = record.id.as_deref() else {
            return event_id.map(|event_id| seeded_hash(event_id.as_bytes(), self.event));
        };
        // No account begins so: ids of signals never meet those of calls.
        let kind = seeded_hash(&[1, record.kind as u8], self.seed);
        let texts = [account, region, id];
        Some(texts.iter().fold(kind, |key, text| seeded_hash(text.as_bytes(), key)))
    }

    fn scope(&mut self, account: &str, region: &str) -> u64 {
        let is_known = |(known, of, _): &&(String, String, u64)| known == account && of == region;
        if let Some(&(.., key)) = self.scopes.iter().find(is_known) {
            return key;
        }
        let key = seeded_hash(region.as_bytes(), seeded_hash(account.as_bytes(), self.seed));
        if self.scopes.len() == SCOPES_MAX {
            self.scopes.clear();
        }
        self.scopes.push((account.to_owned(), region.to_owned(), key));
        key
    }
}

/// Tells whether an id has the form of those that AWS gives to requests, which are unique by
/// themselves.
fn is_uuid(id: &str) -> bool {
    let is_in_place = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    id.len() == 36 && id.bytes().enumerate().all(is_in_place)
}
