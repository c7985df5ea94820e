//! Whole segments: taken apart into events and commits, and made of commits that get their places.

use std::collections::HashMap;

use super::blocks::Content;
use super::compact::{SEGMENT_BYTES, SEGMENT_EVENTS};
use crate::log::FormatError;
use crate::log::block::{EventsReader, Recorded, RecordedCommit, StreamSpan, read_commits, sort};
use crate::log::commit::CommitParts;
use crate::log::directory::Directory;
use crate::log::segment::{self, Segment};
use crate::position::Position;
use crate::stream::{ExpectedVersion, Version};

/// The events, by position, and commits of a segment.
pub(crate) fn read_segment<'a>(
    segment: &Directory,
    contents: &'a [Content],
) -> Result<(Vec<Recorded<'a>>, Vec<RecordedCommit<'a>>), FormatError> {
    let (event_blocks, commit_blocks) = contents
        .split_at_checked(segment.first_commit_block())
        .ok_or(FormatError::Cut)?;
    let mut events = Vec::with_capacity(segment.events as usize);
    for content in event_blocks {
        for event in EventsReader::new(content) {
            events.push(event?);
        }
    }
    sort(&mut events, Recorded::by_position);
    let mut commits = Vec::with_capacity(segment.commits as usize);
    for content in commit_blocks {
        commits.extend(read_commits(content)?);
    }
    Ok((events, commits))
}

/// Gives commits their place after `position` and seals them into segments. A stream that `heads` does not know is
/// where its first commit expects it; without `heads` every commit expects what is.
pub(crate) fn place(
    commits: &[CommitParts<'_>],
    position: Position,
    mut heads: Option<HashMap<String, Version>>,
) -> Result<Vec<Segment>, FormatError> {
    let mut segments = Vec::new();
    let (mut events, mut placed) = (Vec::new(), Vec::new());
    let (mut last, mut bytes) = (position, 0);
    for commit in commits {
        let mut streams = Vec::with_capacity(commit.streams.len());
        let first = Position(last.0 + 1);
        let mut index = 0;
        for stream in &commit.streams {
            let mut expected = match stream.expected {
                ExpectedVersion::Exact(version) => version,
                _ => Version(0),
            };
            let head = match &mut heads {
                Some(heads) => heads.entry(stream.stream.to_owned()).or_insert(expected),
                None => &mut expected,
            };
            let span = StreamSpan {
                stream: stream.stream,
                first: head.next(),
                events: stream.events.len() as u64,
            };
            for event in &stream.events {
                *head = head.next();
                bytes += event.len() as u64;
                last = Position(last.0 + 1);
                events.push(Recorded {
                    position: last,
                    stream: stream.stream,
                    version: *head,
                    envelope: &commit.envelope,
                    index,
                    event,
                });
                index += 1;
            }
            streams.push(span);
        }
        placed.push(RecordedCommit {
            position: first,
            header: &commit.header,
            streams,
        });
        if events.len() as u64 >= SEGMENT_EVENTS || bytes >= SEGMENT_BYTES {
            segments.push(segment::build(std::mem::take(&mut events), &placed)?);
            placed.clear();
            bytes = 0;
        }
    }
    if !events.is_empty() {
        segments.push(segment::build(events, &placed)?);
    }
    Ok(segments)
}
