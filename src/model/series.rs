//! The combination of labels under which amounts are summed.

use serde::{Deserialize, Serialize};

use super::names::{Route, Tier};

/// The label value for what a log does not tell.
pub const UNKNOWN: &str = "unknown";
/// The label value that amounts beyond a cap fold into.
pub const OTHER: &str = "other";
/// The label value for what there is none of: the caller of a fixed cost, the item of a call.
pub const NONE: &str = "none";
/// The provider of everything that Amazon Bedrock serves (the `OpenTelemetry` name
/// `gen_ai.provider.name`).
pub const PROVIDER_BEDROCK: &str = "aws.bedrock";

/// The longest label value kept, in characters; longer ones (hostile or broken) are cut.
pub const LABEL_CHARS_MAX: usize = 128;

/// Returns `value` as a label value: no longer than [`LABEL_CHARS_MAX`], [`UNKNOWN`] if empty.
pub fn label_value(value: &str) -> String {
    if value.is_empty() {
        UNKNOWN.to_owned()
    } else {
        value.chars().take(LABEL_CHARS_MAX).collect()
    }
}

/// Sizes of input, in tokens, above which some model costs more per token. A call's place between
/// them is part of its series, so that a sum can be priced again without its calls.
pub const CONTEXT_STEPS: [u64; 5] = [100_000, 128_000, 200_000, 256_000, 272_000];

/// How many of [`CONTEXT_STEPS`] the input of a call exceeds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ContextBand(pub u8);

impl ContextBand {
    /// Returns the band of a call with this much input, all input classes summed.
    #[expect(clippy::cast_possible_truncation, reason = "there are five steps")]
    pub fn of_input(total_input_tokens: u64) -> Self {
        Self(CONTEXT_STEPS.iter().filter(|&&step| total_input_tokens > step).count() as u8)
    }

    /// Tells whether every call of this band is above `step`, which is one of [`CONTEXT_STEPS`].
    pub fn is_above(self, step: u64) -> bool {
        CONTEXT_STEPS
            .iter()
            .position(|&known| known == step)
            .is_some_and(|place| place < usize::from(self.0))
    }
}

/// One combination of everything that amounts are kept apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// Who serves the model, in OpenTelemetry's spelling.
    pub provider: String,
    /// AWS account id, or [`UNKNOWN`].
    pub account: String,
    /// Region that was called, or [`UNKNOWN`].
    pub region: String,
    /// Base model id, never an ARN.
    pub model: String,
    /// How the model was reached.
    pub route: Route,
    /// Geographic prefix of the inference profile (`us`, …, `global`), else empty.
    pub geo: String,
    /// Service tier.
    pub tier: Tier,
    /// Who called.
    pub principal: String,
    /// Attributes that the config chose, in its order, with their values; empty where a call has none.
    pub attributes: Vec<(String, String)>,
    /// Size of the input against [`CONTEXT_STEPS`].
    pub context: ContextBand,
    /// The name of what is paid by time, bytes or calls and not by token (`[[provisioned]]`,
    /// `[[fixed_cost]]`); empty for calls.
    pub item: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_tells_which_steps_are_exceeded() {
        assert_eq!(ContextBand::of_input(100_000), ContextBand(0));
        assert_eq!(ContextBand::of_input(200_001), ContextBand(3));
        assert!(ContextBand::of_input(200_001).is_above(200_000));
        assert!(!ContextBand::of_input(200_000).is_above(200_000));
        assert!(!ContextBand(5).is_above(12_345));
    }
}
