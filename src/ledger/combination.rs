//! What decides the labels and prices of a call, compared and told apart without being written down:
//! a log repeats few combinations, and each line has one.

use crate::decode::Invocation;
use crate::model::principal::without_session;
use crate::model::series::ContextBand;

/// Places for combinations that came lately.
pub(super) const RECENT: usize = 256;
/// Stands behind each part of a key; no UTF-8 has it.
const END: u8 = 0xFF;
const PARTS: usize = 5;

/// Everything that decides labels and prices of one call.
pub(super) struct Combination<'i> {
    pub(super) context: ContextBand,
    head: [u8; 3],
    parts: [&'i str; PARTS],
    invocation: &'i Invocation<'i>,
}

impl<'i> Combination<'i> {
    pub(super) fn of(invocation: &'i Invocation<'_>, context: ContextBand) -> Self {
        Self {
            context,
            head: [invocation.kind as u8, invocation.tier as u8, context.0],
            parts: [
                &*invocation.model_id,
                invocation.invoked_model_id.as_deref().unwrap_or(""),
                invocation.account.as_deref().unwrap_or(""),
                invocation.region.as_deref().unwrap_or(""),
                invocation.identity_arn.as_deref().map_or("", without_session),
            ],
            invocation,
        }
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let attributes = self.invocation.attributes.iter();
        let attributes = attributes.map(|value| value.as_deref().unwrap_or(""));
        self.parts.iter().copied().chain(attributes).map(str::as_bytes)
    }

    /// Returns a place for it among [`RECENT`], by the length and the end of its parts.
    #[inline]
    pub(super) fn place(&self) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mix = |hash: u64, part: &str| {
            let end = part.as_bytes().last_chunk::<8>().map_or(0, |end| u64::from_le_bytes(*end));
            (hash.rotate_left(23) ^ end ^ part.len() as u64).wrapping_mul(ODD)
        };
        let hash = self.parts.iter().fold(u64::from(self.context.0), |hash, part| mix(hash, part));
        usize::try_from(hash >> 32).unwrap_or(0) % RECENT
    }

    /// Tells whether this is what was written as `key`.
    #[inline]
    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        let Some(mut rest) = key.strip_prefix(&self.head) else { return false };
        for part in self.parts() {
            match rest.split_at_checked(part.len()) {
                // Most parts of an application's line are empty. To compare nothing at an address of
                // nothing takes `memcmp` of glibc some 500 cycles on a processor with AVX-512.
                Some((known, [END, behind @ ..])) if part.is_empty() || known == part => {
                    rest = behind;
                }
                _ => return false,
            }
        }
        rest.is_empty()
    }

    /// Writes it into `key`, with separators that no UTF-8 has.
    pub(super) fn write(&self, key: &mut Vec<u8>) {
        key.clear();
        key.extend_from_slice(&self.head);
        for part in self.parts() {
            key.extend_from_slice(part);
            key.push(END);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::Decoder;

    fn line([model, account, region, arn, team]: &[String; 5]) -> String {
        format!(
            r#"{{"timestamp":"2026-06-01T00:00:00Z","operation":"Converse","modelId":"{model}","accountId":"{account}","region":"{region}","identity":{{"arn":"{arn}"}},"requestMetadata":{{"team":"{team}"}},"input":{{"inputTokenCount":1}}}}"#
        )
    }

    fn parts() -> impl Strategy<Value = [String; 5]> {
        let part = || prop::sample::select(&["a", "b", "ab", "", "anthropic.claude-v2:1"][..]);
        let arn = prop::sample::select(
            &["arn:aws:sts::1:assumed-role/r/s", "arn:aws:sts::1:assumed-role/r/t", "x"][..],
        );
        (part(), part(), part(), arn, part()).prop_map(|(model, account, region, arn, team)| {
            [&format!("m{model}"), account, region, arn, team].map(str::to_owned)
        })
    }

    proptest! {
        #[test]
        fn it_is_known_again_by_its_key_and_nothing_else_is(one in parts(), other in parts()) {
            let texts = [line(&one), line(&other)];
            let mut decoder = Decoder::new(&["team".to_owned()]);
            let calls: Vec<_> = texts.iter().map(|text| decoder.decode(text.as_bytes()).unwrap()).collect();
            let [one, other] = [&calls[0], &calls[1]].map(|call| Combination::of(call, ContextBand(0)));
            let (mut key, mut other_key) = (Vec::new(), Vec::new());
            one.write(&mut key);
            other.write(&mut other_key);
            prop_assert!(one.has_key(&key));
            prop_assert_eq!(other.has_key(&key), key == other_key);
            if key == other_key {
                prop_assert_eq!(one.place(), other.place());
            }
        }
    }
}
