//! Decoding speed on one thread, without reading or rating: `cargo bench --bench decode`.
//!
//! Four sets of lines, always the same ones, from memory: application lines of 290 bytes, Bedrock
//! records of 1.2 KB (Converse and Anthropic messages in turn), Bedrock records with bodies of 6.6 KB
//! at the median and 150 KB at most, and streams of Anthropic events. Prints the best of several
//! rounds for the fast decoder, one round of the plain one, and what `serde_json` takes to check the
//! lines and read nothing. With the name of a set, only the fast one is run on it, for a profiler.
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

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use tollkeeper::decode::Decoder;

/// Bytes of each set: beyond the second cache, and a round is over in some milliseconds, so that the
/// best of many is free of whatever else the machine does.
const SET_BYTES: usize = 8 << 20;
const ROUNDS: usize = 100;

/// splitmix64, so that every run has the same lines.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        let (c, d) = (b >> 48, b & 0xffff_ffff_ffff);
        format!(
            "{:08x}-{:04x}-4{:03x}-a{c:03x}-{d:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            c = c & 0xfff
        )
    }

    /// Prose with the escapes and the characters that answers have.
    fn prose(&mut self, bytes: usize) -> String {
        const WORDS: &[&str] = &[
            "the",
            "invoice",
            "of",
            "a",
            "customer",
            "was",
            "settled",
            "before",
            "it",
            "fell",
            "due",
            "and",
            "nobody",
            "noticed",
            "caf\u{e9}",
            "report,",
            "which",
            "shows",
        ];
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            text += WORDS[usize::try_from(self.below(WORDS.len() as u64)).unwrap()];
            text += match self.below(60) {
                0..3 => ".\\n",
                3 => " \\\"so called\\\" ",
                _ => " ",
            };
        }
        text
    }
}

fn instant(at: usize) -> String {
    format!("2026-09-02T14:{:02}:{:02}", at / 6000 % 60, at / 100 % 60)
}

fn application(random: &mut Random, at: usize) -> String {
    let (input, output) = (random.below(9000), random.below(900));
    format!(
        r#"{{"timestamp":"{}.{:03}Z","level":"INFO","message":"Model invocation successful","model_id":"anthropic.claude-3-5-sonnet-20240620-v1:0","usage":{{"input_tokens":{input},"output_tokens":{output},"total_tokens":{}}},"billing_estimate_usd":0.{:04},"request_id":"req-{}"}}"#,
        instant(at),
        at % 1000,
        input + output,
        random.below(10_000),
        random.uuid(),
    )
}

