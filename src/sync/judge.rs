//! Judging a push: what becomes of each commit, and what is to be stored.
//!
//! Pure: the push, what the log says about its ids, streams and reads, and the rules go in; verdicts and commits to
//! store come out. If the log moved meanwhile the same is asked again.
//!
//! Order matters twice. An id is judged before everything else, or a repetition whose first answer was lost would be a conflict,
//! or be refused by limits and rights that are others since. And a push ends at its first commit that does not become what its
//! device thinks, as those after it were decided on it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::chain::{digest, next_hash};
use super::commit::{WireCommit, WireStream};
use super::cursor::Head;
use super::limits::Limits;
use super::message::{PushRequest, PushResult};
use super::problem::{Problem, ProblemKind};
use super::rules::{Rules, Streams};
use super::space_log::{KnownCommit, StoredCommit};
use crate::commit::Mode;
use crate::json::RawJson;
use crate::plant::{Plant, is_planted};
use crate::stream::Version;

/// What a push is judged on: how the log is before it.
#[derive(Debug)]
pub(super) struct Ground<'g> {
    /// The end of the log.
    pub(super) head: Head,
    /// Those of the push's ids that the log holds.
    pub(super) known: HashMap<&'g str, KnownCommit>,
    /// The versions of the streams that the push writes and reads.
    pub(super) versions: HashMap<&'g str, Version>,
    /// The events that the rules need.
    pub(super) streams: Streams<'g>,
}

/// Who pushes, and by what rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'b, R> {
    pub(super) actor: &'b str,
    pub(super) now: i64,
    pub(super) rules: &'b R,
    pub(super) limits: &'b Limits,
}

/// What becomes of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted {
        number: u64,
    },
    Duplicate(KnownCommit),
    Conflict {
        stream_id: String,
        expected: Version,
        actual: Version,
    },
    Refused(Box<Problem>),
    NotAttempted {
        /// Index of the commit that ended the push.
        because: usize,
    },
}

/// What becomes of a push.
#[derive(Debug)]
pub(super) struct Judgement {
    /// One for each commit.
    pub(super) verdicts: Vec<Verdict>,
    /// What is to be stored.
    pub(super) stored: Vec<StoredCommit>,
    /// The short form of each of them.
    pub(super) receipts: Vec<String>,
    /// The end of the log once that is stored.
    pub(super) head: Head,
}

/// Judges the commits of a push in their order.
pub(super) fn judge<'g, R: Rules>(request: &'g PushRequest<'g>, ground: Ground<'g>, by: By<'_, R>) -> Judgement {
    let mut judge = Judge {
        adopts: request.adopt.is_some(),
        by,
        judgement: Judgement {
            verdicts: Vec::with_capacity(request.commits.len()),
            stored: Vec::new(),
            receipts: Vec::new(),
            head: ground.head,
        },
        ground,
    };
    let mut ended = None;
    for (index, commit) in request.commits.iter().enumerate() {
        let verdict = match ended {
            Some(because) => Verdict::NotAttempted { because },
            None => judge.commit(commit),
        };
        if ended.is_none() && verdict.ends(commit) {
            ended = Some(index);
        }
        judge.judgement.verdicts.push(verdict);
    }
    judge.judgement
}

struct Judge<'g, 'b, R> {
    adopts: bool,
    by: By<'b, R>,
    judgement: Judgement,
    ground: Ground<'g>,
}

