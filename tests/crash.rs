//! The real binary and kill -9.
