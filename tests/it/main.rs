//! Behaviour of the real binary, seen from outside.