impl<'g, R: Rules> Judge<'g, '_, R> {
    fn commit(&mut self, commit: &'g WireCommit<'g>) -> Verdict {
        let digest = digest(commit);
        if is_planted(Plant::VersionsBeforeIds)
            && commit.mode == Mode::Intent
            && let Some(conflict) = self.conflict(commit)
        {
            return conflict;
        }
        let known = self.ground.known.get(&*commit.id);
        if let Some(known) = known.filter(|_| !is_planted(Plant::IdsForgotten)) {
            if known.attempt == commit.attempt && known.digest != digest {
                let detail = format!(
                    "commit {} says something else, it is number {}",
                    commit.id, known.number
                );
                return refused(Problem::new(ProblemKind::CommitIdReused, detail));
            }
            return Verdict::Duplicate(*known);
        }
        if let Err(problem) = self.check_size(commit) {
            return refused(problem);
        }
        if let Err(problem) = self.check_rights(commit) {
            return refused(problem);
        }
        if commit.mode == Mode::Intent && !self.adopts {
            if let Some(conflict) = self.conflict(commit) {
                return conflict;
            }
            if let Err(problem) = self.by.rules.judge(self.by.actor, commit, &self.ground.streams) {
                return refused(problem);
            }
        }
        self.accept(commit, digest)
    }

    fn check_size(&self, commit: &WireCommit<'_>) -> Result<(), Problem> {
        let Limits {
            commit_bytes,
            commit_events,
            ..
        } = *self.by.limits;
        let streams = commit.streams.as_deref().unwrap_or_default();
        let events: usize = streams.iter().map(|stream| stream.events.len()).sum();
        let bytes = bytes_of(commit);
        if bytes <= commit_bytes && events <= commit_events {
            return Ok(());
        }
        let detail =
            format!("it has {bytes} bytes and {events} events, {commit_bytes} and {commit_events} are allowed");
        Err(Problem::new(ProblemKind::TooLarge, detail).with_limits(self.by.limits))
    }

    fn check_rights(&self, commit: &WireCommit<'_>) -> Result<(), Problem> {
        let (rules, actor) = (self.by.rules, self.by.actor);
        for stream in commit.streams.as_deref().unwrap_or_default() {
            for event in &stream.events {
                if !rules.may_write(actor, &stream.stream_id, &event.event_type) {
                    let detail = format!("{actor} may not write {} to {}", event.event_type, stream.stream_id);
                    return Err(Problem::new(ProblemKind::WriteForbidden, detail));
                }
                rules.check_schema(event)?;
            }
        }
        Ok(())
    }

    fn conflict(&self, commit: &WireCommit<'_>) -> Option<Verdict> {
        let streams = commit.streams.as_deref().unwrap_or_default().iter();
        let written = streams.map(|stream| (&*stream.stream_id, stream.before.unwrap_or_default()));
        let read = commit.reads.iter().map(|read| (&*read.stream_id, read.version));
        let written = written.filter(|_| !is_planted(Plant::VersionsUnchecked));
        let read = read.filter(|_| !is_planted(Plant::ReadsUnchecked));
        written.chain(read).find_map(|(stream, expected)| {
            let actual = self.version(stream);
            (actual != expected).then(|| Verdict::Conflict {
                stream_id: stream.to_owned(),
                expected,
                actual,
            })
        })
    }

    fn version(&self, stream: &str) -> Version {
        self.ground.versions.get(stream).copied().unwrap_or_default()
    }

    fn accept(&mut self, commit: &'g WireCommit<'g>, digest: super::Hash) -> Verdict {
        let number = self.judgement.head.number + 1;
        let mut confirmed = commit.clone();
        confirmed.number = Some(number);
        // An adopted commit is to be the same as on the device that it comes from.
        confirmed.actor = (!self.adopts).then_some(Cow::Borrowed(self.by.actor));
        confirmed.received_at = (!self.adopts).then_some(self.by.now);
        let mut streams = Vec::new();
        for stream in confirmed.streams.iter_mut().flatten() {
            let before = self.version(&stream.stream_id);
            stream.before = Some(before);
            let after = Version(before.0 + stream.events.len() as u64);
            streams.push((stream.stream_id.to_string(), after));
        }
        let hash = next_hash(&self.judgement.head.hash, &confirmed, &digest);
        let mut text = String::with_capacity(bytes_of(commit) + 512);
        confirmed.write(&mut text);
        confirmed.streams = None;
        let mut receipt = String::new();
        confirmed.write(&mut receipt);

        for stream in commit.streams.as_deref().unwrap_or_default() {
            self.follow(stream);
        }
        let known = KnownCommit {
            number,
            attempt: commit.attempt,
            digest,
        };
        self.ground.known.insert(&commit.id, known);
        self.judgement.head = Head { number, hash };
        self.judgement.receipts.push(receipt);
        self.judgement.stored.push(StoredCommit {
            number,
            id: commit.id.to_string(),
            attempt: commit.attempt,
            digest,
            hash,
            text,
            streams,
        });
        Verdict::Accepted { number }
    }

    /// Commits of one push build on each other.
    fn follow(&mut self, stream: &'g WireStream<'g>) {
        let version = self.ground.versions.entry(&stream.stream_id).or_default();
        version.0 += stream.events.len() as u64;
        if let Some(events) = self.ground.streams.events.get_mut(&*stream.stream_id) {
            events.extend(stream.events.iter().cloned());
        }
    }
}

fn refused(problem: Problem) -> Verdict {
    Verdict::Refused(Box::new(problem))
}

/// What a commit weighs: what is in it, and not how that is written, so that it is no more here than on its device.
fn bytes_of(commit: &WireCommit<'_>) -> usize {
    let raw = |json: Option<RawJson<'_>>| json.map_or(0, |json| json.get().len());
    let of_stream = |stream: &WireStream<'_>| {
        let events = stream.events.iter();
        let bytes: usize = events
            .map(|event| event.event_type.len() + raw(event.metadata) + raw(event.data))
            .sum();
        stream.stream_id.len() + bytes
    };
    let streams = commit.streams.as_deref().unwrap_or_default();
    raw(commit.command) + streams.iter().map(of_stream).sum::<usize>()
}

impl Verdict {
    /// Whether nothing after this commit can be judged: it did not become what its device thinks.
    fn ends(&self, commit: &WireCommit<'_>) -> bool {
        match self {
            Self::Accepted { .. } | Self::NotAttempted { .. } => false,
            Self::Duplicate(known) => known.attempt != commit.attempt && !is_planted(Plant::OtherAttemptGoesOn),
            Self::Conflict { .. } => !is_planted(Plant::ConflictGoesOn),
            Self::Refused(_) => true,
        }
    }

    /// Appends it as the result of commit number `index` of a push.
    pub(super) fn write(&self, request: &PushRequest<'_>, index: usize, out: &mut String) {
        let id_of = |index: usize| {
            let commit = request.commits.get(index);
            Cow::Borrowed(commit.map_or("", |commit| &*commit.id))
        };
        let id = id_of(index);
        let problem;
        let result = match self {
            Self::Accepted { number } => PushResult::Accepted { id, number: *number },
            Self::Duplicate(known) => PushResult::Duplicate {
                id,
                number: known.number,
                attempt: known.attempt,
                digest: known.digest,
            },
            Self::Conflict {
                stream_id,
                expected,
                actual,
            } => PushResult::Conflict {
                id,
                stream_id: Cow::Borrowed(stream_id),
                expected: *expected,
                actual: *actual,
            },
            Self::Refused(why) => {
                problem = why.to_json();
                PushResult::Refused {
                    id,
                    problem: RawJson::trusted(&problem),
                }
            }
            Self::NotAttempted { because } => PushResult::NotAttempted {
                id,
                because: id_of(*because),
            },
        };
        result.write(out);
    }
}
