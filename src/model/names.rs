//! The closed sets of names that become label values: outcome, route, tier, operation, stop reason,
//! error code, and why something is approximate or unpriced.
//!
//! The position of a variant is its stored number; new ones go to the end.

/// Declares an enum whose variants have one name each, a stored number and a list of all.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// Every variant, in stored order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the name used in labels, JSON and config.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Returns the variant with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use names;

names! {
    /// How a call ended.
    Outcome {
        /// The model answered.
        Ok = "ok",
        /// Refused by a rate limit.
        Throttled = "throttled",
        /// Refused by a policy.
        AccessDenied = "access_denied",
        /// Refused as malformed.
        Validation = "validation",
        /// The model or resource does not exist here.
        NotFound = "not_found",
        /// Refused by a quota that waiting does not lift.
        QuotaExceeded = "quota_exceeded",
        /// Nobody answered in time.
        Timeout = "timeout",
        /// The model failed.
        ModelError = "model_error",
        /// The service was not there.
        Unavailable = "unavailable",
        /// The service failed.
        ServerError = "server_error",
        /// Stopped by a guardrail or content filter.
        Filtered = "filtered",
        /// An error that no other outcome names.
        OtherError = "other_error",
    }
}

names! {
    /// Which limit a throttled call ran into, by the wording of its error ("Too many requests, …",
    /// "Too many tokens, …", "Too many tokens per day, …": seen in errors of Bedrock).
    ThrottleKind {
        /// Requests a minute.
        Requests = "requests",
        /// Tokens a minute.
        Tokens = "tokens",
        /// Tokens a day.
        TokensPerDay = "tokens_per_day",
        /// The log does not tell.
        Unknown = "unknown",
    }
}

names! {
    /// How the model was reached; prices and quotas depend on it.
    Route {
        /// In the region that was called.
        InRegion = "in_region",
        /// Through a geographic inference profile (`us.`, `eu.`, …).
        Geo = "geo",
        /// Through a global inference profile (`global.`).
        Global = "global",
        /// On provisioned throughput, paid by the hour.
        Provisioned = "provisioned",
        /// A customised model.
        Custom = "custom",
        /// An imported model, paid by the minute.
        Imported = "imported",
        /// The log does not tell.
        Unknown = "unknown",
    }
}

names! {
    /// Service tier that served the call.
    Tier {
        /// The default tier.
        Standard = "standard",
        /// Faster, dearer.
        Priority = "priority",
        /// Slower, cheaper.
        Flex = "flex",
        /// Batch inference.
        Batch = "batch",
        /// Reserved capacity.
        Reserved = "reserved",
    }
}

names! {
    /// The API operation of the call (AWS spelling).
    Operation {
        /// `InvokeModel`.
        InvokeModel = "InvokeModel",
        /// `InvokeModelWithResponseStream`.
        InvokeModelWithResponseStream = "InvokeModelWithResponseStream",
        /// `Converse`.
        Converse = "Converse",
        /// `ConverseStream`.
        ConverseStream = "ConverseStream",
        /// `InvokeModelWithBidirectionalStream`.
        InvokeModelWithBidirectionalStream = "InvokeModelWithBidirectionalStream",
        /// `StartAsyncInvoke`.
        StartAsyncInvoke = "StartAsyncInvoke",
        /// An operation of another name.
        Other = "other",
        /// The log does not tell.
        Unknown = "unknown",
    }
}

names! {
    /// Why the model stopped, over the spellings of all model families.
    StopReason {
        /// It was done.
        EndTurn = "end_turn",
        /// It ran into the token limit of the request.
        MaxTokens = "max_tokens",
        /// It wrote a stop sequence.
        StopSequence = "stop_sequence",
        /// It called a tool.
        ToolUse = "tool_use",
        /// A guardrail stepped in.
        GuardrailIntervened = "guardrail_intervened",
        /// A content filter stepped in.
        ContentFiltered = "content_filtered",
        /// It wrote something unreadable.
        MalformedModelOutput = "malformed_model_output",
        /// It called a tool in an unreadable way.
        MalformedToolUse = "malformed_tool_use",
        /// The context window was full.
        ModelContextWindowExceeded = "model_context_window_exceeded",
        /// It declined.
        Refusal = "refusal",
        /// It paused a long turn.
        PauseTurn = "pause_turn",
        /// A reason of another name.
        Other = "other",
    }
}

