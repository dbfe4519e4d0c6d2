//! The bytes of a log that a batch covers, and the rule by which a stored position moves.

/// Bytes `from..to` of one generation of one log, counted in its uncompressed content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub from: u64,
    /// The byte after the last one; always the start of a line or the end of the file.
    pub to: u64,
}

/// Why a span can't be added to a stored position.
///
/// A file is read in order, so each of these is a bug of the reader and not a condition of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// The span ends before it begins.
    #[error("the span ends at {to} before it begins at {from}")]
    Reversed {
        /// Begin of the span.
        from: u64,
        /// End of the span.
        to: u64,
    },
    /// Some of the span was counted already.
    #[error("the span begins at {from} but everything up to {stored} is counted already")]
    Overlap {
        /// The stored position.
        stored: u64,
        /// Begin of the span.
        from: u64,
    },
    /// Bytes between the stored position and the span were never read.
    #[error("the span begins at {from} but the log is only counted up to {stored}")]
    Gap {
        /// The stored position.
        stored: u64,
        /// Begin of the span.
        from: u64,
    },
}

impl Span {
    /// Returns the position after this span, if the span continues `stored`.
    pub fn advance(self, stored: u64) -> Result<u64, SpanError> {
        let Self { from, to } = self;
        if to < from {
            return Err(SpanError::Reversed { from, to });
        }
        match from.cmp(&stored) {
            std::cmp::Ordering::Less => Err(SpanError::Overlap { stored, from }),
            std::cmp::Ordering::Greater => Err(SpanError::Gap { stored, from }),
            std::cmp::Ordering::Equal => Ok(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_moves_the_position_only_if_it_continues_it() {
        let span = |from, to| Span { from, to };
        for (stored, span, result) in [
            (10, span(0, 10), Err(SpanError::Overlap { stored: 10, from: 0 })),
            (10, span(10, 10), Ok(10)),
            (10, span(10, 25), Ok(25)),
            (10, span(11, 25), Err(SpanError::Gap { stored: 10, from: 11 })),
            (10, span(10, 9), Err(SpanError::Reversed { from: 10, to: 9 })),
        ] {
            assert_eq!(span.advance(stored), result, "{stored} {span:?}");
        }
    }
}
