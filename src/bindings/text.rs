//! Answers of the store as the JSON documents of `ts/core.ts`.

use js_sys::Array;
use serde::Serialize;
use wasm_bindgen::JsValue;

use super::error::CoreError;
use crate::json::{ObjectWriter, put_number, put_text};
use crate::store::{
    Foreign, Ingested, Outcome, Progress, ProjectionReport, Pulled, PushBody, RebaseStep, Receipt, Settled, Settlements,
};
use crate::stream::ExpectedVersion;

/// `CoreProgress`.
pub(super) fn progress(progress: &Progress) -> String {
    let mut out = String::new();
    let mut object = ObjectWriter::new(&mut out);
    object.number("position", progress.position.0 as i64);
    match &progress.foreign {
        Foreign::Streams(streams) => {
            let streams: Vec<_> = streams.iter().collect();
            object.list("foreign", &streams, |stream, out| put_text(out, stream));
        }
        Foreign::All => object.text("foreign", "all"),
    }
    object.list("outcomes", &progress.outcomes, |one, out| {
        put_outcome(out, one, "duplicate");
    });
    object.number("confirmed", progress.confirmed.0 as i64);
    object.number("pending", progress.pending as i64);
    match &progress.settled {
        Settlements::Commits(commits) => object.list("settled", commits, put_settled),
        Settlements::All => object.text("settled", "all"),
    }
    object.flag("rebased", progress.rebased);
    object.number("merges", progress.merges as i64);
    object.end();
    out
}

fn put_settled((id, settled, attempt): &(String, Settled, u64), out: &mut String) {
    let mut object = ObjectWriter::new(out);
    object.text("commitId", id);
    let status = match settled {
        Settled::Confirmed => "confirmed",
        Settled::Changed => "changed",
        Settled::Refused => "refused",
    };
    object.text("status", status);
    object.number("attempt", *attempt as i64);
    object.end();
}

/// `CoreIngested`.
pub(super) fn ingested(ingested: &Ingested) -> String {
    let counts = &ingested.counts;
    let mut out = String::new();
    let mut object = ObjectWriter::new(&mut out);
    object.raw("progress", &progress(&ingested.progress));
    object.number("commits", counts.commits as i64);
    object.number("events", counts.events as i64);
    object.number("knownCommits", counts.known_commits as i64);
    object.number("knownEvents", counts.known_events as i64);
    object.number("position", counts.position.0 as i64);
    object.list("refused", &ingested.refused, |(number, outcome), out| {
        out.push('[');
        put_number(out, *number as i64);
        out.push(',');
        put_outcome(out, outcome, "duplicate");
        out.push(']');
    });
    object.number("next", ingested.next as i64);
    object.end();
    out
}

/// `CoreOutcome` of a commit found by its id.
pub(super) fn found(outcome: &Outcome) -> String {
    let mut out = String::new();
    let known = match outcome {
        Outcome::Duplicate(receipt) if receipt.pending => "pending",
        _ => "duplicate",
    };
    put_outcome(&mut out, outcome, known);
    out
}

/// Any answer as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<String, CoreError> {
    serde_json::to_string(value).map_err(|_| CoreError::argument(&"an answer is not JSON"))
}

/// `CoreProjection`.
pub(super) fn projection(report: &ProjectionReport) -> String {
    let ProjectionReport { state, stale, .. } = report;
    let mut out = String::new();
    let mut object = ObjectWriter::new(&mut out);
    object.number("generation", state.generation as i64);
    object.number("checkpoint", state.checkpoint.0 as i64);
    match state.failed_at {
        Some(position) => object.number("failedAt", position.0 as i64),
        None => object.raw("failedAt", "null"),
    }
    match &state.rebuild {
        Some(rebuild) => put_generation(
            object.field("rebuild"),
            rebuild.generation,
            "checkpoint",
            rebuild.checkpoint.0,
        ),
        None => object.raw("rebuild", "null"),
    }
    object.number("revision", state.revision as i64);
    object.number("newestVersion", report.newest_version.into());
    object.text("indexes", &report.indexes);
    object.flag("resumable", report.resumable);
    object.list("stale", stale, |old, out| {
        put_generation(out, old.generation, "version", old.version.into());
    });
    object.end();
    out
}

