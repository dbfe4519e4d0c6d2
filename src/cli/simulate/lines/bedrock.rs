//! Bedrock's model invocation log, with bodies that hold numbers and placeholders.
//!
//! The order of the keys is that of the records of 2026, and times are whole seconds as in all records
//! that were ever seen. That throttled calls are logged is not documented; a simulation is better with
//! than without them.

use super::{error_code, push_hex, push_number, push_uuid};
use crate::cli::simulate::world::{Call, Speech, Workload};
use crate::model::names::Outcome;
use crate::model::tokens::TokenClass;

/// Adds the record of a call.
pub(super) fn push(text: &mut String, workload: &Workload, call: &Call) {
    push_head(text, workload, call);
    if let Some(code) = error_code(call.outcome) {
        text.push_str(",\"errorCode\":\"");
        text.push_str(code);
        text.push_str("\",\"input\":{},\"output\":{}");
    } else {
        push_input(text, workload, call);
        push_output(text, workload, call);
    }
    text.push_str(",\"schemaType\":\"ModelInvocationLog\",\"schemaVersion\":\"1.0\"}\n");
}

fn push_head(text: &mut String, workload: &Workload, call: &Call) {
    text.push_str("{\"timestamp\":\"");
    text.push_str(&call.at.second_text());
    text.push_str("\",\"accountId\":\"");
    text.push_str(workload.place.account);
    text.push_str("\",\"identity\":{\"arn\":\"arn:aws:");
    if let Some(("role", name)) = workload.principal.split_once('/') {
        text.push_str("sts::");
        text.push_str(workload.place.account);
        text.push_str(":assumed-role/");
        text.push_str(name);
        text.push_str("/i-0");
        push_hex(text, u128::from(call.session.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 16);
    } else {
        text.push_str("iam::");
        text.push_str(workload.place.account);
        text.push(':');
        text.push_str(workload.principal);
    }
    text.push_str("\"},\"region\":\"");
    text.push_str(workload.place.region);
    text.push_str("\",\"requestId\":\"");
    push_uuid(text, call.request_id);
    text.push_str("\",\"operation\":\"");
    text.push_str(match workload.speech {
        Speech::Converse => "Converse",
        Speech::MessagesStream => "InvokeModelWithResponseStream",
        Speech::Completion | Speech::Embedding => "InvokeModel",
    });
    text.push_str("\",\"modelId\":\"");
    text.push_str(&workload.model_id);
    text.push_str("\",\"requestMetadata\":{\"team\":\"");
    text.push_str(workload.team);
    text.push_str("\"}");
}

fn push_input(text: &mut String, workload: &Workload, call: &Call) {
    text.push_str(",\"input\":{\"inputContentType\":\"application/json\",\"inputBodyJson\":");
    let (before, behind) = match workload.speech {
        Speech::Converse => (
            "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"(simulated)\"}]}],\
             \"inferenceConfig\":{\"maxTokens\":",
            "}}",
        ),
        Speech::MessagesStream => (
            "{\"anthropic_version\":\"bedrock-2023-05-31\",\"messages\":[{\"role\":\"user\",\
             \"content\":\"(simulated)\"}],\"max_tokens\":",
            "}",
        ),
        Speech::Completion => (
            "{\"prompt\":\"\\n\\nHuman: (simulated)\\n\\nAssistant:\",\"max_tokens_to_sample\":",
            "}",
        ),
        Speech::Embedding => ("{\"inputText\":\"(simulated)\",\"dimensions\":", "}"),
    };
    text.push_str(before);
    push_number(text, workload.max_tokens);
    text.push_str(behind);
    text.push_str(",\"inputTokenCount\":");
    let tokens = |class| call.tokens.get(class);
    push_number(text, tokens(TokenClass::Input));
    let (read, written) = (tokens(TokenClass::CacheRead), tokens(TokenClass::CacheWrite5m));
    if read + written > 0 {
        text.push_str(",\"cacheReadInputTokenCount\":");
        push_number(text, read);
        text.push_str(",\"cacheWriteInputTokenCount\":");
        push_number(text, written);
    }
    text.push('}');
}

fn push_output(text: &mut String, workload: &Workload, call: &Call) {
    text.push_str(",\"output\":{\"outputContentType\":\"application/json\",\"outputBodyJson\":");
    match workload.speech {
        Speech::Converse => push_converse(text, call),
        Speech::MessagesStream => push_stream(text, call),
        Speech::Completion => {
            text.push_str(
                "{\"type\":\"completion\",\"completion\":\"(simulated)\",\"stop_reason\":\"",
            );
            text.push_str(if call.is_cut { "max_tokens" } else { "stop_sequence" });
            text.push_str("\"}");
        }
        Speech::Embedding => {
            text.push_str("{\"embedding\":[0.011,-0.02,0.5],\"inputTextTokenCount\":");
            push_number(text, call.tokens.get(TokenClass::Input));
            text.push_str("}}");
            return;
        }
    }
    text.push_str(",\"outputTokenCount\":");
    push_number(text, call.tokens.get(TokenClass::Output));
    text.push('}');
}

fn push_converse(text: &mut String, call: &Call) {
    let tokens = |class| call.tokens.get(class);
    text.push_str(
        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"(simulated)\"}]}},\
         \"stopReason\":\"",
    );
    text.push_str(match call.outcome {
        Outcome::Filtered => "content_filtered",
        _ if call.is_cut => "max_tokens",
        _ => "end_turn",
    });
    text.push_str("\",\"metrics\":{\"latencyMs\":");
    push_number(text, call.latency_ms);
    text.push_str("},\"usage\":{\"inputTokens\":");
    push_number(text, tokens(TokenClass::Input));
    text.push_str(",\"outputTokens\":");
    push_number(text, tokens(TokenClass::Output));
    text.push_str(",\"totalTokens\":");
    push_number(text, call.tokens.total());
    let (read, written) = (tokens(TokenClass::CacheRead), tokens(TokenClass::CacheWrite5m));
    if read + written > 0 {
        text.push_str(",\"cacheReadInputTokens\":");
        push_number(text, read);
        text.push_str(",\"cacheWriteInputTokens\":");
        push_number(text, written);
        text.push_str(",\"cacheDetails\":[");
        if written > 0 {
            text.push_str("{\"ttl\":\"5m\",\"inputTokens\":");
            push_number(text, written);
            text.push('}');
        }
        text.push(']');
    }
    text.push_str("},\"serviceTier\":{\"type\":\"default\"}}");
}

fn push_stream(text: &mut String, call: &Call) {
    let tokens = |class| call.tokens.get(class);
    let (read, written) = (tokens(TokenClass::CacheRead), tokens(TokenClass::CacheWrite5m));
    text.push_str(
        "[{\"type\":\"message_start\",\"message\":{\"type\":\"message\",\"role\":\"assistant\",\
         \"content\":[],\"usage\":{\"input_tokens\":",
    );
    push_number(text, tokens(TokenClass::Input));
    if read + written > 0 {
        text.push_str(",\"cache_read_input_tokens\":");
        push_number(text, read);
        text.push_str(",\"cache_creation_input_tokens\":");
        push_number(text, written);
        text.push_str(",\"cache_creation\":{\"ephemeral_5m_input_tokens\":");
        push_number(text, written);
        text.push_str(",\"ephemeral_1h_input_tokens\":0}");
    }
    text.push_str(
        ",\"output_tokens\":1}}},{\"type\":\"content_block_delta\",\"index\":0,\"delta\":\
         {\"type\":\"text_delta\",\"text\":\"(simulated)\"}},{\"type\":\"message_delta\",\"delta\":\
         {\"stop_reason\":\"",
    );
    text.push_str(if call.is_cut { "max_tokens" } else { "end_turn" });
    text.push_str("\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":");
    push_number(text, tokens(TokenClass::Output));
    text.push_str(
        "}},{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":",
    );
    push_number(text, tokens(TokenClass::Input));
    text.push_str(",\"outputTokenCount\":");
    push_number(text, tokens(TokenClass::Output));
    text.push_str(",\"invocationLatency\":");
    push_number(text, call.latency_ms);
    text.push_str(",\"firstByteLatency\":");
    push_number(text, call.first_token_ms);
    text.push_str("}}]");
}
