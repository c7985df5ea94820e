//! Answers of the store as the JSON documents of `ts/core.ts`.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::error::CoreError;
use crate::store::{Foreign, Ingested, Outcome, Progress, Receipt};

/// `CoreProgress`.
pub(super) fn progress(progress: &Progress) -> Result<String, CoreError> {
    #[derive(Serialize)]
    struct Document<'a> {
        position: u64,
        foreign: ForeignText<'a>,
        outcomes: Vec<OutcomeText<'a>>,
    }
    json(&Document {
        position: progress.position.0,
        foreign: ForeignText(&progress.foreign),
        outcomes: progress.outcomes.iter().map(OutcomeText).collect(),
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
    json(&outcome.map(OutcomeText))
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
