//! The one table of the places in a line that are read, and what stands there. Everything that is
//! not in this table is stepped over unread, above all the text of prompts and answers.
//!
//! Sources: the `bedrock` user guide, page `model-invocation-logging`, for the record; botocore's
//! `bedrock-runtime` service model for Converse bodies; the model parameter pages of the same guide
//! and real records published by Elastic's `aws_bedrock` integration for the other bodies. For the
//! wrappings: `CloudWatch Logs` user guide, page `SubscriptionFilters`; botocore's service models
//! `logs` and `kinesis`; the Lambda developer guide's event examples; Docker's `json-file` driver.

use super::json::{Slot, Trie, TrieBuilder};

/// What stands at a place that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Field {
    /// `ModelInvocationLog`, where the record names its schema.
    SchemaType,
    /// When the call was made; both kinds.
    Timestamp,
    /// Region; both kinds.
    Region,
    AccountId,
    RequestId,
    Operation,
    ModelId,
    IdentityArn,
    ErrorCode,
    /// Input tokens without cached ones.
    Input,
    CacheRead,
    CacheWrite,
    Output,
    /// The request's limit on output tokens.
    MaxTokens,
    /// The tier that the request asked for.
    TierAsked,
    /// The tier that served.
    TierServed,
    StopReason,
    /// `INTERVENED` where a guardrail did.
    GuardrailAction,
    /// The model that a prompt router chose.
    InvokedModelId,
    /// Converse's latency, milliseconds.
    Latency,
    /// Usage as the body tells it.
    BodyInput,
    BodyOutput,
    /// Converse's and Nova's sum.
    BodyTotal,
    /// Cached tokens in Converse's spelling.
    ConverseCacheRead,
    ConverseCacheWrite,
    /// Cached tokens in Anthropic's and Nova's spelling.
    BodyCacheRead,
    BodyCacheWrite,
    /// Anthropic's split of the cache writes.
    BodyWrite5m,
    BodyWrite1h,
    /// One of Converse's cache details: time to live, tokens, and the end of the element.
    DetailTtl,
    DetailTokens,
    DetailEnd,
    BodyReasoning,
    /// Usage at the start of an Anthropic stream: exact for the input, a first guess for the output.
    StartInput,
    StartOutput,
    StartCacheRead,
    StartCacheWrite,
    /// What Bedrock adds to the last chunk of a stream.
    MetricsInput,
    MetricsOutput,
    MetricsCacheRead,
    MetricsCacheWrite,
    MetricsLatency,
    MetricsFirstByte,
    /// The application log's own fields; one for each spelling, since a line may hold several and
    /// their order must not matter.
    AppModelId,
    AppModelRequested,
    AppModel,
    AppModelName,
    AppAtTimestamp,
    AppTime,
    AppTs,
    AppRequestId,
    AppAccountId,
    AppRegion,
    AppPrincipal,
    AppRoleArn,
    /// Usage in Anthropic's spelling, and what Anthropic and `OpenAI` add to it.
    AppInput,
    AppOutput,
    AppTotal,
    AppCacheRead,
    AppCacheWrite,
    AppWrite5m,
    AppWrite1h,
    AppReasoning,
    /// Usage in `OpenAI`'s spelling; its cached tokens are part of the input.
    AppPrompt,
    AppCompletion,
    AppCached,
    /// Usage in Converse's spelling.
    AppInputCamel,
    AppOutputCamel,
    AppTotalCamel,
    AppCacheReadCamel,
    AppCacheWriteCamel,
    /// The same without a `usage` around it.
    FlatInput,
    FlatOutput,
    FlatTotal,
    FlatCacheRead,
    FlatCacheWrite,
    FlatPrompt,
    FlatCompletion,
    FlatCached,
    FlatInputCamel,
    FlatOutputCamel,
    FlatTotalCamel,
    FlatCacheReadCamel,
    FlatCacheWriteCamel,
    AppStopReason,
    AppFinishReason,
    AppStopReasonCamel,
    AppLatency,
    AppLatencyCamel,
    AppDuration,
    AppFirstToken,
    AppTimeToFirstToken,
    /// Errors: codes, then texts, then the HTTP status.
    AppErrorCode,
    AppErrorInnerCode,
    AppErrorInnerType,
    AppErrorType,
    AppException,
    AppExceptionType,
    AppExceptionMessage,
    AppError,
    AppErrorMessage,
    AppStatus,
    AppEstimate,
    /// What wraps records: see `decode/wrapping.rs`.
    LogEvents,
    MessageType,
    Owner,
    EventId,
    EventMessage,
    /// One event of a list of them: its message, its id, and the end of the element.
    ListedMessage,
    ListedId,
    ListedEnd,
    AwslogsData,
    StreamData,
    PartitionKey,
    Events,
    SessionStart,
    SessionResults,
    SessionSampled,
    Results,
    CellName,
    CellValue,
    Records,
    Log,
    JournalMessage,
    NotificationEvent,
}

