//! Every seed, which is also where findings are kept, through the function that is fuzzed. So
//! `cargo test` needs no fuzzer to see a finding come back, and sees when that function is broken.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says where"
)]

mod agree;

use std::fs;
use std::path::Path;

#[test]
fn every_seed_of_the_fuzzer_holds() {
    let mut paths = Vec::new();
    // One small log of each shape is as good a place to start from.
    for folder in ["tests/fuzz/seeds/decode", "tests/golden/logs"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let before = paths.len();
        paths.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        assert!(paths.len() > before);
    }
    paths.sort();
    for path in paths {
        let data = fs::read(&path).unwrap();
        // The name of a finding is the hash of its bytes: said before it fails.
        println!("{}", path.display());
        agree::agree(&data);
        // Each line also alone, where no line before it has taught the fast walk anything.
        data.split(|&byte| byte == b'\n').for_each(agree::agree);
    }
}