fn record(random: &mut Random, at: usize, prompt: usize, answer: usize) -> String {
    let (input, output) = (random.below(9000), random.below(900));
    let (prompt, answer) = (random.prose(prompt), random.prose(answer));
    let mut line = format!(
        r#"{{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"{}Z","accountId":"111122223333","identity":{{"arn":"arn:aws:sts::111122223333:assumed-role/chat-backend/i-0aa11bb22cc33dd44"}},"region":"us-east-1","requestId":"{}","#,
        instant(at),
        random.uuid(),
    );
    if at.is_multiple_of(2) {
        write!(line, r#""operation":"Converse","modelId":"us.anthropic.claude-sonnet-4-5-20250929-v1:0","input":{{"inputContentType":"application/json","inputBodyJson":{{"messages":[{{"role":"user","content":[{{"text":"{prompt}"}}]}}],"inferenceConfig":{{"maxTokens":4096,"temperature":0.3}}}},"inputTokenCount":{input},"cacheReadInputTokenCount":0,"cacheWriteInputTokenCount":0}},"output":{{"outputContentType":"application/json","outputBodyJson":{{"output":{{"message":{{"role":"assistant","content":[{{"text":"{answer}"}}]}}}},"stopReason":"end_turn","metrics":{{"latencyMs":1134}},"usage":{{"inputTokens":{input},"outputTokens":{output},"totalTokens":{}}}}},"outputTokenCount":{output}}}}}"#, input + output)
    } else {
        write!(line, r#""operation":"InvokeModel","modelId":"anthropic.claude-3-haiku-20240307-v1:0","input":{{"inputContentType":"application/json","inputBodyJson":{{"anthropic_version":"bedrock-2023-05-31","max_tokens":512,"messages":[{{"role":"user","content":[{{"type":"text","text":"{prompt}"}}]}}]}},"inputTokenCount":{input}}},"output":{{"outputContentType":"application/json","outputBodyJson":{{"id":"msg_bdrk_01","type":"message","role":"assistant","model":"claude-3-haiku-20240307","content":[{{"type":"text","text":"{answer}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":{input},"output_tokens":{output}}}}},"outputTokenCount":{output}}}}}"#)
    }
    .unwrap();
    line
}

/// Bytes of the body of a long record: 6 KB at the median, a tail up to 148 KB.
fn body_bytes(random: &mut Random) -> usize {
    let doublings = random.below(100);
    let base = match doublings {
        0..50 => 1000 + random.below(4700),
        50..80 => 5700 + random.below(9000),
        80..95 => 14_000 + random.below(26_000),
        _ => 40_000 + random.below(108_000),
    };
    usize::try_from(base).unwrap()
}

fn events(random: &mut Random, at: usize) -> String {
    let mut chunks = String::new();
    for _ in 0..40 {
        let words = random.prose(12);
        write!(chunks, r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{words}"}}}},"#).unwrap();
    }
    format!(
        r#"{{"timestamp":"{}Z","accountId":"111122223333","identity":{{"arn":"arn:aws:sts::111122223333:assumed-role/chat-backend/i-0aa11bb22cc33dd44"}},"region":"us-east-1","requestId":"{}","operation":"InvokeModelWithResponseStream","modelId":"anthropic.claude-3-sonnet-20240229-v1:0","input":{{"inputContentType":"application/json","inputBodyJson":{{"max_tokens":1024,"messages":[{{"role":"user","content":"hi"}}]}},"inputTokenCount":812}},"output":{{"outputContentType":"application/json","outputBodyJson":[{{"type":"message_start","message":{{"id":"msg","content":[],"usage":{{"input_tokens":812,"output_tokens":1}}}}}},{chunks}{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{{"output_tokens":97}}}},{{"type":"message_stop","amazon-bedrock-invocationMetrics":{{"inputTokenCount":812,"outputTokenCount":97,"invocationLatency":2210,"firstByteLatency":402}}}}],"outputTokenCount":97}},"schemaType":"ModelInvocationLog","schemaVersion":"1.0"}}"#,
        instant(at),
        random.uuid(),
    )
}

fn set(mut line: impl FnMut(&mut Random, usize) -> String) -> Vec<String> {
    let mut random = Random(7);
    let mut lines = Vec::new();
    let mut bytes = 0;
    while bytes < SET_BYTES {
        let next = line(&mut random, lines.len());
        bytes += next.len() + 1;
        lines.push(next);
    }
    lines
}

#[expect(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "a speed is shown")]
fn report(name: &str, lines: &[String], only_fast: bool) {
    let whole = lines.join("\n");
    let lines: Vec<&[u8]> = whole.split('\n').map(str::as_bytes).collect();
    let mut decoders = [Decoder::new(&[]), Decoder::plain(&[])];
    let mut round = |plain: bool| {
        let decoder = &mut decoders[usize::from(plain)];
        let start = Instant::now();
        let mut tokens = 0;
        for line in &lines {
            let call = decoder.decode(line);
            tokens += black_box(call).unwrap().tokens.total();
        }
        black_box(tokens);
        start.elapsed().as_secs_f64()
    };
    let best = (0..ROUNDS).map(|_| round(false)).fold(f64::INFINITY, f64::min);
    let (plain, ignored) = if only_fast {
        (best, best)
    } else {
        let ignored = (0..ROUNDS / 2).map(|_| ignore(&lines)).fold(f64::INFINITY, f64::min);
        (round(true), ignored)
    };
    let (bytes, count) = (whole.len() as f64, lines.len() as f64);
    writeln!(
        std::io::stdout(),
        "{name:12} {:7.0} bytes a line   fast {:5.2} GB/s {:7.0} ns a line   plain {:5.2} GB/s   serde_json ignoring all {:5.2} GB/s",
        bytes / count,
        bytes / best / 1e9,
        best / count * 1e9,
        bytes / plain / 1e9,
        bytes / ignored / 1e9,
    )
    .unwrap();
}

/// Seconds that `serde_json` takes to check the lines and nothing else, as a measure of the machine.
fn ignore(lines: &[&[u8]]) -> f64 {
    let start = Instant::now();
    for line in lines {
        black_box(serde_json::from_slice::<serde::de::IgnoredAny>(line)).unwrap();
    }
    start.elapsed().as_secs_f64()
}

fn main() {
    let wanted = std::env::args().nth(1).filter(|name| !name.starts_with('-'));
    let run = |name: &str, line: &mut dyn FnMut(&mut Random, usize) -> String| {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            report(name, &set(line), wanted.is_some());
        }
    };
    run("application", &mut application);
    run("records", &mut |random, at| record(random, at, 200, 140));
    run("bodies", &mut |random, at| {
        let bytes = body_bytes(random);
        record(random, at, bytes * 3 / 4, bytes / 4)
    });
    run("events", &mut events);
}
