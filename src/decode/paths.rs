//! What stands at the places in a line that are read, and the tree of these places, for the walks.
//!
//! The places themselves are in `table`. What is not in it is stepped over unread, above all the text
//! of prompts and answers.

mod table;

use table::{DOTTED_KEYS, PATHS};

use super::json::{Slot, TrieBuilder};

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
    /// That there is a prompt: the log holds the request's body. It is never read.
    Prompt,
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
    AppMaxTokens,
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
    ListedTime,
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
    /// An envelope's log group, which names the Lambda function.
    LogGroup,
    /// A `CloudTrail` event: see `decode/signal/cloudtrail.rs`.
    ApiSource,
    ApiName,
    ApiTime,
    ApiRegion,
    ApiCaller,
    ApiAccount,
    ApiRequestId,
    ApiEventId,
    ApiModelId,
    VpcEndpointId,
    InferenceRegion,
    /// What SNS puts around a message.
    TopicMessage,
    TopicArn,
    /// What `EventBridge` puts around an event.
    Detail,
    DetailType,
    /// A system log of Lambda: see `decode/signal/lambda.rs`.
    SystemType,
    SystemRecord,
    RunId,
    RunStatus,
    RunErrorType,
    RunDuration,
    RunBilled,
    RunInit,
    RunMemorySize,
    RunMemoryUsed,
    DroppedRecords,
    FunctionName,
    /// An access log of API Gateway: see `decode/signal/gateway.rs`.
    GatewayStatus,
    HttpMethod,
    RouteKey,
    ResourcePath,
    ResponseLatency,
    IntegrationLatency,
    IntegrationStatus,
    ErrorResponseType,
    IntegrationError,
    RequestTime,
    RequestTimeEpoch,
    /// Metrics of `CloudWatch`: see `decode/signal/cloudwatch.rs`.
    StreamName,
    Namespace,
    MetricName,
    Dimensions,
    MetricModelId,
    MetricTier,
    QueueName,
    MetricSum,
    MetricCount,
    MetricMax,
    QueryResults,
    QueryLabel,
    QueryTimes,
    QueryValues,
    /// Metrics embedded in a log line.
    EmfTime,
    EmfNamespace,
    EmfModelId,
    EmfInvocations,
    EmfLatency,
    EmfClientErrors,
    EmfServerErrors,
    EmfThrottles,
    EmfInput,
    EmfOutput,
    EmfCacheRead,
    EmfCacheWrite,
    EmfFirstToken,
    EmfQuotaTokens,
    /// Batch inference: see `decode/batch.rs` and `decode/signal/batch.rs`.
    BatchRecordId,
    BatchOutput,
    BatchErrorCode,
    ManifestTotal,
    ManifestSuccess,
    ManifestError,
    ManifestInput,
    ManifestOutput,
    /// An application's log line that is no call.
    Level,
    Severity,
    LevelName,
    ShortMessage,
    /// Usage of an application in an embedded metric.
    FlatInputPascal,
    FlatOutputPascal,
    AppLatencyPascal,
}

/// How many fields there are; the slots from here on are the attributes.
pub(super) const FIELDS: usize = Field::AppLatencyPascal as usize + 1;

/// Where the attributes stand.
const METADATA: &str = "requestMetadata";

/// Returns what becomes the tree of all places in the table and of the request metadata with these keys: the
/// first key has slot [`FIELDS`], the next one the slot after it. A key that comes twice has the
/// slot of the first.
pub(super) fn builder(attributes: &[String]) -> TrieBuilder {
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
    builder
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
