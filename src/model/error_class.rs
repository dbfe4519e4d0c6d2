//! What an error is called, over all logs: one table from every spelling to how the call ended, and
//! what a person can do about it.
//!
//! It may use the names only. It must never keep or return any of the text that it reads: error texts
//! can quote a prompt, so they are matched against the table and dropped.

use super::names::{ErrorCode, Outcome, ThrottleKind};

/// How much of a text is read. Codes and reasons stand at the start; a quoted request may follow.
const TEXT_BYTES_MAX: usize = 4096;

/// What an error text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorClass {
    /// How the call ended.
    pub outcome: Outcome,
    /// The API's own code; [`ErrorCode::Other`] for errors that never came from the API.
    pub code: ErrorCode,
    /// How many retries a client made before it gave up, where the text tells: it made one attempt
    /// more than that.
    pub retries_exhausted: Option<u32>,
    /// Which limit a throttled call ran into, where the text tells.
    pub throttle: ThrottleKind,
}

impl ErrorClass {
    /// An error that the table does not know.
    pub const UNKNOWN: Self = Self::new(ErrorCode::Other, Outcome::OtherError);

    const fn new(code: ErrorCode, outcome: Outcome) -> Self {
        Self { outcome, code, retries_exhausted: None, throttle: ThrottleKind::Unknown }
    }
}

/// Names that stand alone: exceptions of the API and its clients, codes of `CloudTrail`, error types of
/// an API gateway. Sources: botocore's `bedrock-runtime` service model and `exceptions`; the API
/// Gateway developer guide, "gateway response types"; the `OpenAI` and Anthropic error type lists.
const NAMES: &[(&str, ErrorCode, Outcome)] = {
    use ErrorCode as E;
    use Outcome as O;
    &[
        ("AccessDeniedException", E::AccessDeniedException, O::AccessDenied),
        ("AccessDenied", E::AccessDeniedException, O::AccessDenied),
        ("UnauthorizedOperation", E::AccessDeniedException, O::AccessDenied),
        ("UnrecognizedClientException", E::Other, O::AccessDenied),
        ("ExpiredTokenException", E::Other, O::AccessDenied),
        ("InvalidSignatureException", E::Other, O::AccessDenied),
        ("NoCredentialsError", E::Other, O::AccessDenied),
        ("permission_error", E::Other, O::AccessDenied),
        ("authentication_error", E::Other, O::AccessDenied),
        ("UNAUTHORIZED", E::Other, O::AccessDenied),
        ("ACCESS_DENIED", E::Other, O::AccessDenied),
        ("MISSING_AUTHENTICATION_TOKEN", E::Other, O::AccessDenied),
        ("ValidationException", E::ValidationException, O::Validation),
        ("ConflictException", E::ConflictException, O::Validation),
        ("ParamValidationError", E::Other, O::Validation),
        ("invalid_request_error", E::Other, O::Validation),
        ("BAD_REQUEST_BODY", E::Other, O::Validation),
        ("BAD_REQUEST_PARAMETERS", E::Other, O::Validation),
        ("REQUEST_TOO_LARGE", E::Other, O::Validation),
        ("ResourceNotFoundException", E::ResourceNotFoundException, O::NotFound),
        ("not_found_error", E::Other, O::NotFound),
        ("RESOURCE_NOT_FOUND", E::Other, O::NotFound),
        ("ServiceQuotaExceededException", E::ServiceQuotaExceededException, O::QuotaExceeded),
        ("insufficient_quota", E::Other, O::QuotaExceeded),
        ("QUOTA_EXCEEDED", E::Other, O::QuotaExceeded),
        ("ThrottlingException", E::ThrottlingException, O::Throttled),
        ("Throttling", E::ThrottlingException, O::Throttled),
        ("TooManyRequestsException", E::ThrottlingException, O::Throttled),
        ("RateLimitError", E::Other, O::Throttled),
        ("rate_limit_error", E::Other, O::Throttled),
        ("rate_limit_exceeded", E::Other, O::Throttled),
        ("THROTTLED", E::Other, O::Throttled),
        ("ModelTimeoutException", E::ModelTimeoutException, O::Timeout),
        ("ConnectTimeoutError", E::Other, O::Timeout),
        ("ReadTimeoutError", E::Other, O::Timeout),
        ("INTEGRATION_TIMEOUT", E::Other, O::Timeout),
        ("ModelErrorException", E::ModelErrorException, O::ModelError),
        ("ModelStreamErrorException", E::ModelStreamErrorException, O::ModelError),
        ("ModelNotReadyException", E::ModelNotReadyException, O::Unavailable),
        ("ServiceUnavailableException", E::ServiceUnavailableException, O::Unavailable),
        ("EndpointConnectionError", E::Other, O::Unavailable),
        ("overloaded_error", E::Other, O::Unavailable),
        ("InternalServerException", E::InternalServerException, O::ServerError),
        ("api_error", E::Other, O::ServerError),
        ("INTEGRATION_FAILURE", E::Other, O::ServerError),
    ]
};

