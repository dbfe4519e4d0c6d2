//! Fuzzes the decoder with what [`agree`] asks. README.md says how to run it.
#![no_main]

mod agree;

libfuzzer_sys::fuzz_target!(|data: &[u8]| agree::agree(data));
