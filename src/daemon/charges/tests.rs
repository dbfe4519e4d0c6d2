//! Charges over restarts.
