//! Tests of the whole book: the shipped content, overlays, and the texts of mistakes.
