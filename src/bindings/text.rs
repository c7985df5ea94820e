//! Answers of the store as the JSON documents of `ts/core.ts`.

use js_sys::Array;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use wasm_bindgen::JsValue;

use super::error::CoreError;
use crate::json::ObjectWriter;
use crate::store::{
    Foreign, Ingested, Outcome, Progress, ProjectionReport, Pulled, PushBody, RebaseStep, Receipt, Settled, Settlements,
};

/// `CoreProgress`.
pub(super) fn progress(progress: &Progress) -> Result<String, CoreError> {
    #[derive(Serialize)]
    struct Document<'a> {
        position: u64,
        foreign: ForeignText<'a>,
        outcomes: Vec<OutcomeText<'a>>,
        confirmed: u64,
        pending: u64,
        settled: SettledText<'a>,
        rebased: bool,
        merges: u64,
    }
    json(&Document {
        position: progress.position.0,
        foreign: ForeignText(&progress.foreign),
        outcomes: progress.outcomes.iter().map(OutcomeText).collect(),
        confirmed: progress.confirmed.0,
        pending: progress.pending,
        settled: SettledText(&progress.settled),
        rebased: progress.rebased,
        merges: progress.merges,
    })
}

/// `CoreIngested`.
pub(super) fn ingested(ingested: &Ingested) -> Result<String, CoreError> {
    let counts = &ingested.counts;
    let refused: Vec<_> = ingested
        .refused
        .iter()
        .map(|(number, outcome)| (number, OutcomeText(outcome)))
        .collect();
    Ok(format!(
        r#"{{"progress":{},"commits":{},"events":{},"knownCommits":{},"knownEvents":{},"position":{},"refused":{},"next":{}}}"#,
        progress(&ingested.progress)?,
        counts.commits,
        counts.events,
        counts.known_commits,
        counts.known_events,
        counts.position.0,
        json(&refused)?,
        ingested.next,
    ))
}

/// `CoreOutcome` of a commit found by its id, or null.
pub(super) fn found(outcome: Option<&Outcome>) -> Result<String, CoreError> {
    let text = json(&outcome.map(OutcomeText))?;
    Ok(match outcome {
        Some(Outcome::Duplicate(receipt)) if receipt.pending => text.replacen("duplicate", "pending", 1),
        _ => text,
    })
}

/// Any answer as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<String, CoreError> {
    serde_json::to_string(value).map_err(|_| CoreError::argument(&"an answer is not JSON"))
}

struct ForeignText<'a>(&'a Foreign);

impl Serialize for ForeignText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Foreign::Streams(streams) => serializer.collect_seq(streams),
            Foreign::All => serializer.serialize_str("all"),
        }
    }
}

struct SettledText<'a>(&'a Settlements);

impl Serialize for SettledText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct One<'a> {
            commit_id: &'a str,
            status: &'static str,
            attempt: u64,
        }
        match self.0 {
            Settlements::Commits(commits) => serializer.collect_seq(commits.iter().map(|(id, settled, attempt)| One {
                commit_id: id,
                status: match settled {
                    Settled::Confirmed => "confirmed",
                    Settled::Changed => "changed",
                    Settled::Refused => "refused",
                },
                attempt: *attempt,
            })),
            Settlements::All => serializer.serialize_str("all"),
        }
    }
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
    object.raw("resumable", if report.resumable { "true" } else { "false" });
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
pub(super) fn pulled(pulled: &Pulled) -> Result<String, CoreError> {
    Ok(format!(
        r#"{{"progress":{},"pending":{},"rebase":{},"more":{},"stopped":{},"refused":{}}}"#,
        progress(&pulled.progress)?,
        pulled.progress.pending,
        pulled.rebase,
        pulled.more,
        pulled.stopped,
        json(&pulled.refused)?,
    ))
}

/// `CoreDecide`, or that the walk is done.
pub(super) fn rebase_step(step: RebaseStep) -> Result<String, CoreError> {
    let done = match step {
        RebaseStep::Decide(decide) => return Ok(decide.into_json()),
        RebaseStep::Done(done) => done,
    };
    let reasons = |list: &[(String, String)], name: &str| {
        let mut out = String::from("[");
        for (id, reason) in list {
            if out.len() > 1 {
                out.push(',');
            }
            let mut object = ObjectWriter::new(&mut out);
            object.text("commitId", id);
            object.raw(name, reason);
            object.end();
        }
        out.push(']');
        out
    };
    Ok(format!(
        r#"{{"done":{{"progress":{},"changed":{},"refused":{},"violated":{},"blocked":{}}}}}"#,
        progress(&done.progress)?,
        json(&done.changed)?,
        json(&done.refused)?,
        reasons(&done.violated, "reason"),
        reasons(&done.blocked, "error"),
    ))
}

struct OutcomeText<'a>(&'a Outcome);

impl Serialize for OutcomeText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Outcome::Appended(receipt) => put_receipt(&mut map, "appended", receipt)?,
            Outcome::Duplicate(receipt) => put_receipt(&mut map, "duplicate", receipt)?,
            Outcome::Conflict(conflict) => {
                map.serialize_entry("status", "conflict")?;
                map.serialize_entry("streamId", &conflict.stream)?;
                map.serialize_entry("expected", &conflict.expected)?;
                map.serialize_entry("actual", &conflict.actual)?;
            }
            Outcome::Stale { stream } => {
                map.serialize_entry("status", "stale")?;
                map.serialize_entry("streamId", stream)?;
            }
            Outcome::Refused => {
                map.serialize_entry("status", "failed")?;
                map.serialize_entry("error", &CoreError::refused())?;
            }
            Outcome::Reused => {
                map.serialize_entry("status", "failed")?;
                map.serialize_entry("error", &CoreError::reused())?;
            }
            Outcome::Invalid(error) => {
                map.serialize_entry("status", "failed")?;
                map.serialize_entry("error", &CoreError::from(error))?;
            }
        }
        map.end()
    }
}

fn put_receipt<M: SerializeMap>(map: &mut M, status: &str, receipt: &Receipt) -> Result<(), M::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Written<'a> {
        stream_id: &'a str,
        first_version: u64,
        last_version: u64,
    }
    let streams: Vec<_> = receipt
        .streams
        .iter()
        .map(|(stream, first, last)| Written {
            stream_id: stream,
            first_version: first.0,
            last_version: last.0,
        })
        .collect();
    map.serialize_entry("status", status)?;
    map.serialize_entry("commitId", &receipt.commit_id)?;
    map.serialize_entry("attempt", &receipt.attempt)?;
    map.serialize_entry("position", &receipt.position)?;
    map.serialize_entry("streams", &streams)
}