/// Wordings, in lowercase, for texts without a name. The first one in the table that the text holds
/// counts, so what tells more stands first.
const PHRASES: &[(&str, Outcome)] = &[
    ("connect timeout on endpoint url", Outcome::Timeout),
    ("read timeout on endpoint url", Outcome::Timeout),
    ("task timed out after", Outcome::Timeout),
    ("runtime timed out after", Outcome::Timeout),
    ("endpoint request timed out", Outcome::Timeout),
    ("service unreachable via vpc endpoint", Outcome::Unavailable),
    ("could not connect to the endpoint url", Outcome::Unavailable),
    ("unable to locate credentials", Outcome::AccessDenied),
    ("is not authorized to perform", Outcome::AccessDenied),
    ("you don't have access to the model", Outcome::AccessDenied),
    ("too many requests", Outcome::Throttled),
    ("too many tokens", Outcome::Throttled),
    ("rate exceeded", Outcome::Throttled),
    ("reached max retries", Outcome::OtherError),
];

/// Wordings of throttled calls, in lowercase. The first one that the text holds counts.
const THROTTLES: &[(&str, ThrottleKind)] = &[
    ("too many tokens per day", ThrottleKind::TokensPerDay),
    ("too many tokens", ThrottleKind::Tokens),
    ("too many requests", ThrottleKind::Requests),
];

/// What stands in front of an HTTP status in a text, in lowercase.
const STATUS_MARKS: &[&str] =
    &["status code: ", "status code ", "error code: ", "http ", "http/1.1 "];

/// What stands in front of the number of retries that were made, in lowercase.
const RETRIES_MARK: &str = "reached max retries: ";

/// Returns what an error code or text says, or nothing if the table does not know it. Reads the start
/// of `text` only, once for each row of the table at most.
pub fn classify(text: &str) -> Option<ErrorClass> {
    let text = text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text).trim();
    if let Ok(status) = text.parse() {
        return of_status(status);
    }
    let lower = text.to_ascii_lowercase();
    let class = named(text).or_else(|| worded(&lower)).or_else(|| with_status(&lower))?;
    Some(class.with(&lower))
}

impl ErrorClass {
    /// Returns the class with what `text` tells beside the name of the error, where that was not known.
    #[must_use]
    pub fn detailed_by(self, text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or(text);
        self.with(&text.to_ascii_lowercase())
    }

    fn with(self, lower: &str) -> Self {
        let retries_exhausted =
            self.retries_exhausted.or_else(|| number_after(lower, RETRIES_MARK));
        let throttle = match self.throttle {
            ThrottleKind::Unknown if self.outcome == Outcome::Throttled => throttle_kind(lower),
            known => known,
        };
        Self { retries_exhausted, throttle, ..self }
    }
}

fn throttle_kind(lower: &str) -> ThrottleKind {
    let found = THROTTLES.iter().find(|(phrase, _)| lower.contains(phrase));
    found.map_or(ThrottleKind::Unknown, |&(_, kind)| kind)
}

/// Returns what an HTTP status says; nothing if it is none of an error.
pub fn of_status(status: u32) -> Option<ErrorClass> {
    let outcome = match status {
        401 | 403 => Outcome::AccessDenied,
        404 => Outcome::NotFound,
        408 | 504 => Outcome::Timeout,
        424 => Outcome::ModelError,
        429 => Outcome::Throttled,
        502 | 503 | 529 => Outcome::Unavailable,
        400 | 409 | 413 | 422 => Outcome::Validation,
        500..=599 => Outcome::ServerError,
        400..=499 => Outcome::OtherError,
        _ => return None,
    };
    Some(ErrorClass::new(ErrorCode::Other, outcome))
}

/// Finds the first word that is a name. A namespace in front of it is a word of its own.
fn named(text: &str) -> Option<ErrorClass> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find_map(|word| {
        let (_, code, outcome) = NAMES.iter().find(|(name, ..)| *name == word)?;
        Some(ErrorClass::new(*code, *outcome))
    })
}

fn worded(lower: &str) -> Option<ErrorClass> {
    let (_, outcome) = PHRASES.iter().find(|(phrase, _)| lower.contains(phrase))?;
    Some(ErrorClass::new(ErrorCode::Other, *outcome))
}

