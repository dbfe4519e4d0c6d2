//! Usage in the spellings of application logs, as a partition of the tokens.
//!
//! The spelling tells whether cached tokens are part of the input: `OpenAI`'s `prompt_tokens` hold them,
//! Anthropic's `input_tokens` and Converse's `inputTokens` don't. A spelling that contradicts its own
//! numbers is counted so that no token is lost, and said to be an assumption.

use super::draft::{Draft, set_cache_writes};
use super::paths::Field;
use super::slots::FieldSet;
use super::{Approximations, Reject};
use crate::model::names::Approximation;
use crate::model::tokens::{TokenClass, TokenCounts};

/// What one call used.
pub(super) struct Usage {
    pub(super) tokens: TokenCounts,
    pub(super) has_output: bool,
    /// Whether input or output is told, and not only a total or nothing.
    pub(super) is_complete: bool,
}

/// One set of names for the counts of a call.
struct Spelling {
    input: Field,
    output: Field,
    total: Field,
    cache_read: Field,
    cache_write: Field,
    /// `OpenAI`'s cached tokens, which are part of the input wherever they stand.
    cached: Option<Field>,
    /// Whether the input holds the cached tokens by itself.
    is_inclusive: bool,
    /// Where the cache writes are told apart by their times to live.
    parts: Option<(Field, Field)>,
}

/// The spellings with the fields that show that a line has them; the first one that it has is counted,
/// and the others must agree with it.
const SPELLINGS: &[(FieldSet, Spelling)] = {
    const ANTHROPIC: Spelling = Spelling {
        input: Field::AppInput,
        output: Field::AppOutput,
        total: Field::AppTotal,
        cache_read: Field::AppCacheRead,
        cache_write: Field::AppCacheWrite,
        cached: Some(Field::AppCached),
        is_inclusive: false,
        parts: Some((Field::AppWrite5m, Field::AppWrite1h)),
    };
    const FLAT: Spelling = Spelling {
        input: Field::FlatInput,
        output: Field::FlatOutput,
        total: Field::FlatTotal,
        cache_read: Field::FlatCacheRead,
        cache_write: Field::FlatCacheWrite,
        cached: Some(Field::FlatCached),
        is_inclusive: false,
        parts: None,
    };
    const fn known(spelling: Spelling) -> (FieldSet, Spelling) {
        (FieldSet::of(&[spelling.input, spelling.output]), spelling)
    }
    &[
        known(ANTHROPIC),
        known(Spelling {
            input: Field::AppPrompt,
            output: Field::AppCompletion,
            is_inclusive: true,
            ..ANTHROPIC
        }),
        known(Spelling {
            input: Field::AppInputCamel,
            output: Field::AppOutputCamel,
            total: Field::AppTotalCamel,
            cache_read: Field::AppCacheReadCamel,
            cache_write: Field::AppCacheWriteCamel,
            cached: None,
            is_inclusive: false,
            parts: None,
        }),
        known(FLAT),
        known(Spelling {
            input: Field::FlatPrompt,
            output: Field::FlatCompletion,
            is_inclusive: true,
            ..FLAT
        }),
        known(Spelling {
            input: Field::FlatInputCamel,
            output: Field::FlatOutputCamel,
            total: Field::FlatTotalCamel,
            cache_read: Field::FlatCacheReadCamel,
            cache_write: Field::FlatCacheWriteCamel,
            cached: None,
            is_inclusive: false,
            parts: None,
        }),
        known(Spelling { input: Field::FlatInputPascal, output: Field::FlatOutputPascal, ..FLAT }),
    ]
};

/// What a line says in one spelling.
struct Reading {
    /// The input as it is written, with or without cached tokens.
    input: u64,
    has_output: bool,
    tokens: TokenCounts,
    approximations: Approximations,
}

/// Of each spelling, the fields that show that a line has it or one behind it.
const FOLLOWING: [FieldSet; SPELLINGS.len()] = {
    let (mut following, mut at) = ([FieldSet::of(&[]); SPELLINGS.len()], SPELLINGS.len());
    let mut all = FieldSet::of(&[]);
    while let [before @ .., (counts, _)] = SPELLINGS.split_at(at).0 {
        all = all.union(*counts);
        at = before.len();
        if let Some((place, _)) = following.split_at_mut(at).1.split_first_mut() {
            *place = all;
        }
    }
    following
};

/// The counts of cached tokens in all spellings: one look tells that a line has none.
const CACHE: FieldSet = {
    let (mut all, mut left) = (FieldSet::of(&[]), SPELLINGS);
    while let [(_, spelling), rest @ ..] = left {
        all = all.with(spelling.cache_read).with(spelling.cache_write);
        if let Some(cached) = spelling.cached {
            all = all.with(cached);
        }
        if let Some((short, long)) = spelling.parts {
            all = all.with(short).with(long);
        }
        left = rest;
    }
    all
};

/// Tells whether a line tells what a call used, in any spelling.
pub(super) fn is_there(draft: &Draft<'_, '_>) -> bool {
    const ANY: FieldSet = {
        let (mut all, mut left) = (FieldSet::of(&[]), SPELLINGS);
        while let [(_, spelling), rest @ ..] = left {
            all = all.with(spelling.input).with(spelling.output).with(spelling.total);
            left = rest;
        }
        all
    };
    draft.has_any(ANY)
}

