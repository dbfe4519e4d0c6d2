//! The log of an application whose calls are in no invocation log (Bedrock does not log what comes
//! through its OpenAI-compatible endpoint `bedrock-mantle`), so no call is in two logs.

use super::{push_instant, push_number, push_uuid};
use crate::cli::simulate::world::{Call, Workload};
use crate::model::names::Outcome;
use crate::model::tokens::TokenClass;

/// Every so many calls there is a line that tells of none.
const CALLS_PER_MESSAGE: u128 = 12;

/// Adds the line of a call.
pub(super) fn push_call(text: &mut String, workload: &Workload, call: &Call) {
    let error = match call.outcome {
        Outcome::Throttled => {
            Some("ThrottlingException: Too many requests, please wait before trying again.")
        }
        Outcome::Validation => Some("ValidationException: the request is malformed"),
        Outcome::Timeout => Some("ReadTimeoutError: no answer in time"),
        Outcome::ModelError => Some("ModelErrorException: the model failed"),
        _ => None,
    };
    text.push_str("{\"timestamp\":\"");
    push_instant(text, call.at);
    text.push_str(if error.is_some() {
        "\",\"level\":\"ERROR\",\"message\":\"Model invocation failed\",\"model_id\":\""
    } else {
        "\",\"level\":\"INFO\",\"message\":\"Model invocation successful\",\"model_id\":\""
    });
    text.push_str(&workload.model_id);
    text.push_str("\",\"aws_region\":\"");
    text.push_str(workload.place.region);
    text.push_str("\",\"account_id\":\"");
    text.push_str(workload.place.account);
    if let Some(error) = error {
        text.push_str("\",\"error\":\"");
        text.push_str(error);
    } else {
        let tokens = |class| call.tokens.get(class);
        text.push_str("\",\"usage\":{\"prompt_tokens\":");
        push_number(text, tokens(TokenClass::Input));
        text.push_str(",\"completion_tokens\":");
        push_number(text, tokens(TokenClass::Output));
        text.push_str(",\"total_tokens\":");
        push_number(text, call.tokens.total());
        text.push_str("},\"latency_ms\":");
        push_number(text, call.latency_ms);
        text.push_str(",\"finish_reason\":\"");
        text.push_str(match call.outcome {
            Outcome::Filtered => "content_filter",
            _ if call.is_cut => "length",
            _ => "stop",
        });
    }
    text.push_str("\",\"request_id\":\"");
    push_uuid(text, call.request_id);
    text.push_str("\"}\n");
}

/// Adds a line that tells of no call, now and then; tells whether it did.
pub(super) fn push_message(text: &mut String, call: &Call) -> bool {
    if !call.request_id.is_multiple_of(CALLS_PER_MESSAGE) {
        return false;
    }
    text.push_str("{\"timestamp\":\"");
    push_instant(text, call.at);
    text.push_str("\",\"level\":\"INFO\",\"message\":\"conversations saved\",\"count\":");
    push_number(text, call.session);
    text.push_str("}\n");
    true
}
