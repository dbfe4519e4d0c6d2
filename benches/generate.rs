//! Writes the logs that the benches read: deterministic, fast, one set at a time.
//!
//! `cargo bench --bench generate -- SET BYTES FILE` with SET one of `application` (lines of about
//! 290 bytes), `bedrock` (about 1.2 KB) and `bodies` (median 6.6 KB, up to 150 KB). Run without
//! arguments, as `cargo test` and `cargo bench` do, it writes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::explicit_write,
    clippy::duration_suboptimal_units,
    clippy::cast_possible_truncation,
    reason = "a bench may stop, and prints its report"
)]

use std::fs::File;
use std::io::{BufWriter, Write};

const USAGE: &str = "generate application|bedrock|bodies BYTES FILE";
/// 2026-06-01T00:00:00Z is the first call; one call follows the other by the second.
const SECONDS_PER_DAY: u64 = 86_400;
const MODELS: [&str; 6] = [
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "global.anthropic.claude-haiku-4-5-20251001-v1:0",
    "amazon.nova-pro-v1:0",
    "amazon.nova-micro-v1:0",
    "meta.llama3-1-8b-instruct-v1:0",
    "anthropic.claude-v2:1",
];
const ROLES: [&str; 5] =
    ["chat-backend", "log-summariser", "ticket-tagger", "search-indexer", "mobile-api"];
const REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-central-1"];
const WORDS: [&str; 16] = [
    "the",
    "deployment",
    "of",
    "host",
    "was",
    "restarted",
    "after",
    "a",
    "timeout",
    "and",
    "then",
    "\\\"quoted\\\"",
    "logs",
    "say\\n",
    "nothing",
    "else",
];
/// Median and largest length of a line of `bodies`.
const BODY_MEDIAN: f64 = 6_600.0;
const BODY_MAX: f64 = 150_000.0;
/// What a record is long without prompt and answer.
const RECORD_BYTES: usize = 760;

/// `SplitMix64` (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn choose<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let place = self.below(choices.len() as u64);
        choices[usize::try_from(place).expect("a small number")]
    }

    /// A length around a median with a long tail: log-normal, from the sum of uniform numbers.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        clippy::float_arithmetic,
        reason = "a length needs no exactness"
    )]
    fn length(&mut self) -> usize {
        let normal: f64 = (0..12).map(|_| self.below(1 << 20) as f64 / f64::from(1 << 20)).sum();
        (BODY_MEDIAN * ((normal - 6.0) * 0.9).exp()).min(BODY_MAX) as usize
    }

    fn text(&mut self, bytes: usize, into: &mut String) {
        let end = into.len() + bytes;
        while into.len() < end {
            into.push_str(self.choose(&WORDS));
            into.push(' ');
        }
    }
}

/// The time of a call as RFC 3339, within June 2026.
fn time(number: u64) -> String {
    let second = number / 20 % (30 * SECONDS_PER_DAY);
    let (day, rest) = (second / SECONDS_PER_DAY + 1, second % SECONDS_PER_DAY);
    format!("2026-06-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

fn application_line(random: &mut Random, number: u64) -> String {
    let (input, output) = (random.below(6_000) + 1, random.below(900) + 1);
    let (time, model, id) =
        (time(number), MODELS[2 + usize::from(number.is_multiple_of(2))], random.next());
    format!(
        "{{\"timestamp\":\"{time}\",\"level\":\"INFO\",\"message\":\"Model invocation successful\",\
         \"model_id\":\"{model}\",\"usage\":{{\"input_tokens\":{input},\"output_tokens\":{output},\
         \"total_tokens\":{total}}},\"billing_estimate_usd\":0.{estimate:06},\
         \"request_id\":\"req-{id:016x}\",\"thread\":\"worker-{worker}\"}}\n",
        total = input + output,
        estimate = random.below(200_000),
        worker = random.below(16),
    )
}

fn bedrock_line(random: &mut Random, number: u64, prompt: usize, answer: usize) -> String {
    use std::fmt::Write;

    let (input, output) = (random.below(60_000) + 1, random.below(4_000) + 1);
    let (model, region, role) =
        (random.choose(&MODELS), random.choose(&REGIONS), random.choose(&ROLES));
    let (time, id, latency) = (time(number), random.next(), random.below(9_000) + 200);
    let mut line = format!(
        "{{\"timestamp\":\"{time}\",\"accountId\":\"111122223333\",\"identity\":{{\"arn\":\
         \"arn:aws:sts::111122223333:assumed-role/{role}/i-{session:08x}\"}},\"region\":\"{region}\",\
         \"requestId\":\"{id:016x}-{number:08x}\",\"operation\":\"Converse\",\"modelId\":\"{model}\",",
        session = random.below(1 << 32),
    );
    if random.below(100) < 3 {
        line.push_str(
            "\"errorCode\":\"ThrottlingException\",\"input\":{\"inputContentType\":\
             \"application/json\"},\"schemaType\":\"ModelInvocationLog\",\"schemaVersion\":\"1.0\"}\n",
        );
        return line;
    }
    line.push_str(
        "\"input\":{\"inputContentType\":\"application/json\",\"inputBodyJson\":{\"messages\":\
         [{\"role\":\"user\",\"content\":[{\"text\":\"",
    );
    random.text(prompt, &mut line);
    line.push_str("\"}]}],\"inferenceConfig\":{\"maxTokens\":2048}},\"inputTokenCount\":");
    write!(
        line,
        "{input}}},\"output\":{{\"outputContentType\":\"application/json\",\"outputBodyJson\":\
         {{\"output\":{{\"message\":{{\"role\":\"assistant\",\"content\":[{{\"text\":\""
    )
    .expect("a string takes everything");
    random.text(answer, &mut line);
    writeln!(
        line,
        "\"}}]}}}},\"stopReason\":\"end_turn\",\"metrics\":{{\"latencyMs\":{latency}}},\"usage\":\
         {{\"inputTokens\":{input},\"outputTokens\":{output},\"totalTokens\":{total}}}}},\
         \"outputTokenCount\":{output}}},\"schemaType\":\"ModelInvocationLog\",\
         \"schemaVersion\":\"1.0\"}}",
        total = input + output,
    )
    .expect("a string takes everything");
    line
}

fn line(set: &str, random: &mut Random, number: u64) -> String {
    match set {
        "application" => application_line(random, number),
        "bedrock" => {
            let (prompt, answer) = (random.below(240) + 180, random.below(140) + 60);
            let [prompt, answer] = [prompt, answer].map(|n| usize::try_from(n).expect("small"));
            bedrock_line(random, number, prompt, answer)
        }
        "bodies" => {
            let bytes = random.length().saturating_sub(RECORD_BYTES);
            bedrock_line(random, number, bytes * 4 / 5, bytes / 5)
        }
        other => panic!("`{other}` is no set: {USAGE}"),
    }
}

fn main() {
    // Cargo adds `--bench` of its own.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [set, bytes, path] = arguments.as_slice() else {
        eprintln!("{USAGE}");
        return;
    };
    let bytes: u64 = bytes.parse().expect("a number of bytes");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).expect("a writable file"));
    let mut random = Random(7);
    let (mut number, mut written) = (0, 0);
    while written < bytes {
        let line = line(set, &mut random, number);
        file.write_all(line.as_bytes()).expect("space for the file");
        written += line.len() as u64;
        number += 1;
    }
    file.flush().expect("space for the file");
    eprintln!("{path}: {number} lines, {written} bytes, {} bytes a line", written / number);
}