names! {
    /// Error codes of the Bedrock runtime (botocore service model, `bedrock-runtime`). What they mean
    /// and how else they are spelled is in `error_class`.
    ErrorCode {
        /// HTTP 403.
        AccessDeniedException = "AccessDeniedException",
        /// HTTP 400.
        ValidationException = "ValidationException",
        /// HTTP 400.
        ServiceQuotaExceededException = "ServiceQuotaExceededException",
        /// HTTP 400.
        ConflictException = "ConflictException",
        /// HTTP 404.
        ResourceNotFoundException = "ResourceNotFoundException",
        /// HTTP 408.
        ModelTimeoutException = "ModelTimeoutException",
        /// HTTP 424.
        ModelErrorException = "ModelErrorException",
        /// HTTP 424, inside a stream.
        ModelStreamErrorException = "ModelStreamErrorException",
        /// HTTP 429.
        ThrottlingException = "ThrottlingException",
        /// HTTP 429 while a model is being loaded.
        ModelNotReadyException = "ModelNotReadyException",
        /// HTTP 500.
        InternalServerException = "InternalServerException",
        /// HTTP 503; not related to account quotas.
        ServiceUnavailableException = "ServiceUnavailableException",
        /// Any other code.
        Other = "other",
    }
}

names! {
    /// Why tokens have no price.
    UnpricedReason {
        /// The price book does not know the model.
        UnknownModel = "unknown_model",
        /// An ARN that does not tell the model and is not mapped in the config.
        OpaqueModel = "opaque_model",
        /// The model is known, but not on this route, region or tier.
        NoPriceForRoute = "no_price_for_route",
        /// The model and route are known, but this token class has no price.
        NoPriceForClass = "no_price_for_class",
        /// The price book has no price at the time of the call.
        NoPriceAtTime = "no_price_at_time",
        /// Custom and imported models are not paid by the token.
        NotPaidByToken = "not_paid_by_token",
        /// Provisioned throughput of which the config does not tell what an hour costs at that time.
        ProvisionedNotDeclared = "provisioned_not_declared",
    }
}

names! {
    /// Why an amount may be off although it was counted.
    Approximation {
        /// Cache writes without a time to live are priced as five minutes.
        CacheTtlUnknown = "cache_ttl_unknown",
        /// The log names no region; the list price is used.
        RegionUnknown = "region_unknown",
        /// The price book has no row for the region; the list price is used.
        RegionPriceAssumed = "region_price_assumed",
        /// The tier that was asked for is taken for the tier that served.
        TierAssumed = "tier_assumed",
        /// The reported total of tokens disagrees with its parts.
        TokenTotalMismatch = "token_total_mismatch",
        /// The call was made before the first dated price; the first one is used.
        PriceBeforeFirst = "price_before_first",
        /// The time in the log is far in the future; the time of reading is used.
        TimeInFuture = "time_in_future",
        /// The spelling says that the input holds the cached tokens, but it is smaller than they are;
        /// they are counted beside it.
        CacheCountingAssumed = "cache_counting_assumed",
        /// `CloudWatch` left events out of what it streamed: there were more calls than these.
        SampledLog = "sampled_log",
        /// The log tells no time; the time of reading is used.
        TimeUnknown = "time_unknown",
    }
}

names! {
    /// Which log a record came from.
    RecordKind {
        /// Amazon Bedrock model invocation log.
        BedrockInvocation = "bedrock_invocation",
        /// Application log with model, usage and estimate.
        Application = "application",
        /// `CloudTrail` event of a call.
        CloudTrail = "cloudtrail",
        /// Lambda's report of a run of a function.
        Lambda = "lambda",
        /// Access log of API Gateway.
        ApiGateway = "api_gateway",
        /// `CloudWatch` metric, out of a metric stream, a query or an embedded metric.
        CloudWatchMetric = "cloudwatch_metric",
        /// One answer of a batch inference job.
        BatchOutput = "batch_output",
        /// The summary of a batch inference job.
        BatchManifest = "batch_manifest",
        /// An error in an application's log that no other kind holds.
        ErrorLog = "error_log",
    }
}

names! {
    /// Why a line could not be counted as a record.
    Reject {
        /// Longer than the line limit, or one record more than a line may hold.
        Oversized = "oversized",
        /// Not one complete JSON value.
        InvalidJson = "invalid_json",
        /// JSON, but not an object.
        NotAnObject = "not_an_object",
        /// JSON of a kind that this build does not know.
        UnknownKind = "unknown_kind",
        /// A field that the kind can't do without is missing.
        MissingField = "missing_field",
        /// A token count that is negative, fractional, a string or beyond all reason.
        BadTokenCount = "bad_token_count",
        /// A time that is not RFC 3339, or not between 2000 and 2200.
        BadTimestamp = "bad_timestamp",
        /// A field of the wrong type.
        BadField = "bad_field",
        /// The last line of a finished file is not a whole record, or the rest of a piece is nowhere.
        Truncated = "truncated",
        /// What a wrapping holds is no base64 or no gzip.
        BadWrapping = "bad_wrapping",
        /// Wrappings in wrappings beyond the limit.
        NestedTooDeep = "nested_too_deep",
    }
}