fn put_generation(out: &mut String, generation: u64, name: &str, value: u64) {
    let mut object = ObjectWriter::new(out);
    object.number("generation", generation as i64);
    object.number(name, value as i64);
    object.end();
}

/// `{ text, commits }`, or null.
pub(super) fn push_body(body: Option<PushBody>) -> JsValue {
    let Some(body) = body else { return JsValue::NULL };
    let answer = Array::new();
    answer.push(&body.text.into());
    answer.push(&(body.commits as f64).into());
    answer.into()
}

/// `CoreOutcome` of a commit that is among the refusals.
pub(super) fn refused(refusal: &str) -> String {
    refusal.replacen('{', r#"{"status":"refused","#, 1)
}

/// `CorePulled`.
pub(super) fn pulled(pulled: &Pulled) -> String {
    let mut out = String::new();
    let mut object = ObjectWriter::new(&mut out);
    object.raw("progress", &progress(&pulled.progress));
    object.number("pending", pulled.progress.pending as i64);
    object.flag("rebase", pulled.rebase);
    object.flag("more", pulled.more);
    object.flag("stopped", pulled.stopped);
    object.flag("moved", pulled.moved);
    object.list("refused", &pulled.refused, |id, out| put_text(out, id));
    object.end();
    out
}

/// `CoreDecide`, or that the walk is done.
pub(super) fn rebase_step(step: RebaseStep) -> String {
    let done = match step {
        RebaseStep::Decide(decide) => return decide.into_json(),
        RebaseStep::Done(done) => done,
    };
    let mut out = String::new();
    let mut object = ObjectWriter::new(&mut out);
    let mut inner = ObjectWriter::new(object.field("done"));
    inner.raw("progress", &progress(&done.progress));
    inner.list("changed", &done.changed, |id, out| put_text(out, id));
    inner.list("refused", &done.refused, |id, out| put_text(out, id));
    put_reasons(&mut inner, "violated", "reason", &done.violated);
    put_reasons(&mut inner, "blocked", "error", &done.blocked);
    inner.end();
    object.end();
    out
}

/// A list of commits, each with JSON in the field `name`.
fn put_reasons(object: &mut ObjectWriter<'_>, list: &str, name: &str, reasons: &[(String, String)]) {
    object.list(list, reasons, |(id, reason), out| {
        let mut object = ObjectWriter::new(out);
        object.text("commitId", id);
        object.raw(name, reason);
        object.end();
    });
}

/// `CoreOutcome`. `known` is the status of a commit that was there already.
fn put_outcome(out: &mut String, outcome: &Outcome, known: &str) {
    let mut object = ObjectWriter::new(out);
    match outcome {
        Outcome::Appended(receipt) => put_receipt(&mut object, "appended", receipt),
        Outcome::Duplicate(receipt) => put_receipt(&mut object, known, receipt),
        Outcome::Conflict(conflict) => {
            object.text("status", "conflict");
            object.text("streamId", &conflict.stream);
            match conflict.expected {
                ExpectedVersion::Exact(version) => object.number("expected", version.0 as i64),
                other => object.text("expected", &other.to_string()),
            }
            object.number("actual", conflict.actual.0 as i64);
        }
        Outcome::Stale { stream } => {
            object.text("status", "stale");
            object.text("streamId", stream);
        }
        Outcome::Refused => put_failed(&mut object, &CoreError::refused()),
        Outcome::Reused => put_failed(&mut object, &CoreError::reused()),
        Outcome::Invalid(error) => put_failed(&mut object, &CoreError::from(error)),
    }
    object.end();
}

fn put_failed(object: &mut ObjectWriter<'_>, error: &CoreError) {
    object.text("status", "failed");
    error.put(object.field("error"));
}

fn put_receipt(object: &mut ObjectWriter<'_>, status: &str, receipt: &Receipt) {
    object.text("status", status);
    object.text("commitId", &receipt.commit_id);
    object.number("attempt", receipt.attempt as i64);
    object.number("position", receipt.position.0 as i64);
    object.list("streams", &receipt.streams, |(stream, first, last), out| {
        let mut object = ObjectWriter::new(out);
        object.text("streamId", stream);
        object.number("firstVersion", first.0 as i64);
        object.number("lastVersion", last.0 as i64);
        object.end();
    });
}
