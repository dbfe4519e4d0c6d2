//! Fuzzes what the harness asks under this name; README.md says how to run it.
#![no_main]

mod harness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::ask("query", data));
