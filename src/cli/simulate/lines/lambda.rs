//! What Lambda writes of a run, each line with its time in front, as S3 exports have it: a report alone
//! does not say when it was.

use super::{Note, push_instant, push_ms, push_number, push_uuid};
use crate::cli::simulate::world::{Run, Workload};
use crate::model::time::UnixMillis;

/// Hands out the lines of a run, each with when it is written and what it counts.
pub(super) fn each_line(
    text: &mut String,
    workload: &Workload,
    run: &Run,
    mut each: impl FnMut(UnixMillis, Note, &mut String),
) {
    let init_ms = i64::try_from(run.init_us.unwrap_or(0) / 1_000).unwrap_or(0);
    if run.init_us.is_some() {
        push_instant(text, run.from);
        text.push_str(
            " INIT_START Runtime Version: python:3.12.v18\tRuntime Version ARN: arn:aws:lambda:",
        );
        text.push_str(workload.place.region);
        text.push_str("::runtime:0000\n");
        each(run.from, Note::Nothing, text);
    }
    let start = run.from.plus(init_ms + 2);
    push_instant(text, start);
    text.push_str(" START RequestId: ");
    push_uuid(text, run.request_id);
    text.push_str(" Version: $LATEST\n");
    each(start, Note::Nothing, text);

    let end = start.plus(i64::try_from(run.duration_us / 1_000).unwrap_or(0));
    if run.timed_out {
        // This message brings its own time.
        push_instant(text, end);
        text.push(' ');
        push_uuid(text, run.request_id);
        text.push_str(" Task timed out after ");
        push_number(text, run.duration_us / 1_000_000);
        text.push_str(".00 seconds\n");
        each(end, Note::Nothing, text);
    }
    push_instant(text, end);
    text.push_str(" END RequestId: ");
    push_uuid(text, run.request_id);
    text.push('\n');
    each(end, Note::Nothing, text);

    push_instant(text, end);
    push_report(text, workload, run);
    each(end, Note::Run { is_cold: run.init_us.is_some(), timed_out: run.timed_out }, text);
}

fn push_report(text: &mut String, workload: &Workload, run: &Run) {
    text.push_str(" REPORT RequestId: ");
    push_uuid(text, run.request_id);
    text.push_str("\tDuration: ");
    push_ms(text, run.duration_us);
    // What a start takes is billed since 2025.
    text.push_str(" ms\tBilled Duration: ");
    push_number(text, (run.duration_us + run.init_us.unwrap_or(0)).div_ceil(1_000));
    text.push_str(" ms\tMemory Size: ");
    push_number(text, workload.memory_mb);
    text.push_str(" MB\tMax Memory Used: ");
    push_number(text, run.memory_used_mb);
    text.push_str(" MB");
    if let Some(init_us) = run.init_us {
        text.push_str("\tInit Duration: ");
        push_ms(text, init_us);
        text.push_str(" ms");
    }
    if run.timed_out {
        text.push_str("\tStatus: timeout");
    }
    text.push_str("\t\n");
}
