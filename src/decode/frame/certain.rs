//! Places where a unit begins whatever stands before them: there a log can be cut for several readers
//! without reading it from its start.
//!
//! Behind a line from brace to brace and before an opening brace nothing can go on: in JSON a comma
//! would have to stand there, and a line of a container begins otherwise. So whatever holds that
//! line ends there, or falls apart. It must never tell of a place that [`super::cut()`] would not come
//! to.

use super::pieces::DOCKER;

/// Returns the first place in `text` where a unit certainly begins; `text` may begin anywhere in a
/// log.
///
/// The line before it must begin in `text`, too, so the first line of `text` tells nothing.
pub fn certain_start(text: &[u8]) -> Option<usize> {
    let mut ends = memchr::memchr_iter(b'\n', text);
    let mut start = ends.next()?.checked_add(1)?;
    for end in ends {
        let line = text.get(start..end)?;
        start = end.checked_add(1)?;
        let next = text.get(start..)?;
        // As much as tells that it is no line of docker must be there.
        if next.len() < DOCKER.len() {
            return None;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_closed = line.starts_with(b"{") && line.ends_with(b"}");
        if is_closed && next.starts_with(b"{") && !next.starts_with(DOCKER) {
            return Some(start);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Cut, Rule, cut, units};
    use super::*;

    fn units_of(text: &[u8], line_bytes_max: usize) -> Vec<(std::ops::Range<usize>, bool)> {
        let rule = Rule { line_bytes_max, mid_line: false, is_finished: true };
        let Cut { whole, frames, .. } = cut(text, rule);
        let units = units(&text[..whole], &frames);
        units.map(|unit| (unit.range, unit.is_frame)).collect()
    }

    #[test]
    fn a_log_is_cut_between_lines_from_brace_to_brace() {
        for (text, place) in [
            ("{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n", Some(16)),
            ("1}\r\n{\"b\":2}\r\n{\"c\":3}\r\n", Some(13)),
            ("x\n{\"b\":2}\n  {\"c\":3}\n", None),
            ("x\n{\"b\":2}\n,{\"c\":3}\n", None),
            ("x\n{\"b\":2}\n{\"log\":\"x\"}\n", None),
            ("x\n{\"b\":2}\n{\"lo", None),
            ("x\n2024-05-14T09:12:03Z {s}\n{\"b\": 2\n}\n", None),
            ("{\"b\":2}\n", None),
            ("", None),
        ] {
            assert_eq!(certain_start(text.as_bytes()), place, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_units_are_those_of_the_whole_on_both_sides_of_the_place(
            parts in prop::collection::vec(
                prop::sample::select(&[
                    "{", "}", "[", "]", ",", ":", "\"a\"", "1", "\n", "\n", "\0", " ", "\r\n", "}\n{", "}\n{\"a\":1",
                    "{}\n", "{}\n{}\n", "{\"a\":1}\n{\"b\":2}\n", "{\"a\":{}\n{\"b\":1}\n", "{\"log\":\"{\",\"stream\":\"x\",\"time\":\"\"}\n",
                    "{\"log\":\"1}\\n\",\"stream\":\"x\",\"time\":\"\"}\n", "2024-05-14T09:12:03Z s\n{\n", "2024-05-14T09:12:03Z {s}\n",
                    "2024-05-14T09:12:00Z stdout P {\n", "2024-05-14T09:12:00Z stdout F }\n", "INFO got {\n", "\u{feff}{",
                ][..]),
                0..40,
            ),
            from in any::<prop::sample::Index>(),
            line_bytes_max in prop::sample::select(&[4_usize, 12, 40, 1 << 20][..]),
        ) {
            let text = parts.concat();
            let text = text.as_bytes();
            let from = from.index(text.len() + 1);
            if let Some(place) = certain_start(&text[from..]) {
                let place = from + place;
                let mut both = units_of(&text[..place], line_bytes_max);
                both.extend(units_of(&text[place..], line_bytes_max).into_iter().map(
                    |(range, is_frame)| (range.start + place..range.end + place, is_frame),
                ));
                prop_assert_eq!(both, units_of(text, line_bytes_max), "{}", place);
            }
        }
    }
}
