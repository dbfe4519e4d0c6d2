//! Which kinds of log have told of calls, and by which id the other kind tells of the same one. It must never
//! make a log pay for a kind that there is none of.

use super::batch::Entry;
use super::seen::twin;
use crate::model::names::RecordKind;

/// Which kinds of log have told of calls: only if both have can one corroborate the other, so one
/// alone pays nothing for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tellers {
    services: bool,
    applications: bool,
}

impl Tellers {
    /// Takes note of a log that has told of a record.
    pub(super) fn add(&mut self, kind: RecordKind) {
        match kind {
            RecordKind::BedrockInvocation => self.services = true,
            RecordKind::Application => self.applications = true,
            _ => {}
        }
    }

    /// Returns the id of the same call in the other kind of log, if there was such a log.
    pub(super) fn twin(self, entry: &Entry) -> Option<u64> {
        let others = match entry.kind {
            RecordKind::Application => self.services,
            _ => self.applications,
        };
        entry.id.filter(|_| entry.has_shared_id && others).map(twin)
    }
}
