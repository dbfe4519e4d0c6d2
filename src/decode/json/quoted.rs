//! Steps over a JSON string, a block of bytes at a time, and checks it: no control characters, and
//! escapes as RFC 8259 has them. What it says is never looked at.

use wide::u8x32;

use super::scan::byte;

/// Bytes looked at in one step.
pub(super) const BLOCK: usize = 32;

/// Returns the bytes from `at` on, if a whole block is left.
#[inline]
pub(super) fn block(line: &[u8], at: usize) -> Option<u8x32> {
    line.get(at..)?.first_chunk::<BLOCK>().map(|&bytes| u8x32::new(bytes))
}

/// Steps over the rest of a string, from after its opening quote to after its closing one.
#[inline]
pub(super) fn string(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let marks = Marks::at(line, at)?;
        if marks.any == 0 {
            at += BLOCK;
            continue;
        }
        let first = at + marks.any.trailing_zeros() as usize;
        return if byte(line, first)? == b'"' { Some(first + 1) } else { escaped(line, at) };
    }
}

/// Returns how many bytes from `start` on can't end or break a string.
#[inline]
pub(super) fn plain(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(marks) = Marks::at(text, at) {
        if marks.any != 0 {
            return at + marks.any.trailing_zeros() as usize - start;
        }
        at += BLOCK;
    }
    text.len().saturating_sub(start)
}

/// [`string`] from the first block on that has an escape or a control character.
///
/// Two blocks are looked at at once, and each once, however many escapes they have: JSON inside JSON
/// has one every few bytes. What a backslash escapes is found by arithmetic on the marks, as in Langdale
/// and Lemire, "Parsing gigabytes of JSON per second" (2019).
fn escaped(line: &[u8], mut at: usize) -> Option<usize> {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    // Whether the first byte of the blocks is escaped by the last one before them.
    let mut carry = 0;
    loop {
        let [low, high] =
            [Marks::at(line, at)?, Marks::at(line, at + BLOCK).unwrap_or(Marks::NONE)];
        let both = |low: u32, high: u32| u64::from(low) | u64::from(high) << BLOCK;
        let quotes = both(low.quotes, high.quotes);
        let backslashes = both(low.backslashes, high.backslashes);
        let controls = both(low.controls, high.controls);
        if quotes | backslashes | controls | carry == 0 {
            at += 2 * BLOCK;
            continue;
        }
        let begin = backslashes & !carry;
        // A backslash after a backslash begins no escape: every run of them is cut into pairs.
        let pairs = ((begin << 1) | ODD).wrapping_sub(begin) ^ ODD;
        let escaped = pairs ^ (backslashes | carry);
        let closing = quotes & !escaped;
        let inside = closing.wrapping_sub(1) & !closing;
        if controls & inside != 0 {
            return None;
        }
        // Nearly every escape of JSON in JSON stands for itself.
        let mut others = escaped & inside & !(quotes | backslashes);
        while others != 0 {
            escape(line, (at + others.trailing_zeros() as usize).checked_sub(1)?)?;
            others &= others - 1;
        }
        if closing != 0 {
            return Some(at + closing.trailing_zeros() as usize + 1);
        }
        carry = (pairs & backslashes) >> (2 * BLOCK - 1);
        at += 2 * BLOCK;
    }
}

/// Where in a block the bytes stand that matter in a string, the lowest bit for the first byte.
struct Marks {
    any: u32,
    quotes: u32,
    backslashes: u32,
    controls: u32,
}

impl Marks {
    const NONE: Self = Self { any: 0, quotes: 0, backslashes: 0, controls: 0 };

    /// Marks the block at `at`, or as much of it as is left of the line; `None` if nothing is.
    #[inline]
    fn at(line: &[u8], at: usize) -> Option<Self> {
        match block(line, at) {
            Some(bytes) => Some(Self::of(bytes)),
            None => Self::at_end(line, at),
        }
    }

    #[inline]
    fn at_end(line: &[u8], at: usize) -> Option<Self> {
        let left = line.len().checked_sub(at).filter(|&left| left > 0)?;
        if let Some(&bytes) = line.last_chunk::<BLOCK>() {
            let Self { any, quotes, backslashes, controls } = Self::of(u8x32::new(bytes));
            let before = BLOCK - left;
            return Some(Self {
                any: any >> before,
                quotes: quotes >> before,
                backslashes: backslashes >> before,
                controls: controls >> before,
            });
        }
        let mut bytes = [b' '; BLOCK];
        for (to, from) in bytes.iter_mut().zip(line.get(at..)?) {
            *to = *from;
        }
        Some(Self::of(u8x32::new(bytes)))
    }

    #[inline]
    fn of(bytes: u8x32) -> Self {
        let quotes = bytes.simd_eq(u8x32::splat(b'"'));
        let backslashes = bytes.simd_eq(u8x32::splat(b'\\'));
        let controls = bytes.min(u8x32::splat(0x1f)).simd_eq(bytes);
        Self {
            any: (quotes | backslashes | controls).to_bitmask(),
            quotes: quotes.to_bitmask(),
            backslashes: backslashes.to_bitmask(),
            controls: controls.to_bitmask(),
        }
    }
}

/// Steps over an escape, which starts with the backslash at `at`. What is no escape at all fails
/// here, a control character too.
#[inline]
fn escape(line: &[u8], at: usize) -> Option<usize> {
    if byte(line, at)? != b'\\' {
        return None;
    }
    match byte(line, at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => {
            let digits = line.get(at + 2..at + 6)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 6)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// [`string`] byte by byte.
    fn plain_string(line: &[u8], mut at: usize) -> Option<usize> {
        loop {
            at = match byte(line, at)? {
                b'"' => return Some(at + 1),
                b'\\' => escape(line, at)?,
                0..=0x1f => return None,
                _ => at + 1,
            };
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_string_ends_where_it_ends_byte_by_byte(
            parts in proptest::collection::vec(
                prop_oneof![
                    20 => "[a-z\u{e9}]{0,40}",
                    20 => r#"(\\\\|\\"|\\n|\\/|\\u00e9){1,12}"#,
                    1 => r#"\\x|\\u12|"|\\|\\\t"#,
                    1 => "\u{1}|\u{1f}",
                ],
                0..12,
            ),
            tail in "\"?[a-z\"\\\\]{0,40}",
        ) {
            let line = parts.concat() + &tail;
            let line = line.as_bytes();
            prop_assert_eq!(string(line, 0), plain_string(line, 0));
        }
    }
}
