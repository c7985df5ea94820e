//! Deciding what an append writes.
//!
//! Values in, values out: heads and known commits go in, the record's commits and one outcome for
//! each come out. Nothing here waits or stores, so every store gives the same answer.
//!
//! Invariants: versions in a stream are dense, starting at 1. One commit that is not appended does
//! not disturb its neighbours, but for those that were decided on it.

use std::collections::{HashMap, HashSet};

use crate::commit::{MAX_COMMIT_BYTES, MAX_COMMIT_EVENTS, NewCommit};
use crate::log::commit::{digest, put_commit};
use crate::position::Position;
use crate::stream::{Conflict, ExpectedVersion, InvalidId, Version, check_id};

/// A commit that the log holds already, as far as a repetition of its id needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub commit_id: String,
    /// How often it was decided.
    pub attempt: u64,
    /// Position of its first event.
    pub position: Position,
    /// What it wrote: stream, first and last version.
    pub streams: Vec<(String, Version, Version)>,
    /// Whether the server has not taken it yet.
    pub pending: bool,
    /// What identifies its content.
    pub(crate) digest: Vec<u8>,
}

impl Receipt {
    /// Position of its last event.
    pub(crate) fn last_position(&self) -> Position {
        let events = self.streams.iter().map(|(_, first, last)| last.0 + 1 - first.0);
        Position((self.position.0 + events.sum::<u64>()).saturating_sub(1))
    }

    /// Whether the commit was made of this content.
    pub fn has_content(&self, content: &str) -> bool {
        self.digest == digest(content)
    }
}

/// What became of one commit of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log now.
    Appended(Receipt),
    /// It was there before, with the same content.
    Duplicate(Receipt),
    /// An expectation was not met.
    Conflict(Conflict),
    /// It was decided on a commit of the same group that was not appended. Decide again.
    Stale {
        /// The stream that both touch.
        stream: String,
    },
    /// Its id was used before, with other content.
    Reused,
    /// It was pending, and is among the refusals now.
    Refused,
    /// It may not be stored.
    Invalid(InvalidCommit),
}

/// Why a commit may not be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCommit {
    /// An id is not one.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// It has no events.
    #[error("a commit has no events")]
    Empty,
    /// It names one stream twice.
    #[error("a commit names stream {0} twice")]
    StreamTwice(String),
    /// An event has no type.
    #[error("an event of stream {0} has no type")]
    NoType(String),
    /// It has too many events.
    #[error("a commit has {0} events, at most {MAX_COMMIT_EVENTS} are allowed")]
    TooManyEvents(usize),
    /// It is too large.
    #[error("a commit has {0} bytes encoded, at most {MAX_COMMIT_BYTES} are allowed")]
    TooLarge(usize),
}

/// What to write, and what to tell whom.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The encoded commits of the record to append; none when there is nothing to write.
    pub(crate) commits: Vec<Vec<u8>>,
    /// Position of the last event once they are written.
    pub(crate) end: Position,
    /// One for each commit of the group.
    pub(crate) outcomes: Vec<Outcome>,
}

impl Plan {
    /// What is appended is pending, or not.
    pub(crate) fn all_pending(&mut self, pending: bool) {
        for outcome in &mut self.outcomes {
            if let Outcome::Appended(receipt) = outcome {
                receipt.pending = pending;
            }
        }
    }
}

