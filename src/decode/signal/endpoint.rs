//! Model and region out of the address of an endpoint that an error text names.
//!
//! Only what has the form of a region or of a model id gets out, since the text around it is anybody's.

use std::borrow::Cow;

/// Longest model id or ARN (botocore's `InvokeModelIdentifier` has at most 2,048; what a log may show
/// as a label is far less).
const MODEL_ID_BYTES_MAX: usize = 256;

/// What the address of a call tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Endpoint<'t> {
    pub(super) region: Option<&'t str>,
    pub(super) model_id: Option<Cow<'t, str>>,
}

/// Returns what `…bedrock-runtime.REGION.…/model/ID/…` in a text tells, with or without a VPC endpoint's
/// name in front and `-fips` behind.
pub(super) fn in_text(text: &str) -> Endpoint<'_> {
    let Some((_, rest)) = text.split_once("bedrock-runtime") else { return Endpoint::default() };
    let rest = rest.strip_prefix("-fips").unwrap_or(rest);
    let region = rest.strip_prefix('.').and_then(|rest| rest.split('.').next());
    let path = rest.split_once("/model/").map(|(host, path)| (host.contains(' '), path));
    let model_id = match path {
        // A space ends the address before the path begins.
        Some((false, path)) => path.split(['/', '"', '\'', ' ', '?']).next(),
        _ => None,
    };
    Endpoint {
        region: region.filter(|region| is_region(region)),
        model_id: model_id.and_then(unquoted).filter(|id| is_model_id(id)),
    }
}

/// `us-east-1`, `us-gov-west-1` and their like.
fn is_region(text: &str) -> bool {
    text.len() <= 32
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.contains('-')
        && text.ends_with(|last: char| last.is_ascii_digit())
}

fn is_model_id(text: &str) -> bool {
    (1..=MODEL_ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-_/".contains(&byte))
}

/// Returns the text without percent escapes; clients escape the colon of a version.
fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut parts = text.split('%');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        plain.push(char::from(u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?));
        plain.push_str(rest);
    }
    Some(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_model_stand_in_the_address() {
        let of = |text: &'static str| {
            let endpoint = in_text(text);
            (endpoint.region, endpoint.model_id.map(Cow::into_owned))
        };
        let model = |id: &str| Some(id.to_owned());
        for (text, expected) in [
            (
                "Connect timeout on endpoint URL: \"https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v2:1/invoke\"",
                (Some("us-east-1"), model("anthropic.claude-v2:1")),
            ),
            (
                "https://bedrock-runtime.eu-west-3.amazonaws.com/model/us.amazon.nova-pro-v1%3A0/converse",
                (Some("eu-west-3"), model("us.amazon.nova-pro-v1:0")),
            ),
            (
                "https://vpce-0a1b.bedrock-runtime.us-east-1.vpce.amazonaws.com/model/x.y/invoke",
                (Some("us-east-1"), model("x.y")),
            ),
            (
                "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
                (Some("us-gov-west-1"), None),
            ),
            ("bedrock-runtime.us-east-1 is down, see /model/secret words", (None, None)),
            ("bedrock-runtime.example.com/model/<script>/x", (None, None)),
            ("bedrock-runtime.us-east-1.amazonaws.com/model/a%ff/x", (Some("us-east-1"), None)),
            ("bedrock-runtime.us-east-1.amazonaws.com/model/a%4/x", (Some("us-east-1"), None)),
            ("nothing", (None, None)),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}