/// How many fields there are; the slots from here on are the attributes.
pub(super) const FIELDS: usize = Field::NotificationEvent as usize + 1;

/// Where the attributes stand.
const METADATA: &str = "requestMetadata";

/// Where lists of events stand.
const EVENTS: &[&str] = &["logEvents[]", "events[]", "sessionUpdate.sessionResults[]"];

/// Places that stand together, under each of the paths in front of them.
type Group = (&'static [&'static str], &'static [(&'static str, Field)]);

/// A body is one object, or an array of the chunks of a stream.
const OUTPUT_BODY: &[&str] = &["output.outputBodyJson", "output.outputBodyJson[]"];
/// Nova wraps the usage of a stream once more.
const BODY_USAGE: &[&str] = &[
    "output.outputBodyJson.usage",
    "output.outputBodyJson[].usage",
    "output.outputBodyJson[].metadata.usage",
];

const PATHS: &[Group] = &[
    (
        &[""],
        &[
            ("schemaType", Field::SchemaType),
            ("timestamp", Field::Timestamp),
            ("accountId", Field::AccountId),
            ("region", Field::Region),
            ("requestId", Field::RequestId),
            ("operation", Field::Operation),
            ("modelId", Field::ModelId),
            ("identity.arn", Field::IdentityArn),
            ("identity[].arn", Field::IdentityArn),
            ("errorCode", Field::ErrorCode),
        ],
    ),
    (
        &["input"],
        &[
            ("inputTokenCount", Field::Input),
            ("cacheReadInputTokenCount", Field::CacheRead),
            ("cacheWriteInputTokenCount", Field::CacheWrite),
            ("inputBodyJson.max_tokens", Field::MaxTokens),
            ("inputBodyJson.inferenceConfig.maxTokens", Field::MaxTokens),
            ("inputBodyJson.max_tokens_to_sample", Field::MaxTokens),
            ("inputBodyJson.max_gen_len", Field::MaxTokens),
            ("inputBodyJson.textGenerationConfig.maxTokenCount", Field::MaxTokens),
            ("inputBodyJson.serviceTier.type", Field::TierAsked),
            ("inputBodyJson.service_tier", Field::TierAsked),
        ],
    ),
    (&["output"], &[("outputTokenCount", Field::Output)]),
    (
        OUTPUT_BODY,
        &[
            ("serviceTier.type", Field::TierServed),
            ("trace.promptRouter.invokedModelId", Field::InvokedModelId),
            ("metrics.latencyMs", Field::Latency),
            ("amazon-bedrock-guardrailAction", Field::GuardrailAction),
            ("stopReason", Field::StopReason),
            ("stop_reason", Field::StopReason),
            ("finish_reason", Field::StopReason),
            ("completionReason", Field::StopReason),
            ("results[].completionReason", Field::StopReason),
            ("outputs[].stop_reason", Field::StopReason),
            ("generations[].finish_reason", Field::StopReason),
            ("choices[].finish_reason", Field::StopReason),
            ("inputTextTokenCount", Field::BodyInput),
            ("results[].tokenCount", Field::BodyOutput),
            ("totalOutputTextTokenCount", Field::BodyOutput),
            ("prompt_token_count", Field::BodyInput),
            ("generation_token_count", Field::BodyOutput),
        ],
    ),
    (
        &["output.outputBodyJson[]"],
        &[
            ("delta.stop_reason", Field::StopReason),
            ("messageStop.stopReason", Field::StopReason),
            ("metadata.metrics.latencyMs", Field::Latency),
            ("message.usage.input_tokens", Field::StartInput),
            ("message.usage.output_tokens", Field::StartOutput),
            ("message.usage.cache_read_input_tokens", Field::StartCacheRead),
            ("message.usage.cache_creation_input_tokens", Field::StartCacheWrite),
            ("message.usage.cache_creation.ephemeral_5m_input_tokens", Field::BodyWrite5m),
            ("message.usage.cache_creation.ephemeral_1h_input_tokens", Field::BodyWrite1h),
        ],
    ),
    (
        &[
            "output.outputBodyJson.amazon-bedrock-invocationMetrics",
            "output.outputBodyJson[].amazon-bedrock-invocationMetrics",
        ],
        &[
            ("inputTokenCount", Field::MetricsInput),
            ("outputTokenCount", Field::MetricsOutput),
            ("cacheReadInputTokenCount", Field::MetricsCacheRead),
            ("cacheWriteInputTokenCount", Field::MetricsCacheWrite),
            ("invocationLatency", Field::MetricsLatency),
            ("firstByteLatency", Field::MetricsFirstByte),
        ],
    ),
    (
        BODY_USAGE,
        &[
            ("inputTokens", Field::BodyInput),
            ("outputTokens", Field::BodyOutput),
            ("totalTokens", Field::BodyTotal),
            ("cacheReadInputTokens", Field::ConverseCacheRead),
            ("cacheWriteInputTokens", Field::ConverseCacheWrite),
            ("cacheReadInputTokenCount", Field::BodyCacheRead),
            ("cacheWriteInputTokenCount", Field::BodyCacheWrite),
            ("cacheDetails[].ttl", Field::DetailTtl),
            ("cacheDetails[].inputTokens", Field::DetailTokens),
            ("cacheDetails[]", Field::DetailEnd),
            ("input_tokens", Field::BodyInput),
            ("output_tokens", Field::BodyOutput),
            ("cache_read_input_tokens", Field::BodyCacheRead),
            ("cache_creation_input_tokens", Field::BodyCacheWrite),
            ("cache_creation.ephemeral_5m_input_tokens", Field::BodyWrite5m),
            ("cache_creation.ephemeral_1h_input_tokens", Field::BodyWrite1h),
            ("output_tokens_details.reasoning_tokens", Field::BodyReasoning),
            ("completion_tokens_details.reasoning_tokens", Field::BodyReasoning),
        ],
    ),
    (
        &[""],
        &[
            ("model_id", Field::AppModelId),
            ("gen_ai.request.model", Field::AppModelRequested),
            ("model", Field::AppModel),
            ("model_name", Field::AppModelName),
            ("@timestamp", Field::AppAtTimestamp),
            ("time", Field::AppTime),
            ("ts", Field::AppTs),
            ("request_id", Field::AppRequestId),
            ("account_id", Field::AppAccountId),
            ("aws_region", Field::AppRegion),
            ("principal", Field::AppPrincipal),
            ("role_arn", Field::AppRoleArn),
            ("billing_estimate_usd", Field::AppEstimate),
            ("stop_reason", Field::AppStopReason),
            ("finish_reason", Field::AppFinishReason),
            ("stopReason", Field::AppStopReasonCamel),
            ("latency_ms", Field::AppLatency),
            ("latencyMs", Field::AppLatencyCamel),
            ("duration_ms", Field::AppDuration),
            ("ttft_ms", Field::AppFirstToken),
            ("time_to_first_token_ms", Field::AppTimeToFirstToken),
            ("error_code", Field::AppErrorCode),
            ("error.code", Field::AppErrorInnerCode),
            ("error.type", Field::AppErrorInnerType),
            ("error", Field::AppError),
            ("error.message", Field::AppErrorMessage),
            ("exception", Field::AppException),
            ("exception.type", Field::AppExceptionType),
            ("exception.message", Field::AppExceptionMessage),
            ("status_code", Field::AppStatus),
        ],
    ),
    (
        &["usage"],
        &[
            ("input_tokens", Field::AppInput),
            ("output_tokens", Field::AppOutput),
            ("total_tokens", Field::AppTotal),
            ("cache_read_input_tokens", Field::AppCacheRead),
            ("cache_creation_input_tokens", Field::AppCacheWrite),
            ("cache_creation.ephemeral_5m_input_tokens", Field::AppWrite5m),
            ("cache_creation.ephemeral_1h_input_tokens", Field::AppWrite1h),
            ("output_tokens_details.reasoning_tokens", Field::AppReasoning),
            ("completion_tokens_details.reasoning_tokens", Field::AppReasoning),
            ("prompt_tokens", Field::AppPrompt),
            ("completion_tokens", Field::AppCompletion),
            ("prompt_tokens_details.cached_tokens", Field::AppCached),
            ("input_tokens_details.cached_tokens", Field::AppCached),
            ("inputTokens", Field::AppInputCamel),
            ("outputTokens", Field::AppOutputCamel),
            ("totalTokens", Field::AppTotalCamel),
            ("cacheReadInputTokens", Field::AppCacheReadCamel),
            ("cacheWriteInputTokens", Field::AppCacheWriteCamel),
        ],
    ),
    (
        &[""],
        &[
            ("input_tokens", Field::FlatInput),
            ("output_tokens", Field::FlatOutput),
            ("total_tokens", Field::FlatTotal),
            ("cache_read_input_tokens", Field::FlatCacheRead),
            ("cache_creation_input_tokens", Field::FlatCacheWrite),
            ("prompt_tokens", Field::FlatPrompt),
            ("completion_tokens", Field::FlatCompletion),
            ("prompt_tokens_details.cached_tokens", Field::FlatCached),
            ("inputTokens", Field::FlatInputCamel),
            ("outputTokens", Field::FlatOutputCamel),
            ("totalTokens", Field::FlatTotalCamel),
            ("cacheReadInputTokens", Field::FlatCacheReadCamel),
            ("cacheWriteInputTokens", Field::FlatCacheWriteCamel),
        ],
    ),
    (
        &[""],
        &[
            ("logEvents", Field::LogEvents),
            ("messageType", Field::MessageType),
            ("owner", Field::Owner),
            ("id", Field::EventId),
            ("eventId", Field::EventId),
            ("message", Field::EventMessage),
            ("body", Field::EventMessage),
            ("awslogs.data", Field::AwslogsData),
            ("Data", Field::StreamData),
            ("data", Field::StreamData),
            ("kinesis.data", Field::StreamData),
            ("PartitionKey", Field::PartitionKey),
            ("events", Field::Events),
            ("sessionStart", Field::SessionStart),
            ("sessionUpdate.sessionResults", Field::SessionResults),
            ("sessionUpdate.sessionMetadata.sampled", Field::SessionSampled),
            ("results", Field::Results),
            ("field", Field::CellName),
            ("value", Field::CellValue),
            ("Records", Field::Records),
            ("records", Field::Records),
            ("log", Field::Log),
            ("MESSAGE", Field::JournalMessage),
            ("Event", Field::NotificationEvent),
        ],
    ),
    (
        EVENTS,
        &[
            ("message", Field::ListedMessage),
            ("body", Field::ListedMessage),
            ("id", Field::ListedId),
            ("eventId", Field::ListedId),
            ("", Field::ListedEnd),
        ],
    ),
];

