//! Fuzzes the decoder: on any bytes neither walk panics, and the fast one and the plain one come to
//! the same result, also after the fast one has learned from the lines before.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none decode tests/fuzz/seeds/decode`
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollkeeper::decode::{Decoder, is_blank};

fuzz_target!(|data: &[u8]| {
    let attributes = ["team".to_owned()];
    let (mut fast, mut plain) = (Decoder::new(&attributes), Decoder::plain(&attributes));
    for line in data.split(|&byte| byte == b'\n').filter(|line| !is_blank(line)) {
        assert_eq!(fast.decode(line), plain.decode(line));
        assert_eq!(items(&mut fast, line), items(&mut plain, line));
    }
});

fn items(decoder: &mut Decoder, line: &[u8]) -> Vec<String> {
    let mut items = Vec::new();
    decoder.each(line, &mut |item| items.push(format!("{item:?}")));
    items
}