fn with_status(lower: &str) -> Option<ErrorClass> {
    STATUS_MARKS.iter().find_map(|mark| of_status(number_after(lower, mark)?))
}

fn number_after(lower: &str, mark: &str) -> Option<u32> {
    let (_, rest) = lower.split_once(mark)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// What else is known of a failed call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The call went through a VPC endpoint.
    pub vpc_endpoint: bool,
    /// The client gave up after its last retry.
    pub retries_exhausted: bool,
}

/// Returns what a person can do about calls that ended like this; nothing for those that ended well.
pub fn hint(outcome: Outcome, context: Context) -> Option<&'static str> {
    Some(match outcome {
        Outcome::Ok => return None,
        Outcome::Throttled if context.retries_exhausted => {
            "every retry was throttled too: spread the load or ask for a higher quota, more retries only add to it"
        }
        Outcome::Throttled => {
            "compare tokens and requests a minute with the quota; the request's `max_tokens` is reserved from it"
        }
        Outcome::AccessDenied if context.vpc_endpoint => {
            "check the endpoint policy as well as the role; provisioned-model ARNs differ from foundation-model ARNs"
        }
        Outcome::AccessDenied => {
            "check the role's policy and the account's access to the model; provisioned-model ARNs differ from foundation-model ARNs"
        }
        Outcome::Validation => "the request is malformed for this model: retrying does not help",
        Outcome::NotFound => {
            "check the spelling of the model id and whether the region has the model"
        }
        Outcome::QuotaExceeded => "a quota of the account is used up: ask for a higher one",
        Outcome::Timeout if context.vpc_endpoint => {
            "check the endpoint's security group and DNS, then the client's timeouts against the model's latency"
        }
        Outcome::Timeout => {
            "nobody answered in time: check the route to the endpoint and the shortest timeout on the way"
        }
        Outcome::ModelError => "the model failed on this request: retry, or change the request",
        Outcome::Unavailable if context.vpc_endpoint => {
            "check that the endpoint is in the caller's subnets and its security group admits port 443"
        }
        Outcome::Unavailable => {
            "the service was not there: retry with backoff, or use another region"
        }
        Outcome::ServerError => "the service failed: retry with backoff",
        Outcome::Filtered => {
            "a guardrail or content filter stepped in: its trace tells which policy"
        }
        Outcome::OtherError => {
            "the error is not in the table of known ones: read the record itself"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One row for each spelling: the text, how the call ended, the API's code.
    const SPELLINGS: &[(&str, Outcome, ErrorCode)] = {
        use ErrorCode as E;
        use Outcome as O;
        &[
            ("ThrottlingException", O::Throttled, E::ThrottlingException),
            ("com.amazonaws.bedrock#ThrottlingException", O::Throttled, E::ThrottlingException),
            (
                "An error occurred (ThrottlingException) when calling the InvokeModel operation (reached max retries: 4): Too many requests",
                O::Throttled,
                E::ThrottlingException,
            ),
            ("Throttling", O::Throttled, E::ThrottlingException),
            ("THROTTLED", O::Throttled, E::Other),
            ("rate_limit_error", O::Throttled, E::Other),
            ("Rate exceeded", O::Throttled, E::Other),
            ("429", O::Throttled, E::Other),
            ("Error code: 429 - {'message': 'slow down'}", O::Throttled, E::Other),
            ("AccessDenied", O::AccessDenied, E::AccessDeniedException),
            ("Client.AccessDenied", O::AccessDenied, E::AccessDeniedException),
            (
                "AccessDeniedException: User: x is not authorized",
                O::AccessDenied,
                E::AccessDeniedException,
            ),
            (
                "User: arn:aws:iam::1:role/x is not authorized to perform: bedrock:InvokeModel",
                O::AccessDenied,
                E::Other,
            ),
            ("Unable to locate credentials", O::AccessDenied, E::Other),
            ("403", O::AccessDenied, E::Other),
            ("ValidationException", O::Validation, E::ValidationException),
            ("ConflictException", O::Validation, E::ConflictException),
            ("invalid_request_error", O::Validation, E::Other),
            ("400", O::Validation, E::Other),
            ("ResourceNotFoundException", O::NotFound, E::ResourceNotFoundException),
            ("404", O::NotFound, E::Other),
            ("ServiceQuotaExceededException", O::QuotaExceeded, E::ServiceQuotaExceededException),
            ("ModelTimeoutException", O::Timeout, E::ModelTimeoutException),
            (
                "botocore.exceptions.ConnectTimeoutError: Connect timeout on endpoint URL: \"https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v2:1/invoke\"",
                O::Timeout,
                E::Other,
            ),
            ("Read timeout on endpoint URL: \"https://x\"", O::Timeout, E::Other),
            ("2024-05-14T09:12:03Z 8f5 Task timed out after 29.03 seconds", O::Timeout, E::Other),
            ("ERROR: Lambda runtime timed out after 29.002s", O::Timeout, E::Other),
            ("Endpoint request timed out", O::Timeout, E::Other),
            ("INTEGRATION_TIMEOUT", O::Timeout, E::Other),
            ("504", O::Timeout, E::Other),
            ("INTEGRATION_FAILURE", O::ServerError, E::Other),
            ("ModelErrorException", O::ModelError, E::ModelErrorException),
            ("424", O::ModelError, E::Other),
            ("ModelStreamErrorException", O::ModelError, E::ModelStreamErrorException),
            ("ModelNotReadyException", O::Unavailable, E::ModelNotReadyException),
            ("ServiceUnavailableException", O::Unavailable, E::ServiceUnavailableException),
            (
                "FATAL: Upstream \"aws ai\" service unreachable via VPC Endpoint.",
                O::Unavailable,
                E::Other,
            ),
            ("Could not connect to the endpoint URL: \"https://x\"", O::Unavailable, E::Other),
            ("HTTP 503 Service Unavailable", O::Unavailable, E::Other),
            ("InternalServerException", O::ServerError, E::InternalServerException),
            ("status code: 500", O::ServerError, E::Other),
            ("request failed (reached max retries: 2)", O::OtherError, E::Other),
        ]
    };

    #[test]
    fn every_spelling_meets_its_outcome() {
        for &(text, outcome, code) in SPELLINGS {
            let class = classify(text).map(|class| (class.outcome, class.code));
            assert_eq!(class, Some((outcome, code)), "{text}");
        }
    }

    #[test]
    fn every_code_of_the_api_has_a_row() {
        for code in ErrorCode::ALL.iter().filter(|code| **code != ErrorCode::Other) {
            assert_eq!(classify(code.as_str()).map(|class| class.code), Some(*code));
        }
    }

    #[test]
    fn what_the_table_does_not_know_is_nothing() {
        for text in ["", "200", "99999999999", "it broke", "NotAThrottlingException", "http 200"] {
            assert_eq!(classify(text), None, "{text}");
        }
    }

    #[test]
    fn the_number_of_retries_is_read() {
        let of = |text: &str| classify(text).and_then(|class| class.retries_exhausted);
        let text = "An error occurred (ThrottlingException) when calling the Converse operation";
        assert_eq!(of(&format!("{text} (reached max retries: 4): slow down")), Some(4));
        assert_eq!(of(text), None);
        assert_eq!(of(&format!("{text} (reached max retries: 99999999999)")), None);
    }

    #[test]
    fn the_limit_that_was_hit_is_read_of_throttled_calls_only() {
        let of = |text: &str| classify(text).map(|class| class.throttle);
        let named = "An error occurred (ThrottlingException) when calling the Converse operation: ";
        for (text, kind) in [
            (
                "Too many tokens per day, please wait before trying again.",
                ThrottleKind::TokensPerDay,
            ),
            ("Too many tokens, please wait before trying again.", ThrottleKind::Tokens),
            ("Too many requests, please wait before trying again.", ThrottleKind::Requests),
            ("slow down", ThrottleKind::Unknown),
        ] {
            assert_eq!(of(&format!("{named}{text}")), Some(kind), "{text}");
        }
        assert_eq!(of("ValidationException: too many tokens"), Some(ThrottleKind::Unknown));
        let class =
            classify("ThrottlingException").map(|class| class.detailed_by("Too many Tokens"));
        assert_eq!(class.map(|class| class.throttle), Some(ThrottleKind::Tokens));
    }

    #[test]
    fn only_failed_calls_have_a_hint_and_an_endpoint_changes_it() {
        for &outcome in Outcome::ALL {
            let hint = hint(outcome, Context::default());
            assert_eq!(hint.is_none(), outcome == Outcome::Ok, "{outcome:?}");
        }
        let through = Context { vpc_endpoint: true, retries_exhausted: false };
        let denied = hint(Outcome::AccessDenied, through).expect("a failed call");
        assert!(denied.contains("endpoint policy") && denied.contains("provisioned-model ARNs"));
    }

    proptest! {
        #[test]
        fn text_beyond_the_bound_changes_nothing(text in "\\PC{0,40}", tail in "\\PC{0,40}") {
            let long = format!("{}{text}", "\u{e9}".repeat(TEXT_BYTES_MAX));
            prop_assert_eq!(classify(&format!("{long}{tail} ThrottlingException")), None);
        }
    }
}
