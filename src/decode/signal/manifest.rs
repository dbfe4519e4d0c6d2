//! The manifest of a batch inference job (`bedrock` user guide, page `batch-inference-results`). Its
//! tokens are those of the job's output files summed up, so they are shown apart from them.

use super::{Found, SignalRecord};
use crate::decode::draft::Draft;
use crate::decode::paths::Field;
use crate::model::names::RecordKind;
use crate::model::signal::Signal;
use crate::model::tokens::TokenClass;

pub(super) fn record<'l>(draft: &Draft<'_, 'l>) -> Found<'l> {
    let mut record = SignalRecord::new(RecordKind::BatchManifest);
    for (field, signal, label) in [
        (Field::ManifestSuccess, Signal::BatchRecords, "success"),
        (Field::ManifestError, Signal::BatchRecords, "error"),
        (Field::ManifestInput, Signal::BatchTokens, TokenClass::Input.as_str()),
        (Field::ManifestOutput, Signal::BatchTokens, TokenClass::Output.as_str()),
    ] {
        // A job may have more tokens than one call may have.
        let count = draft.raw(field).and_then(|raw| crate::decode::scalar::decimal(raw, 1));
        record.observe(signal, vec![label.into()], count);
    }
    if record.measurements.is_empty() {
        return Found::Rejected(crate::model::names::Reject::MissingField);
    }
    Found::Signal(record)
}
