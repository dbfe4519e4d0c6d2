//! Model ids and ARNs as the log writes them, resolved to a model and the route to it.
//!
//! Shapes: the identifier patterns of botocore's `bedrock-runtime` (`InvokeModelIdentifier`,
//! `ConversationalModelId`) and `bedrock` (`*Arn`) service models. An ARN that does not tell which
//! model stands behind it stays opaque until the config maps it; it is never guessed.

use super::names::Route;
use super::series::{UNKNOWN, label_value};

/// The first words of cross-region inference profile ids. A list and not a pattern, since
/// provider names stand before a dot too (`ai21.`, `qwen.`, `zai.`).
const GEO_PREFIXES: &[&str] = &["us", "eu", "apac", "jp", "au", "ca", "in", "us-gov", "uk", "sa"];
/// The first word of global inference profile ids.
const GLOBAL_PREFIX: &str = "global";

/// A model, and how it was reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelRef {
    /// Base model id (`anthropic.claude-v2:1`), or the last part of an opaque ARN
    /// (`application-inference-profile/a1b2c3d4e5f6`); never a whole ARN.
    pub model: String,
    /// The route. [`Route::Unknown`] for opaque ARNs.
    pub route: Route,
    /// The geographic prefix (`us`, `eu`, …) or `global`; empty on every other route.
    pub geo: String,
    /// Whether the log does not tell which model this is.
    pub opaque: bool,
}

impl ModelRef {
    /// Resolves a model id or ARN without any mapping.
    pub fn parse(logged: &str) -> Self {
        match logged.strip_prefix("arn:") {
            Some(rest) => Self::parse_arn(rest),
            None if logged == UNKNOWN => Self::new(UNKNOWN, Route::Unknown, "", true),
            None => Self::parse_id(logged),
        }
    }

    /// Resolves what stands behind the opaque `logged` id: `target` is the id or ARN that the
    /// config maps it to. The route of a provisioned or custom ARN stays; the target names the model.
    #[must_use]
    pub fn mapped_to(&self, target: &str) -> Self {
        let target = Self::parse(target);
        match self.route {
            Route::Provisioned | Route::Custom | Route::Imported => {
                Self { model: target.model, opaque: target.opaque, ..self.clone() }
            }
            _ => target,
        }
    }

    fn parse_arn(rest: &str) -> Self {
        // partition:service:region:account:resource, the resource with colons of its own.
        let mut parts = rest.splitn(5, ':');
        let service = parts.nth(1).unwrap_or("");
        let resource = parts.nth(2).unwrap_or("");
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        let opaque = |route| Self::new(resource, route, "", true);
        match (service, kind) {
            ("bedrock", "foundation-model" | "inference-profile") if !name.is_empty() => {
                Self::parse_id(name)
            }
            ("bedrock", "provisioned-model") => opaque(Route::Provisioned),
            // custom-model/<base>[:N[:context]]/<id>: the base model is part of the name.
            ("bedrock", "custom-model") => match name.rsplit_once('/') {
                Some((base, _)) => Self::new(base, Route::Custom, "", false),
                None => opaque(Route::Custom),
            },
            ("bedrock", "custom-model-deployment") => opaque(Route::Custom),
            ("bedrock", "imported-model") => opaque(Route::Imported),
            _ => opaque(Route::Unknown),
        }
    }

    fn parse_id(id: &str) -> Self {
        match id.split_once('.') {
            Some((prefix, base)) if GEO_PREFIXES.contains(&prefix) => {
                Self::new(base, Route::Geo, prefix, false)
            }
            Some((prefix, base)) if prefix == GLOBAL_PREFIX => {
                Self::new(base, Route::Global, prefix, false)
            }
            _ => Self::new(id, Route::InRegion, "", false),
        }
    }

    fn new(model: &str, route: Route, geo: &str, opaque: bool) -> Self {
        Self { model: label_value(model), route, geo: geo.to_owned(), opaque }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_id_and_arn_is_resolved() {
        let account = "arn:aws:bedrock:us-east-1:111122223333:";
        for (logged, model, route, opaque) in [
            ("anthropic.claude-v2:1", "anthropic.claude-v2:1", Route::InRegion, false),
            ("anthropic.claude-v2:1:200k", "anthropic.claude-v2:1:200k", Route::InRegion, false),
            ("ai21.jamba-1-5-mini-v1:0", "ai21.jamba-1-5-mini-v1:0", Route::InRegion, false),
            ("us.anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8", Route::Geo, false),
            ("us-gov.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", Route::Geo, false),
            ("global.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0", Route::Global, false),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-8b-instruct-v1:0",
                "meta.llama3-8b-instruct-v1:0",
                Route::InRegion,
                false,
            ),
            (
                &format!("{account}inference-profile/eu.anthropic.claude-sonnet-4-6"),
                "anthropic.claude-sonnet-4-6",
                Route::Geo,
                false,
            ),
            (
                &format!("{account}application-inference-profile/a1b2c3d4e5f6"),
                "application-inference-profile/a1b2c3d4e5f6",
                Route::Unknown,
                true,
            ),
            (
                &format!("{account}provisioned-model/abcdefabcdef"),
                "provisioned-model/abcdefabcdef",
                Route::Provisioned,
                true,
            ),
            (
                &format!("{account}custom-model/amazon.titan-text-lite-v1:0:4k/abcdefabcdef"),
                "amazon.titan-text-lite-v1:0:4k",
                Route::Custom,
                false,
            ),
            (
                &format!("{account}imported-model/abcdefabcdef"),
                "imported-model/abcdefabcdef",
                Route::Imported,
                true,
            ),
            (
                &format!("{account}default-prompt-router/anthropic.claude:1"),
                "default-prompt-router/anthropic.claude:1",
                Route::Unknown,
                true,
            ),
            ("arn:", "unknown", Route::Unknown, true),
            ("", "unknown", Route::InRegion, false),
        ] {
            let found = ModelRef::parse(logged);
            assert_eq!(
                (found.model.as_str(), found.route, found.opaque),
                (model, route, opaque),
                "{logged}"
            );
        }
    }

    #[test]
    fn a_mapping_opens_an_opaque_arn_but_keeps_how_it_is_paid() {
        let arn = "arn:aws:bedrock:us-east-1:111122223333:";
        let profile = ModelRef::parse(&format!("{arn}application-inference-profile/a1b2c3d4e5f6"))
            .mapped_to("us.anthropic.claude-sonnet-4-6");
        assert_eq!(
            (profile.model.as_str(), profile.route, profile.geo.as_str(), profile.opaque),
            ("anthropic.claude-sonnet-4-6", Route::Geo, "us", false)
        );
        let provisioned = ModelRef::parse(&format!("{arn}provisioned-model/abcdefabcdef"))
            .mapped_to("anthropic.claude-v2:1");
        assert_eq!(
            (provisioned.model.as_str(), provisioned.route, provisioned.opaque),
            ("anthropic.claude-v2:1", Route::Provisioned, false)
        );
    }
}