names! {
    /// What happened to a log file.
    FileChange {
        /// It has another name.
        Rename = "rename",
        /// It was cut to a smaller size, or rewritten from the start.
        Truncate = "truncate",
        /// Another file took its name.
        Replace = "replace",
        /// It was compressed.
        Compress = "compress",
        /// It was deleted.
        Delete = "delete",
    }
}

names! {
    /// A set of label values that has a cap.
    Capped {
        /// Callers.
        Principal = "principal",
        /// Values of the chosen attributes.
        Attribute = "attribute",
        /// Combinations of all labels.
        Series = "series",
        /// Combinations of the labels of signals.
        Signal = "signal",
    }
}

/// What became of a line.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum LineResult {
    /// Counted.
    Accepted,
    /// A record whose id was counted before.
    Duplicate,
    /// Not counted, and why.
    Rejected(Reject),
    /// Known to hold no record: control messages, empty pages and the like.
    Ignored,
    /// A call that another log told of: its tokens and dollars are counted there.
    Corroborated,
}

impl RecordKind {
    /// Tells whether a record of this kind is a call of a model, with tokens and dollars.
    pub const fn is_call(self) -> bool {
        matches!(self, Self::BedrockInvocation | Self::Application | Self::BatchOutput)
    }
}

impl LineResult {
    /// Returns the name used in labels and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Rejected(reject) => reject.as_str(),
            Self::Ignored => "ignored",
            Self::Corroborated => "corroborated",
        }
    }
}

/// A set of [`Approximation`]s.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Approximations(u16);

// The set is a word of bits.
const _: () = assert!(Approximation::ALL.len() <= 16);

impl FromIterator<Approximation> for Approximations {
    fn from_iter<I: IntoIterator<Item = Approximation>>(all: I) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}

impl std::fmt::Debug for Approximations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Approximations {
    /// Nothing was assumed.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub fn insert(&mut self, approximation: Approximation) {
        self.0 |= 1 << approximation as u16;
    }

    /// Takes one out.
    pub fn remove(&mut self, approximation: Approximation) {
        self.0 &= !(1 << approximation as u16);
    }

    /// Returns the set with `approximation` in it.
    #[must_use]
    pub fn with(mut self, approximation: Approximation) -> Self {
        self.insert(approximation);
        self
    }

    /// Returns everything that is in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Tells whether `approximation` is in the set.
    pub fn contains(self, approximation: Approximation) -> bool {
        self.0 & (1 << approximation as u16) != 0
    }

    /// Iterates over the members, in stored order.
    pub fn iter(self) -> impl Iterator<Item = Approximation> {
        Approximation::ALL.iter().copied().filter(move |&one| self.contains(one))
    }

    /// Tells whether nothing was assumed.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl StopReason {
    /// Returns the reason for its spelling in any model family's answer.
    pub fn from_log(reason: &str) -> Self {
        match reason {
            "FINISHED" | "FINISH" | "stop" | "COMPLETE" | "complete" | "endoftext" => Self::EndTurn,
            "LENGTH" | "length" | "MAX_TOKENS" | "max_output_tokens" => Self::MaxTokens,
            "STOP_CRITERIA_MET" | "STOP_SEQUENCE" => Self::StopSequence,
            "tool_calls" | "function_call" | "TOOL_CALL" => Self::ToolUse,
            "CONTENT_FILTERED" | "content_filter" | "ERROR_TOXIC" => Self::ContentFiltered,
            _ => Self::from_name(reason).unwrap_or(Self::Other),
        }
    }

    /// Tells whether a guardrail or filter cut the answer.
    pub fn is_filtered(self) -> bool {
        matches!(self, Self::GuardrailIntervened | Self::ContentFiltered)
    }
}

impl Tier {
    /// Returns the tier for its spelling in a request, answer or price list.
    pub fn from_log(tier: &str) -> Option<Self> {
        match tier {
            "default" | "standard" => Some(Self::Standard),
            _ => Self::from_name(tier),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_all_families_meet_in_one_reason() {
        for (spelling, reason) in [
            ("end_turn", StopReason::EndTurn),
            ("FINISH", StopReason::EndTurn),
            ("LENGTH", StopReason::MaxTokens),
            ("content_filter", StopReason::ContentFiltered),
            ("something new", StopReason::Other),
        ] {
            assert_eq!(StopReason::from_log(spelling), reason, "{spelling}");
        }
    }
}