/// Returns the counts of a call in all spellings; some come more than once.
pub(super) fn counts() -> impl Iterator<Item = Field> {
    SPELLINGS.iter().flat_map(|(_, spelling)| {
        let Spelling { input, output, total, cache_read, cache_write, cached, parts, .. } =
            spelling;
        let parts = parts.map(|(short, long)| [short, long]);
        let further = cached.iter().copied().chain(parts.into_iter().flatten());
        [*input, *output, *total, *cache_read, *cache_write].into_iter().chain(further)
    })
}

/// Reads what a call used, and adds what had to be assumed to `approximations`.
pub(super) fn read(
    draft: &Draft<'_, '_>,
    approximations: &mut Approximations,
) -> Result<Usage, Reject> {
    let mut first: Option<Reading> = None;
    let has_cache = draft.has_any(CACHE);
    for ((counts, spelling), following) in SPELLINGS.iter().zip(&FOLLOWING) {
        // Nearly every line has one spelling.
        if first.is_some() && !draft.has_any(*following) {
            break;
        }
        if !draft.has_any(*counts) {
            continue;
        }
        let Some(reading) = read_one(draft, spelling, has_cache)? else { continue };
        let Some(first) = &first else {
            *approximations = approximations.union(reading.approximations);
            first = Some(reading);
            continue;
        };
        let same_input = reading.input == first.input
            || reading.tokens.total_input() == first.tokens.total_input();
        let output = TokenClass::Output;
        if !same_input || reading.tokens.get(output) != first.tokens.get(output) {
            approximations.insert(Approximation::TokenTotalMismatch);
        }
    }
    if let Some(first) = first {
        return Ok(Usage { tokens: first.tokens, has_output: first.has_output, is_complete: true });
    }
    for (_, spelling) in SPELLINGS {
        if draft.count(spelling.total)?.is_some_and(|total| total > 0) {
            approximations.insert(Approximation::TokenTotalMismatch);
        }
    }
    Ok(Usage { tokens: TokenCounts::default(), has_output: false, is_complete: false })
}

/// [`read_one`] where a line tells of no cached tokens.
fn without_cache(input: u64, output: u64, has_output: bool, total: Option<u64>) -> Reading {
    let mut tokens = TokenCounts::default();
    let mut approximations = Approximations::NONE;
    tokens.set(TokenClass::Input, input);
    tokens.set(TokenClass::Output, output);
    if total.is_some_and(|total| total != input + output) {
        approximations.insert(Approximation::TokenTotalMismatch);
    }
    Reading { input, has_output, tokens, approximations }
}

fn read_one(
    draft: &Draft<'_, '_>,
    spelling: &Spelling,
    has_cache: bool,
) -> Result<Option<Reading>, Reject> {
    let (input, output) = (draft.count(spelling.input)?, draft.count(spelling.output)?);
    if input.is_none() && output.is_none() {
        return Ok(None);
    }
    let (input, has_output, output) = (input.unwrap_or(0), output.is_some(), output.unwrap_or(0));
    let total = draft.count(spelling.total)?;
    if !has_cache {
        return Ok(Some(without_cache(input, output, has_output, total)));
    }
    let own_read = draft.count(spelling.cache_read)?;
    let cached = spelling.cached.map(|field| draft.count(field)).transpose()?.flatten();
    let parts = match spelling.parts {
        None => None,
        Some((short, long)) => match (draft.count(short)?, draft.count(long)?) {
            (None, None) => None,
            (short, long) => Some((short.unwrap_or(0), long.unwrap_or(0))),
        },
    };
    let mut tokens = TokenCounts::default();
    let mut approximations = Approximations::NONE;
    tokens.set(TokenClass::CacheRead, own_read.or(cached).unwrap_or(0));
    set_cache_writes(&mut tokens, draft.count(spelling.cache_write)?, parts);
    // Only the cache classes are set so far.
    let cache = tokens.total();
    // The sum tells, unless OpenAI's own name for the cached tokens does.
    let is_beside = cache > 0 && total == Some(input + output + cache);
    let is_inclusive = cached.is_some() || (spelling.is_inclusive && !is_beside);
    let fresh = if is_inclusive { input.checked_sub(cache) } else { Some(input) };
    if fresh.is_none() {
        approximations.insert(Approximation::CacheCountingAssumed);
    }
    tokens.set(TokenClass::Input, fresh.unwrap_or(input));
    tokens.set(TokenClass::Output, output);
    // Nobody says whether the sum of an exclusive spelling holds cached tokens, so both pass.
    let sums = [tokens.total(), input + output];
    let reads_differ = own_read.zip(cached).is_some_and(|(own, cached)| own != cached);
    if reads_differ || total.is_some_and(|total| !sums.contains(&total)) {
        approximations.insert(Approximation::TokenTotalMismatch);
    }
    Ok(Some(Reading { input, has_output, tokens, approximations }))
}
