//! An application's JSON log line that is no call: an error, or nothing that is measured.
//!
//! A line that names a model but no usage is not known to be nothing, so it stays an unknown kind.

use std::borrow::Cow;

use super::{Context, Found, SignalRecord, add_error, endpoint, first_text};
use crate::decode::application;
use crate::decode::draft::Draft;
use crate::decode::paths::Field;
use crate::model::error_class::{self, ErrorClass};
use crate::model::names::{RecordKind, Reject};

const LEVELS: &[Field] = &[Field::Level, Field::Severity, Field::LevelName];
/// What a person wrote of an error.
const MESSAGES: &[Field] = &[
    Field::EventMessage,
    Field::ShortMessage,
    Field::AppErrorMessage,
    Field::AppExceptionMessage,
    Field::AppError,
    Field::AppException,
];

/// How bad a line says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// All is well.
    Fine,
    /// It may be an error.
    Warning,
    /// It is an error.
    Error,
}

/// Returns the severity that a level's name stands for.
pub(super) fn severity(level: &str) -> Option<Severity> {
    const NAMES: &[(&str, Severity)] = &[
        ("trace", Severity::Fine),
        ("debug", Severity::Fine),
        ("info", Severity::Fine),
        ("notice", Severity::Fine),
        ("warn", Severity::Warning),
        ("warning", Severity::Warning),
        ("error", Severity::Error),
        ("critical", Severity::Error),
        ("fatal", Severity::Error),
        ("emergency", Severity::Error),
        ("alert", Severity::Error),
    ];
    NAMES.iter().find(|(name, _)| level.eq_ignore_ascii_case(name)).map(|(_, severity)| *severity)
}

pub(super) fn record<'l>(draft: &mut Draft<'_, 'l>, _around: &Context<'l>) -> Found<'l> {
    let level = first_text(draft, LEVELS).and_then(|level| severity(&level));
    let message = first_text(draft, MESSAGES);
    let of_fields = application::error(draft);
    let is_failure =
        of_fields.is_some() || matches!(level, Some(Severity::Error | Severity::Warning));
    let of_message = message.as_deref().filter(|_| is_failure).and_then(error_class::classify);
    let class = match (level, of_fields, of_message) {
        // A field says less than the text beside it, if it only says that there is an error.
        (_, Some(ErrorClass::UNKNOWN) | None, Some(class)) | (_, Some(class), _) => class,
        (Some(Severity::Error), None, None) => ErrorClass::UNKNOWN,
        // Neither may it hold JSON, since that might be a call.
        (Some(_), None, None)
            if !application::names_a_model(draft)
                && message.is_none_or(|message| !message.contains("{\"")) =>
        {
            return Found::Ignored;
        }
        (_, None, None) => return Found::Rejected(Reject::UnknownKind),
    };
    let endpoint = message.as_deref().map(endpoint::in_text).unwrap_or_default();
    let named = endpoint.model_id.map(|id| Cow::Owned(id.into_owned()));
    let region = endpoint.region.map(|region| Cow::Owned(region.to_owned()));
    let mut record = SignalRecord {
        at: application::at(draft).ok(),
        id: first_text(draft, &[Field::AppRequestId]),
        request_id: first_text(draft, &[Field::AppRequestId, Field::RequestId]),
        account: first_text(draft, &[Field::AppAccountId, Field::AccountId]),
        region: first_text(draft, &[Field::Region, Field::AppRegion]).or(region),
        model_id: named,
        ..SignalRecord::new(RecordKind::ErrorLog)
    };
    add_error(&mut record, class);
    Found::Signal(record)
}
