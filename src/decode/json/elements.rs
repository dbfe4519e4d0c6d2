//! Where a JSON value ends, and the elements of an array: for what holds several records.
//!
//! Ranges of the text only; nothing here may look at what a value means.

use super::scan::{self, Nesting};

/// Returns the place after the JSON value that `text` begins with, white space before it allowed.
/// What follows the value is not looked at.
pub(in crate::decode) fn document_end(text: &[u8]) -> Option<usize> {
    scan::value(text, scan::space(text, 0), &mut Nesting::default())
}

/// Iterates over the elements of an array that a walk has checked. What is no array has none.
pub(in crate::decode) fn elements(array: &[u8]) -> Elements<'_> {
    let is_array = scan::byte(array, 0) == Some(b'[');
    Elements { array: if is_array { array } else { &[] }, at: 1, nesting: Nesting::default() }
}

/// See [`elements`].
pub(in crate::decode) struct Elements<'a> {
    array: &'a [u8],
    at: usize,
    nesting: Nesting,
}

impl<'a> Elements<'a> {
    /// Returns the text from the next element on, for who walks over it and then
    /// [steps](Self::step) past it. After the last element no value is left in it.
    pub(in crate::decode) fn rest(&mut self) -> &'a [u8] {
        self.at = scan::space(self.array, self.at);
        self.array.get(self.at..).unwrap_or(&[])
    }

    /// Steps past an element of that length, which is next, and returns it.
    pub(in crate::decode) fn step(&mut self, length: usize) -> Option<&'a [u8]> {
        let (start, end) = (self.at, self.at + length);
        // Past the comma; after the last element there is none, and no value follows the bracket.
        self.at = scan::space(self.array, end) + 1;
        self.array.get(start..end)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let length = scan::value(rest, 0, &mut self.nesting)?;
        self.step(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_those_of_the_array_and_not_of_inner_ones() {
        for (array, expected) in [
            ("[]", &[][..]),
            ("[ ]", &[]),
            ("[1]", &["1"]),
            (r#"[ {"a":[1,2]} , "x,]" ,[3] ]"#, &[r#"{"a":[1,2]}"#, r#""x,]""#, "[3]"]),
            ("{}", &[]),
            ("\"[1]\"", &[]),
            ("", &[]),
        ] {
            let found: Vec<&[u8]> = elements(array.as_bytes()).collect();
            let expected: Vec<&[u8]> = expected.iter().map(|text| text.as_bytes()).collect();
            assert_eq!(found, expected, "{array}");
        }
    }

    #[test]
    fn a_document_ends_where_its_value_does() {
        for (text, end) in [
            (" {} {}", Some(3)),
            ("{}{", Some(2)),
            ("{\n \"a\": 1\n}\n", Some(11)),
            ("{", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(document_end(text.as_bytes()), end, "{text}");
        }
    }
}
