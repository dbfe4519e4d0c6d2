//! Steps over JSON that arrives in pieces, cut anywhere: the grammar of `scan`, byte by byte.
//!
//! Only whether a document is whole, may still become one, or can't is told; places and values are
//! found later, when all of it is there.

use super::scan::Nesting;

/// What the pieces so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Step {
    /// The beginning of a document.
    Open,
    /// A document that ends before this place of the last piece.
    End(usize),
    /// No JSON, whatever follows.
    Broken,
}

#[derive(Clone, Copy)]
enum State {
    Value,
    /// A value, or the end of an array.
    Element,
    Key,
    /// A key, or the end of an object.
    Member,
    Colon,
    /// A comma, or the end of what holds the value.
    After,
    String {
        is_key: bool,
    },
    Escape {
        is_key: bool,
    },
    Hex {
        is_key: bool,
        left: u8,
    },
    /// A number, by what was seen of it last.
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    Broken,
}

/// One document, which begins with a brace or a bracket.
pub(in crate::decode) struct Resume {
    state: State,
    nesting: Nesting,
}

impl Default for Resume {
    fn default() -> Self {
        Self { state: State::Value, nesting: Nesting::default() }
    }
}

impl Resume {
    /// Goes on with the next piece.
    pub(in crate::decode) fn feed(&mut self, piece: &[u8]) -> Step {
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            at += 1;
            if let State::String { is_key } = self.state {
                let rest = piece.get(at - 1..).unwrap_or_default();
                let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..0x20));
                let plain = plain.count();
                if plain > 0 {
                    at += plain - 1;
                    continue;
                }
                self.state = match byte {
                    b'"' if is_key => State::Colon,
                    b'"' => State::After,
                    b'\\' => State::Escape { is_key },
                    _ => State::Broken,
                };
            } else {
                self.state = self.after(byte);
            }
            match self.state {
                State::Broken => return Step::Broken,
                State::After if self.nesting.is_empty() => return Step::End(at),
                _ => {}
            }
        }
        Step::Open
    }

    fn after(&mut self, byte: u8) -> State {
        if byte.is_ascii_digit()
            && let Some(state) = self.after_digit(byte)
        {
            return state;
        }
        match (self.state, byte) {
            (State::Value | State::Element, b'{') => self.enter(true),
            (State::Value | State::Element, b'[') => self.enter(false),
            (State::Value, b' ' | b'\t' | b'\r' | b'\n') => State::Value,
            // A document that is no object and no array is no frame.
            _ if self.nesting.is_empty() => State::Broken,
            (State::Zero | State::Integer | State::Fraction | State::ExponentDigits, b) => {
                self.after_number(b)
            }
            (State::Escape { is_key }, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                State::String { is_key }
            }
            (State::Escape { is_key }, b'u') => State::Hex { is_key, left: 4 },
            (State::Hex { is_key, left }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if left > 1 {
                    State::Hex { is_key, left: left - 1 }
                } else {
                    State::String { is_key }
                }
            }
            (State::Exponent, b'+' | b'-') => State::ExponentSign,
            (State::Word([next, rest @ ..]), b) if b == *next => {
                if rest.is_empty() {
                    State::After
                } else {
                    State::Word(rest)
                }
            }
            (state, byte) => self.between(state, byte),
        }
    }

    /// What follows a byte between values, keys and marks.
    fn between(&mut self, state: State, byte: u8) -> State {
        match (state, byte) {
            (
                State::Value
                | State::Element
                | State::Key
                | State::Member
                | State::Colon
                | State::After,
                b' ' | b'\t' | b'\r' | b'\n',
            ) => state,
            (State::Value | State::Element, b'"') => State::String { is_key: false },
            (State::Key | State::Member, b'"') => State::String { is_key: true },
            (State::Value | State::Element, b'-') => State::Minus,
            (State::Value | State::Element, b't') => State::Word(b"rue"),
            (State::Value | State::Element, b'f') => State::Word(b"alse"),
            (State::Value | State::Element, b'n') => State::Word(b"ull"),
            (State::Element | State::After, b']') if !self.nesting.in_object() => self.leave(),
            (State::Member | State::After, b'}') if self.nesting.in_object() => self.leave(),
            (State::After, b',') if self.nesting.in_object() => State::Key,
            (State::Colon, b':') | (State::After, b',') => State::Value,
            _ => State::Broken,
        }
    }

    fn after_digit(&self, digit: u8) -> Option<State> {
        Some(match self.state {
            _ if self.nesting.is_empty() => State::Broken,
            State::Value | State::Element | State::Minus if digit == b'0' => State::Zero,
            State::Value | State::Element | State::Minus | State::Integer => State::Integer,
            State::Point | State::Fraction => State::Fraction,
            State::Exponent | State::ExponentSign | State::ExponentDigits => State::ExponentDigits,
            _ => return None,
        })
    }

    /// What follows a byte that is no digit behind a whole number.
    fn after_number(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            (State::Zero | State::Integer, b'.') => State::Point,
            (State::Zero | State::Integer | State::Fraction, b'e' | b'E') => State::Exponent,
            (_, b'0'..=b'9') => State::Broken,
            _ => self.between(State::After, byte),
        }
    }

    fn enter(&mut self, is_object: bool) -> State {
        self.nesting.enter(is_object);
        if is_object { State::Member } else { State::Element }
    }

    fn leave(&mut self) -> State {
        self.nesting.leave();
        State::After
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::elements::document_end;
    use super::*;

    /// What the pieces of a text are together, and where the document ends in the whole.
    fn fed(pieces: &[&[u8]]) -> Step {
        let mut resume = Resume::default();
        let mut before = 0;
        for piece in pieces {
            match resume.feed(piece) {
                Step::Open => before += piece.len(),
                Step::End(at) => return Step::End(before + at),
                Step::Broken => return Step::Broken,
            }
        }
        Step::Open
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::{Value, json};
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            prop::num::f64::NORMAL.prop_map(Value::from),
            "\\PC*".prop_map(Value::from),
            "[\"\\\\\n\u{1}é/{}]*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("[a-c\"\\\\]{0,3}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_document_in_any_pieces_ends_where_it_ends_in_one(
            value in prop::collection::vec(json(), 0..4),
            is_pretty in any::<bool>(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let value = serde_json::Value::from(value);
            let mut text = if is_pretty {
                serde_json::to_vec_pretty(&value).unwrap()
            } else {
                serde_json::to_vec(&value).unwrap()
            };
            text.extend_from_slice(b" behind");
            if let Some((place, byte)) = damage {
                let place = place.index(text.len());
                text[place] = byte;
            }
            prop_assume!(matches!(text[0], b'[' | b'{'));
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();
            match (fed(&pieces), document_end(&text)) {
                (Step::End(end), expected) => prop_assert_eq!(Some(end), expected),
                (_, expected) => prop_assert_eq!(None, expected),
            }
            // What is open can be closed, and what is broken can't.
            for end in 1..text.len() {
                if document_end(&text[..end]).is_none() {
                    let is_prefix = document_end(&text).is_some_and(|whole| end < whole);
                    prop_assert!(!is_prefix || fed(&[&text[..end]]) == Step::Open);
                }
            }
        }
    }

    #[test]
    fn what_can_never_become_json_is_broken_at_once() {
        for (text, step) in [
            ("{", Step::Open),
            ("{\n  \"a\": 1,\n", Step::Open),
            ("{\"a\":{\"b\":1}", Step::Open),
            ("[01", Step::Broken),
            ("[1.e", Step::Broken),
            ("[1.5", Step::Open),
            ("[-", Step::Open),
            ("[--", Step::Broken),
            ("[1 2", Step::Broken),
            ("[tru", Step::Open),
            ("[trux", Step::Broken),
            ("{\"a\"\n{", Step::Broken),
            ("{\"a\":1}", Step::End(7)),
            ("{\"a\":1}}", Step::End(7)),
            ("{\"a\":1,}", Step::Broken),
            ("[1,]", Step::Broken),
            ("[1}", Step::Broken),
            ("{1", Step::Broken),
            ("{\"a\nb", Step::Broken),
            ("{\"\\u12", Step::Open),
            ("{\"\\u12g", Step::Broken),
            ("x", Step::Broken),
            ("1", Step::Broken),
            ("\"a\"", Step::Broken),
            (" {}", Step::End(3)),
            ("", Step::Open),
        ] {
            assert_eq!(fed(&[text.as_bytes()]), step, "{text}");
        }
    }
}
