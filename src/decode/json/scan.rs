//! Steps over one JSON value, checking it in full: the grammar of RFC 8259 as `serde_json` reads it
//! when it ignores a value. A string may hold any bytes but control characters (an answer cut inside
//! a character must not cost its record), and nesting is bounded by the line only.
//!
//! Every function takes the place where its value starts and returns the place after it, or `None`
//! if the line is not JSON there. Nothing here recurses or looks at what a value means.

use super::quoted::string;

/// The containers around a place: one bit each, so that hostile nesting costs an eighth of a byte
/// for each byte of the line.
#[derive(Default)]
pub(super) struct Nesting {
    /// The innermost 64 containers or fewer; the lowest bit is the innermost, 1 for an object.
    bits: u64,
    depth: usize,
    outer: Vec<u64>,
}

impl Nesting {
    fn clear(&mut self) {
        self.bits = 0;
        self.depth = 0;
        self.outer.clear();
    }

    #[inline]
    pub(super) fn enter(&mut self, is_object: bool) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(is_object);
        self.depth += 1;
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.bits >>= 1;
        self.depth = self.depth.saturating_sub(1);
        if self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or(0);
        }
    }

    #[inline]
    pub(super) fn in_object(&self) -> bool {
        self.bits & 1 == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.depth == 0
    }
}

/// Returns the byte at `at`.
#[inline]
pub(super) fn byte(line: &[u8], at: usize) -> Option<u8> {
    line.get(at).copied()
}

/// Returns the first place from `at` on that is not white space.
#[inline]
pub(super) fn space(line: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = byte(line, at) {
        at += 1;
    }
    at
}

/// Steps over a value of any type, which starts at `at` without white space before it.
#[inline]
pub(super) fn value(line: &[u8], at: usize, nesting: &mut Nesting) -> Option<usize> {
    match byte(line, at)? {
        b'"' => string(line, at + 1),
        b'{' | b'[' => container(line, at, nesting),
        _ => scalar(line, at),
    }
}

/// Steps over a number, `true`, `false` or `null`.
#[inline]
fn scalar(line: &[u8], at: usize) -> Option<usize> {
    match byte(line, at)? {
        b'-' | b'0'..=b'9' => number(line, at),
        b't' => literal(line, at, b"true"),
        b'f' => literal(line, at, b"false"),
        b'n' => literal(line, at, b"null"),
        _ => None,
    }
}

/// Steps over a number.
#[inline]
fn number(line: &[u8], mut at: usize) -> Option<usize> {
    if byte(line, at)? == b'-' {
        at += 1;
    }
    at = match byte(line, at)? {
        b'0' => at + 1,
        b'1'..=b'9' => digits(line, at + 1),
        _ => return None,
    };
    match byte(line, at) {
        Some(b'.') => at = some_digits(line, at + 1)?,
        Some(b'e' | b'E') => (),
        // A digit after a leading zero is no number.
        Some(b'0'..=b'9') => return None,
        _ => return Some(at),
    }
    if let Some(b'e' | b'E') = byte(line, at) {
        at += 1;
        if let Some(b'+' | b'-') = byte(line, at) {
            at += 1;
        }
        at = some_digits(line, at)?;
    }
    Some(at)
}