/// Plans a group of commits on a log whose last event is at `position`. `heads` holds the version
/// of every stream that the group reads or writes (0 when missing), `known` every commit of the log
/// whose id the group uses, `refused` those of the ids that were refused. If a merge came after the group was decided
/// (`merged`), a version that fits may be that of another event.
#[inline(never)] // two functions are compiled faster than one
pub(crate) fn plan(
    group: &[NewCommit<'_>],
    position: Position,
    mut heads: HashMap<String, Version>,
    mut known: HashMap<String, Receipt>,
    refused: &HashSet<String>,
    merged: bool,
    replica: &str,
) -> Plan {
    let mut plan = Plan::default();
    let mut next = position.0 + 1;
    let mut failed = HashSet::new();
    for commit in group {
        let outcome = match judge(commit, &heads, &known, refused, merged, &failed) {
            Ok(before) => {
                let mut bytes = Vec::with_capacity(256);
                put_commit(&mut bytes, commit, &before, replica);
                if bytes.len() > MAX_COMMIT_BYTES {
                    Outcome::Invalid(InvalidCommit::TooLarge(bytes.len()))
                } else {
                    plan.commits.push(bytes);
                    let receipt = receipt(commit, Position(next), &before);
                    for (stream, _, last) in &receipt.streams {
                        heads.insert(stream.clone(), *last);
                    }
                    next += commit
                        .streams
                        .iter()
                        .map(|stream| stream.events.len() as u64)
                        .sum::<u64>();
                    known.insert(receipt.commit_id.clone(), receipt.clone());
                    Outcome::Appended(receipt)
                }
            }
            Err(outcome) => outcome,
        };
        if !matches!(outcome, Outcome::Appended(_) | Outcome::Duplicate(_)) {
            failed.extend(commit.streams.iter().map(|stream| stream.stream_id.to_string()));
        }
        plan.outcomes.push(outcome);
    }
    plan.end = Position(next - 1);
    plan
}

/// The versions that the commit's streams are at, or why it is not appended.
fn judge(
    commit: &NewCommit<'_>,
    heads: &HashMap<String, Version>,
    known: &HashMap<String, Receipt>,
    refused: &HashSet<String>,
    merged: bool,
    failed: &HashSet<String>,
) -> Result<Vec<Version>, Outcome> {
    check(commit).map_err(Outcome::Invalid)?;
    if let Some(receipt) = known.get(&*commit.commit_id) {
        // An id is judged before versions: a repetition after a lost answer is no conflict.
        return Err(if receipt.has_content(&commit.content) {
            Outcome::Duplicate(receipt.clone())
        } else {
            Outcome::Reused
        });
    }
    if refused.contains(&*commit.commit_id) {
        return Err(Outcome::Refused);
    }
    let head = |stream: &str| heads.get(stream).copied().unwrap_or_default();
    let reads = commit
        .reads
        .iter()
        .map(|read| (&*read.stream_id, ExpectedVersion::Exact(read.version)));
    let writes = commit
        .streams
        .iter()
        .map(|stream| (&*stream.stream_id, stream.expected_version));
    for (stream, expected) in reads.chain(writes) {
        if matches!(expected, ExpectedVersion::Any) {
            continue;
        }
        if merged || failed.contains(stream) {
            return Err(Outcome::Stale {
                stream: stream.to_owned(),
            });
        }
        let actual = head(stream);
        if !expected.holds(actual) {
            return Err(Outcome::Conflict(Conflict {
                stream: stream.to_owned(),
                expected,
                actual,
            }));
        }
    }
    Ok(commit.streams.iter().map(|stream| head(&stream.stream_id)).collect())
}

fn check(commit: &NewCommit<'_>) -> Result<(), InvalidCommit> {
    check_id(&commit.commit_id)?;
    let events: usize = commit.streams.iter().map(|stream| stream.events.len()).sum();
    if events == 0 {
        return Err(InvalidCommit::Empty);
    }
    if events > MAX_COMMIT_EVENTS {
        return Err(InvalidCommit::TooManyEvents(events));
    }
    let mut names = HashSet::new();
    for stream in &commit.streams {
        check_id(&stream.stream_id)?;
        if !names.insert(&*stream.stream_id) {
            return Err(InvalidCommit::StreamTwice(stream.stream_id.to_string()));
        }
        if stream.events.is_empty() {
            return Err(InvalidCommit::Empty);
        }
        if stream.events.iter().any(|event| event.event_type.is_empty()) {
            return Err(InvalidCommit::NoType(stream.stream_id.to_string()));
        }
    }
    Ok(())
}

fn receipt(commit: &NewCommit<'_>, position: Position, before: &[Version]) -> Receipt {
    Receipt {
        commit_id: commit.commit_id.to_string(),
        attempt: 1,
        position,
        streams: commit
            .streams
            .iter()
            .zip(before)
            .map(|(stream, before)| {
                let last = Version(before.0 + stream.events.len() as u64);
                (stream.stream_id.to_string(), before.next(), last)
            })
            .collect(),
        pending: false,
        digest: digest(&commit.content).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commits(texts: &[&str]) -> Vec<String> {
        texts
            .iter()
            .map(|text| {
                let mut words = text.split(' ');
                let (id, stream, expected) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                let expected = expected
                    .parse::<u64>()
                    .map_or(format!("\"{expected}\""), |version| version.to_string());
                format!(
                    r#"{{"commitId":"{id}","known":true,"recordedAt":1,"mode":"intent","content":"{text}",
                    "streams":[{{"streamId":"{stream}","expectedVersion":{expected},
                    "events":[{{"type":"happened","schemaVersion":1,"occurredAt":1}}]}}]}}"#
                )
            })
            .collect()
    }

    fn outcomes(texts: &[&str], heads: &[(&str, u64)]) -> Vec<&'static str> {
        let texts = commits(texts);
        let group: Vec<NewCommit<'_>> = texts.iter().map(|text| crate::json::parse(text).unwrap()).collect();
        let heads = heads
            .iter()
            .map(|(stream, version)| ((*stream).to_owned(), Version(*version)))
            .collect();

        let plan = plan(
            &group,
            Position(0),
            heads,
            HashMap::new(),
            &HashSet::new(),
            false,
            "replica",
        );

        plan.outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Appended(_) => "appended",
                Outcome::Duplicate(_) => "duplicate",
                Outcome::Conflict(_) => "conflict",
                Outcome::Stale { .. } => "stale",
                Outcome::Reused => "reused",
                Outcome::Refused => "refused",
                Outcome::Invalid(_) => "invalid",
            })
            .collect()
    }

    #[test]
    fn a_stale_version_is_refused_and_its_neighbour_is_not() {
        assert_eq!(
            outcomes(&["a one 3", "b two 1"], &[("one", 4), ("two", 1)]),
            ["conflict", "appended"]
        );
    }

    #[test]
    fn what_was_decided_on_a_failed_commit_is_stale_even_if_its_version_fits_by_chance() {
        // Another tab wrote version 6; a expected 5 and b was decided on a's outcome.
        assert_eq!(
            outcomes(&["a one 5", "b one 6", "c one any"], &[("one", 6)]),
            ["conflict", "stale", "appended"]
        );
    }

    #[test]
    fn versions_go_on_inside_a_group() {
        assert_eq!(
            outcomes(&["a one no-stream", "b one 1", "c one stream-exists"], &[]),
            ["appended"; 3]
        );
    }

    #[test]
    fn an_id_counts_once_and_is_judged_before_versions() {
        assert_eq!(outcomes(&["a one 0", "a one 0"], &[]), ["appended", "duplicate"]);
        assert_eq!(outcomes(&["a one 0", "a one 1"], &[]), ["appended", "reused"]);
    }
}