/// Keys of the line itself that hold dots: attributes of OpenTelemetry, written flat.
const DOTTED_KEYS: &[(&str, Field)] =
    &[("gen_ai.request.model", Field::AppModelRequested), ("error.type", Field::AppErrorType)];

/// Returns the tree of all places in the table and of the request metadata with these keys: the
/// first key has slot [`FIELDS`], the next one the slot after it. A key that comes twice has the
/// slot of the first.
pub(super) fn trie(attributes: &[String]) -> Trie {
    let mut builder = TrieBuilder::default();
    for (roots, rows) in PATHS {
        for root in *roots {
            for (path, field) in *rows {
                builder.add(&format!("{root}.{path}"), *field as Slot);
            }
        }
    }
    for (key, field) in DOTTED_KEYS {
        builder.add_key("", key, *field as Slot);
    }
    for key in attributes {
        if let Some(slot) = attribute_slot(attributes, key) {
            builder.add_key(METADATA, key, slot);
        }
    }
    builder.build()
}

/// Returns the slot of the attribute `key`.
pub(super) fn attribute_slot(attributes: &[String], key: &str) -> Option<Slot> {
    let place = attributes.iter().position(|known| known == key)?;
    Slot::try_from(FIELDS + place).ok()
}

/// Returns every path of the table, written out.
#[cfg(test)]
pub(super) fn all_paths() -> Vec<String> {
    let mut paths = Vec::new();
    for (roots, rows) in PATHS {
        for root in *roots {
            for (path, _) in *rows {
                paths.push(format!("{root}.{path}").trim_matches('.').to_owned());
            }
        }
    }
    paths
}

/// Returns every key in the table.
#[cfg(test)]
pub(super) fn all_keys() -> Vec<&'static str> {
    let rows = PATHS
        .iter()
        .flat_map(|(roots, rows)| roots.iter().copied().chain(rows.iter().map(|(path, _)| *path)));
    let mut keys: Vec<_> =
        rows.flat_map(|path| path.split('.')).map(|key| key.trim_end_matches("[]")).collect();
    keys.retain(|key| !key.is_empty());
    keys.extend(DOTTED_KEYS.iter().map(|(key, _)| *key));
    keys.sort_unstable();
    keys.dedup();
    keys
}
