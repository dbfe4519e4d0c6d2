//! What a call takes of a quota: while it is open, and when it has ended.
//!
//! Source: Bedrock user guide, "Token burndown" (quotas-token-burndown).

use crate::model::tokens::{TokenClass, TokenCounts};

/// Returns the quota tokens of a call that has ended, or of many with one rate: input, cache writes, and output
/// times `rate`. What a cache served takes nothing.
pub fn settled(tokens: &TokenCounts, rate: u32) -> u64 {
    let input = tokens.total_input().saturating_sub(tokens.get(TokenClass::CacheRead));
    input.saturating_add(tokens.get(TokenClass::Output).saturating_mul(u64::from(rate)))
}

/// Returns the quota tokens that an open call holds: all of its input, and the most that it may write, without
/// a rate. `max_tokens` is that of the request, or the model's own where it sets none
/// ([`super::limits::Limits::default_max_output`]).
pub fn reserved(input: u64, max_tokens: u64) -> u64 {
    input.saturating_add(max_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// AWS's example: 1,000 in and 100 out at 5 are 1,500 quota tokens, and 1,100 billed ones.
    #[test]
    fn the_worked_example_of_the_user_guide_settles_at_1500() {
        let mut tokens = TokenCounts::default();
        tokens.set(TokenClass::Input, 1_000);
        tokens.set(TokenClass::Output, 100);
        assert_eq!((settled(&tokens, 5), tokens.total()), (1_500, 1_100));
        tokens.set(TokenClass::CacheRead, 70_000);
        assert_eq!(settled(&tokens, 5), 1_500, "cache reads take nothing");
        for (count, class) in [
            (1, TokenClass::CacheWrite5m),
            (20, TokenClass::CacheWrite1h),
            (300, TokenClass::CacheWriteUnknownTtl),
        ] {
            tokens.set(class, count);
        }
        assert_eq!(settled(&tokens, 5), 1_821, "cache writes take what they are");
    }

    #[test]
    fn what_does_not_fit_saturates() {
        let mut tokens = TokenCounts::default();
        tokens.set(TokenClass::Output, u64::MAX);
        assert_eq!(settled(&tokens, 15), u64::MAX);
        assert_eq!(reserved(u64::MAX, 1), u64::MAX);
    }

    proptest! {
        #[test]
        fn calls_settle_to_the_same_one_by_one_and_summed(
            calls in prop::collection::vec(prop::array::uniform6(0_u64..1_000_000), 0..20),
            rate in 1_u32..=15,
        ) {
            let mut sum = TokenCounts::default();
            let mut one_by_one = 0;
            for call in calls {
                let call = TokenCounts { 0: call };
                one_by_one += settled(&call, rate);
                sum += &call;
            }
            prop_assert_eq!(settled(&sum, rate), one_by_one);
        }
    }
}
