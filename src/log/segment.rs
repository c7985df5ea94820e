//! Sealing: events and commits become one immutable segment.

use super::block::{BLOCK_BYTES, EventsWriter, Recorded, RecordedCommit, pack, put_recorded_commit, sort};
use super::bytes::{FormatError, put_bytes};
use super::commit::read_id;
use super::directory::{Directory, Fence, TimeRange};
use super::event::read_event;
use super::filter;

/// A segment ready to be stored.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) directory: Directory,
    /// Its blocks in the order of their numbers: events, commits, stream ids, the filter of commit ids.
    pub(crate) blocks: Vec<Vec<u8>>,
}

/// Seals `events` (any order, their positions dense) and the `commits` that they belong to, in the
/// order of position. Neither may be empty.
pub(crate) fn build(mut events: Vec<Recorded<'_>>, commits: &[RecordedCommit<'_>]) -> Result<Segment, FormatError> {
    let first = events
        .iter()
        .map(|event| event.position)
        .min()
        .ok_or(FormatError::Missing("events of a segment"))?;
    sort(&mut events, Recorded::by_stream);

    let mut directory = Directory::begin(first);
    directory.events = events.len() as u64;
    directory.commits = commits.len() as u64;
    let mut blocks = Vec::new();
    put_events(&mut directory, &mut blocks, &events)?;
    put_commits(&mut directory, &mut blocks, commits);
    put_streams(&mut directory, &mut blocks, &events);
    let mut ids = Vec::with_capacity(commits.len());
    for commit in commits {
        let (id, recorded_at) = read_id(commit.header)?;
        directory.recorded.add(recorded_at);
        ids.push(id);
    }
    blocks.push(pack(&filter::build(
        filter::COMMIT_BITS,
        ids.iter().map(|id| id.as_bytes()),
    )));
    directory.bytes = blocks.iter().map(|block| block.len() as u64).sum();
    Ok(Segment { directory, blocks })
}

fn put_events(
    directory: &mut Directory,
    blocks: &mut Vec<Vec<u8>>,
    events: &[Recorded<'_>],
) -> Result<(), FormatError> {
    let mut writer = EventsWriter::default();
    for event in events {
        let fields = read_event(event.event)?;
        if writer.len() == 0 {
            directory.event_blocks.push(Fence {
                stream: event.stream.to_owned(),
                version: event.version,
                occurred: TimeRange::EMPTY,
            });
        }
        writer.put(event);
        directory.occurred.add(fields.occurred_at);
        if let Some(fence) = directory.event_blocks.last_mut() {
            fence.occurred.add(fields.occurred_at);
        }
        if let Err(place) = directory
            .types
            .binary_search_by(|known| known.as_bytes().cmp(fields.event_type))
        {
            directory.types.insert(place, fields.event_type()?.to_owned());
        }
        if writer.len() >= BLOCK_BYTES {
            blocks.push(pack(&writer.take()));
        }
    }
    if writer.len() > 0 {
        blocks.push(pack(&writer.take()));
    }
    Ok(())
}

fn put_commits(directory: &mut Directory, blocks: &mut Vec<Vec<u8>>, commits: &[RecordedCommit<'_>]) {
    let mut content = Vec::new();
    for commit in commits {
        if content.is_empty() {
            directory.commit_blocks.push(commit.position);
        }
        put_recorded_commit(&mut content, commit);
        if content.len() >= BLOCK_BYTES {
            blocks.push(pack(&std::mem::take(&mut content)));
        }
    }
    if !content.is_empty() {
        blocks.push(pack(&content));
    }
}

/// Writes the ids of the streams that begin here, and the filter of all that occur.
fn put_streams(directory: &mut Directory, blocks: &mut Vec<Vec<u8>>, events: &[Recorded<'_>]) {
    let mut streams: Vec<&[u8]> = events.iter().map(|event| event.stream.as_bytes()).collect();
    streams.dedup();
    directory.stream_filter = filter::build(filter::STREAM_BITS, streams.into_iter());

    let mut content = Vec::new();
    for event in events.iter().filter(|event| event.version.0 == 1) {
        if content.is_empty() {
            directory.stream_blocks.push(event.stream.to_owned());
        }
        put_bytes(&mut content, event.stream.as_bytes());
        directory.streams_begun += 1;
        if content.len() >= BLOCK_BYTES {
            blocks.push(pack(&std::mem::take(&mut content)));
        }
    }
    if !content.is_empty() {
        blocks.push(pack(&content));
    }
}