/// Steps over digits, eight at a time where so many bytes are left.
#[inline]
fn digits(line: &[u8], mut at: usize) -> usize {
    const EACH: u64 = u64::MAX / 255;
    while let Some(bytes) = line.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        // A digit becomes its value; the upper bit of a byte is set where it is more than 9. A carry
        // can only disturb what stands behind such a byte.
        let values = u64::from_le_bytes(*bytes) ^ (EACH * u64::from(b'0'));
        let others = (values.wrapping_add(EACH * 0x76) | values) & (EACH * 0x80);
        if others != 0 {
            return at + others.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(b'0'..=b'9') = byte(line, at) {
        at += 1;
    }
    at
}

#[inline]
fn some_digits(line: &[u8], at: usize) -> Option<usize> {
    let end = digits(line, at);
    (end > at).then_some(end)
}

#[inline]
fn literal(line: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    line.get(at..)?.starts_with(word).then_some(at + word.len())
}

/// Steps over the key at `at`, the colon and the white space around it, to the value.
#[inline]
fn key(line: &[u8], at: usize) -> Option<usize> {
    if byte(line, at)? != b'"' {
        return None;
    }
    colon(line, string(line, at + 1)?)
}

/// Steps over a colon and the white space around it.
#[inline]
pub(super) fn colon(line: &[u8], at: usize) -> Option<usize> {
    let at = space(line, at);
    (byte(line, at)? == b':').then(|| space(line, at + 1))
}

/// Steps over an object or array.
fn container(line: &[u8], mut at: usize, nesting: &mut Nesting) -> Option<usize> {
    nesting.clear();
    loop {
        // Here a value starts.
        at = match byte(line, at)? {
            b'"' => string(line, at + 1)?,
            open @ (b'{' | b'[') => {
                let is_object = open == b'{';
                let inside = space(line, at + 1);
                let close = if is_object { b'}' } else { b']' };
                if byte(line, inside)? == close {
                    inside + 1
                } else {
                    nesting.enter(is_object);
                    at = if is_object { key(line, inside)? } else { inside };
                    continue;
                }
            }
            _ => scalar(line, at)?,
        };
        // Here a value ended.
        loop {
            if nesting.depth == 0 {
                return Some(at);
            }
            at = space(line, at);
            match (byte(line, at)?, nesting.in_object()) {
                (b',', true) => {
                    at = key(line, space(line, at + 1))?;
                    break;
                }
                (b',', false) => {
                    at = space(line, at + 1);
                    break;
                }
                (b'}', true) | (b']', false) => {
                    nesting.leave();
                    at += 1;
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_the_grammar_says() {
        for (line, end) in [
            (r#""a" "#, Some(3)),
            (r#""a\"b""#, Some(6)),
            (r#""\\""#, Some(4)),
            (r#""\\\"""#, Some(6)),
            (r#""\\\""#, None),
            (r#""a block that ends in a backslash\" and goes on" "#, Some(48)),
            (r#""thirty characters before thes\\\"" "#, Some(35)),
            (r#""thirty characters before these\\" "#, Some(34)),
            (r#""thirty characters before these\x" "#, None),
            (r#""thirty characters before these\u00e9" "#, Some(38)),
            (r#""thirty characters before these\u00e" "#, None),
            (r#""open\"#, None),
            (r#""\u00e9\ud800""#, Some(14)),
            (r#""\u00g9""#, None),
            (r#""\x""#, None),
            ("\"a\tb\"", None),
            (r#""open"#, None),
            (r#""open and longer than a block"#, None),
            ("\"a block before the control character\u{1}\"", None),
            ("0", Some(1)),
            ("-0.5e+10,", Some(8)),
            ("01", None),
            ("-", None),
            ("1.", None),
            ("1e", None),
            ("1e999", Some(5)),
            ("true", Some(4)),
            ("nul", None),
            ("[]", Some(2)),
            ("[ 1 , [ ] , {} ]x", Some(16)),
            ("[1,]", None),
            ("[1 2]", None),
            (r#"{"a":1,"b":[{"c":null}]}"#, Some(24)),
            (r#"{"a":1,}"#, None),
            (r#"{"a" 1}"#, None),
            (r"{a:1}", None),
            ("[1}", None),
            ("", None),
        ] {
            assert_eq!(value(line.as_bytes(), 0, &mut Nesting::default()), end, "{line}");
        }
    }

    #[test]
    fn nesting_of_any_depth_is_kept_apart() {
        for depth in [1, 63, 64, 65, 128, 129, 1_000_000] {
            let kinds = |at: usize| at.is_multiple_of(3) || at % 64 == 5;
            let mut line = String::new();
            for at in 0..depth {
                line += if kinds(at) { "{\"k\":" } else { "[" };
            }
            line += "1";
            for at in (0..depth).rev() {
                line += if kinds(at) { "}" } else { "]" };
            }
            let mut nesting = Nesting::default();
            assert_eq!(value(line.as_bytes(), 0, &mut nesting), Some(line.len()), "{depth}");
            let last = line.pop();
            line.push(if last == Some('}') { ']' } else { '}' });
            assert_eq!(value(line.as_bytes(), 0, &mut nesting), None, "{depth}");
        }
    }
}
