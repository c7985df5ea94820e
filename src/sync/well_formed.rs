//! Whether a push makes sense, before anyone looks at what is stored.
//!
//! It asks for no more than a device asks of its own commits, so that nothing that a device has stored is refused here:
//! that would hold up everything behind it.

use std::collections::HashSet;

use serde::de::IgnoredAny;

use super::commit::{WireCommit, WireEvent, WireStream};
use super::limits::Limits;
use super::message::{PROTOCOL, PushRequest};
use super::problem::{Problem, ProblemKind};
use crate::commit::Mode;
use crate::json::{FromJson, JsonReader, RawJson, parse};
use crate::stream::{MAX_ID_BYTES, MAX_SAFE_INTEGER, check_id};

/// Longest salt, in digits.
const MAX_SALT_DIGITS: usize = 128;

/// Reads the body of a push.
pub fn read_push<'a>(body: &'a [u8], limits: &Limits) -> Result<PushRequest<'a>, Problem> {
    if body.len() > limits.push_bytes {
        let detail = format!(
            "a push has {} bytes, at most {} are taken",
            body.len(),
            limits.push_bytes
        );
        return Err(Problem::new(ProblemKind::PayloadTooLarge, detail).with_limits(limits));
    }
    let malformed = |error: &dyn std::fmt::Display| Problem::new(ProblemKind::Malformed, error);
    let text = str::from_utf8(body).map_err(|error| malformed(&error))?;
    let request: PushRequest<'_> = parse(text).map_err(|error| match parse::<ProtocolOf>(text) {
        // A later protocol may have another document.
        Ok(ProtocolOf(Some(protocol))) if protocol != PROTOCOL => Problem::protocol(protocol),
        _ => malformed(&error),
    })?;
    check(&request, limits)?;
    Ok(request)
}

struct ProtocolOf(Option<u64>);

impl FromJson<'_> for ProtocolOf {
    fn read(json: &mut JsonReader<'_>) -> Self {
        let mut protocol = None;
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "protocol" => protocol = Some(u64::read(json)),
                _ => drop(json.raw()),
            }
        }
        Self(protocol)
    }
}

fn check(request: &PushRequest<'_>, limits: &Limits) -> Result<(), Problem> {
    if request.protocol != PROTOCOL {
        return Err(Problem::protocol(request.protocol));
    }
    let count = request.commits.len();
    if count > limits.push_commits {
        let detail = format!("a push has {count} commits, at most {} are taken", limits.push_commits);
        return Err(Problem::new(ProblemKind::PayloadTooLarge, detail).with_limits(limits));
    }
    let invalid = |detail: String| Problem::new(ProblemKind::BatchInvalid, detail);
    check_id(&request.replica).map_err(|error| invalid(format!("replica: {error}")))?;
    for (index, commit) in request.commits.iter().enumerate() {
        check_commit(commit, request.adopt.is_some())
            .map_err(|reason| invalid(format!("commit {index}, id {:?}: {reason}", commit.id)))?;
    }
    Ok(())
}

fn check_commit(commit: &WireCommit<'_>, adopted: bool) -> Result<(), String> {
    check_id(&commit.id).map_err(|error| format!("id: {error}"))?;
    let streams = commit.streams.as_deref().unwrap_or_default();
    if streams.is_empty() {
        return Err("it has no streams".to_owned());
    }
    check_id(&commit.replica).map_err(|error| format!("replica: {error}"))?;
    check_number("attempt", commit.attempt, 1)?;
    check_time("recordedAt", commit.recorded_at)?;
    check_json("command", commit.command)?;
    if let Some(subject) = &commit.subject {
        check_length("subject", subject)?;
    }
    for read in &commit.reads {
        check_id(&read.stream_id).map_err(|error| format!("reads: {error}"))?;
        check_number("reads: version", read.version.0, 0)?;
    }
    let mut names = HashSet::new();
    for stream in streams {
        let id = &*stream.stream_id;
        check_id(id).map_err(|error| format!("streamId: {error}"))?;
        if !names.insert(id) {
            return Err(format!("it names stream {id} twice"));
        }
        let expects = commit.mode == Mode::Intent && !adopted;
        check_stream(stream, expects).map_err(|reason| format!("stream {id}: {reason}"))?;
    }
    Ok(())
}

fn check_stream(stream: &WireStream<'_>, expects: bool) -> Result<(), String> {
    match stream.before {
        Some(before) => check_number("expectedVersion", before.0, 0)?,
        None if expects => return Err("an intent expects a version".to_owned()),
        None => {}
    }
    if stream.events.is_empty() {
        return Err("it has no events".to_owned());
    }
    stream.events.iter().try_for_each(check_event)
}

fn check_event(event: &WireEvent<'_>) -> Result<(), String> {
    if event.event_type.is_empty() {
        return Err("an event has no type".to_owned());
    }
    check_time("occurredAt", event.occurred_at)?;
    check_json("metadata", event.metadata)?;
    check_json("data", event.data)?;
    let salt = event.salt.as_deref().unwrap_or_default();
    let is_hex = salt.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex && salt.len().is_multiple_of(2) && salt.len() <= MAX_SALT_DIGITS {
        Ok(())
    } else {
        Err("a salt is not up to 64 bytes in lower-case hexadecimal".to_owned())
    }
}

fn check_length(name: &str, text: &str) -> Result<(), String> {
    if text.len() > MAX_ID_BYTES {
        return Err(format!(
            "{name} has {} bytes, at most {MAX_ID_BYTES} are allowed",
            text.len()
        ));
    }
    Ok(())
}

fn check_number(name: &str, number: u64, least: u64) -> Result<(), String> {
    if (least..=MAX_SAFE_INTEGER).contains(&number) {
        return Ok(());
    }
    Err(format!("{name} is {number}, not from {least} to {MAX_SAFE_INTEGER}"))
}

fn check_time(name: &str, time: i64) -> Result<(), String> {
    if time.unsigned_abs() <= MAX_SAFE_INTEGER {
        return Ok(());
    }
    Err(format!(
        "{name} is {time}, further than {MAX_SAFE_INTEGER} from the epoch"
    ))
}

/// [`RawJson`] is read fast and not to the letter, which is enough for what a machine of ours wrote; this goes to others.
fn check_json(name: &str, json: Option<RawJson<'_>>) -> Result<(), String> {
    let Some(json) = json else { return Ok(()) };
    serde_json::from_str::<IgnoredAny>(json.get()).map_err(|error| format!("{name} is not JSON: {error}"))?;
    Ok(())
}
