//! The text that a JSON string stands for.
//!
//! Only called on strings that a walk has checked. Bytes that are no UTF-8 and halves of surrogate
//! pairs become U+FFFD: a broken character in a name must not cost the record.

use std::borrow::Cow;

use wide::u8x32;

use super::quoted::BLOCK;

/// Returns the text of the JSON string `raw` (quotes included), or `None` if `raw` is of another
/// type. Borrows where the string has no escapes and is UTF-8.
pub(in crate::decode) fn string(raw: &[u8]) -> Option<Cow<'_, str>> {
    let [b'"', inner @ .., b'"'] = raw else { return None };
    Some(unquoted(inner))
}

/// Returns the text between two quotes.
pub(super) fn unquoted(inner: &[u8]) -> Cow<'_, str> {
    match memchr::memchr(b'\\', inner) {
        None => match std::str::from_utf8(inner) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(inner),
        },
        Some(_) => Cow::Owned(unescape(inner)),
    }
}

fn unescape(mut rest: &[u8]) -> String {
    let mut text = String::with_capacity(rest.len());
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        text.push_str(&String::from_utf8_lossy(before));
        let (character, length) = unescape_one(escape);
        text.push(character);
        rest = escape.get(length..).unwrap_or(&[]);
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

/// Bytes that an escape of a block and the block behind it reach to.
const WINDOW: usize = 2 * BLOCK + 2;

/// Returns the text between the quotes of a JSON string, in which JSON can be looked for again: bytes
/// that are no UTF-8 stay as they are. It is written to `space`, whatever is in there.
pub(in crate::decode) fn unescape_in<'s>(inner: &[u8], space: &'s mut Vec<u8>) -> &'s [u8] {
    // The text is never longer. Blocks are written whole, and what is too much of them overwritten.
    let most = inner.len() + WINDOW;
    if space.len() < most {
        space.resize(most, 0);
    }
    let left = unescape_windows(inner, space).map_or(0, |left| left.len());
    space.get(..space.len() - left).unwrap_or(&[])
}

/// Writes the text to `out`, which has more space than it needs by a window, and returns the space
/// that is left.
fn unescape_windows<'o>(mut rest: &[u8], mut out: &'o mut [u8]) -> Option<&'o mut [u8]> {
    while let Some(window) = rest.first_chunk() {
        let (length, written) = unescape_block(window, out.first_chunk_mut()?)?;
        out = out.get_mut(written..)?;
        rest = rest.get(length..)?;
    }
    while !rest.is_empty() {
        let mut window = [0; WINDOW];
        window.get_mut(..rest.len())?.copy_from_slice(rest);
        let (length, written) = unescape_block(&window, out.first_chunk_mut()?)?;
        let beyond = length.saturating_sub(rest.len());
        out = out.get_mut(written.saturating_sub(beyond)..)?;
        rest = rest.get(length..).unwrap_or(&[]);
    }
    Some(out)
}

/// Writes the text of the first block of `window` to `out`, or of as much of it as ends with an escape
/// that does not stand for itself. Returns how many bytes that was of the window and of the text.
#[inline]
fn unescape_block(window: &[u8; WINDOW], out: &mut [u8; WINDOW]) -> Option<(usize, usize)> {
    let block = window.first_chunk::<BLOCK>()?;
    *out.first_chunk_mut::<BLOCK>()? = *block;
    let mut marks = u64::from(u8x32::new(*block).simd_eq(u8x32::splat(b'\\')).to_bitmask());
    // Backslashes left out so far, and where the text begins that is in its place already.
    let (mut removed, mut start) = (0, 0);
    while marks != 0 {
        let mark = marks.trailing_zeros() as usize;
        let place = mark - removed;
        let text = window.get(mark + 1..)?.first_chunk::<BLOCK>()?;
        // Nearly every escape of JSON in JSON stands for itself: a quote, a slash or a backslash, and
        // those come before the letters of all others.
        if *text.first()? > b'\\' {
            let (character, length) = unescape_one(window.get(mark..)?);
            let written =
                character.encode_utf8(out.get_mut(place..)?.first_chunk_mut::<4>()?).len();
            return Some((mark + length, place + written));
        }
        *out.get_mut(place..)?.first_chunk_mut::<BLOCK>()? = *text;
        removed += 1;
        start = mark + 2;
        marks &= !(3 << mark);
    }
    let length = start.max(BLOCK);
    Some((length, length - removed))
}

/// Returns the character of the escape at the start of `escape`, and the escape's length.
fn unescape_one(escape: &[u8]) -> (char, usize) {
    let short = match escape.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unescape_unicode(escape),
        Some(&literal) => char::from(literal),
        None => char::REPLACEMENT_CHARACTER,
    };
    (short, 2)
}

fn unescape_unicode(escape: &[u8]) -> (char, usize) {
    let Some(unit) = hex_unit(escape) else { return (char::REPLACEMENT_CHARACTER, 2) };
    let pair = escape.get(6..).filter(|next| next.starts_with(b"\\u")).and_then(hex_unit);
    if let Some(low) = pair
        && let Some(Ok(character)) = char::decode_utf16([unit, low]).next()
    {
        return (character, if character.len_utf16() == 2 { 12 } else { 6 });
    }
    (char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}

/// Returns the number in `\uXXXX` at the start of `escape`.
fn hex_unit(escape: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(escape.get(2..6)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_are_read_with_what_is_broken_replaced() {
        for (raw, text) in [
            (&br#""plain""#[..], Some("plain")),
            (br#""""#, Some("")),
            (br#""a\u0041\n\/\\\"""#, Some("aA\n/\\\"")),
            (br#""\ud83d\ude00!""#, Some("\u{1f600}!")),
            (br#""\ud83d!""#, Some("\u{fffd}!")),
            (br#""\ude00\ud83d\ude00""#, Some("\u{fffd}\u{1f600}")),
            (br#""\ud83d\u0041""#, Some("\u{fffd}A")),
            (b"\"\xffa\"", Some("\u{fffd}a")),
            (b"\"\xff\\n\"", Some("\u{fffd}\n")),
            (b"12", None),
            (b"\"", None),
        ] {
            assert_eq!(string(raw).as_deref(), text, "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn a_string_that_serde_json_can_read_is_read_alike(
            raw in r#""([a-z\u{80}-\u{10ffff}]|\\[nrtbf/\\"]|\\u[0-9a-dA-D][0-9a-fA-F]{3}|\\ud8[0-9a-f]{2}\\udc[0-9a-f]{2}){0,60}""#,
            used in 0..200_usize,
        ) {
            if let Ok(expected) = serde_json::from_str::<String>(&raw) {
                let mut space = vec![b'x'; used];
                let text = unescape_in(&raw.as_bytes()[1..raw.len() - 1], &mut space);
                prop_assert_eq!(text, expected.as_bytes());
                prop_assert_eq!(string(raw.as_bytes()), Some(Cow::Owned(expected)));
            }
        }
    }
}
