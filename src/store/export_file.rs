//! The file of an export.
//!
//! ```text
//! file: { length | frame }*      the frames: a header, commits in the order of position, an end
//! ```
//! The end tells how much there must be, so that a cut file is found out.

use serde::Serialize;

use super::StoreError;
use crate::log::FormatError;
use crate::log::block::{pack, unpack};
use crate::log::bytes::{Reader, put_bytes, put_field, put_number};
use crate::log::commit::{CommitParts, read_commit, split_commit};
use crate::log::frame::{self, Kind};

const PART: u64 = 1;
const REPLICA: u64 = 2;
const EVENTS: u64 = 3;
const COMMITS: u64 = 4;
const REFUSAL: u64 = 5;

const HEADER: u64 = 1;
const BODY: u64 = 2;
const END: u64 = 3;

/// How much a file of an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ExportContent {
    /// Its events.
    pub events: u64,
    /// Its commits.
    pub commits: u64,
}

/// The beginning of a file, from the device of this replica id.
pub(super) fn header(replica: &str) -> Vec<u8> {
    let mut frame = begin(HEADER);
    put_field(&mut frame, REPLICA, replica.as_bytes());
    close(frame)
}

/// Some commits, each with its length before it.
pub(super) fn body(commits: &[u8]) -> Vec<u8> {
    let mut frame = begin(BODY);
    put_field(&mut frame, COMMITS, &pack(commits));
    close(frame)
}

/// The end of a file that holds so much, and the refusals with the ids of their commits.
pub(super) fn end(written: ExportContent, refusals: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut frame = begin(END);
    put_number(&mut frame, EVENTS, written.events);
    put_number(&mut frame, COMMITS, written.commits);
    for (id, refusal) in refusals {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, id.as_bytes());
        bytes.extend_from_slice(refusal);
        put_field(&mut frame, REFUSAL, &bytes);
    }
    close(frame)
}

fn begin(part: u64) -> Vec<u8> {
    let mut frame = frame::begin(Kind::Export, 64);
    put_number(&mut frame, PART, part);
    frame
}

fn close(frame: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(frame.len() + 16);
    put_bytes(&mut out, &frame::seal(frame));
    out
}

/// Checks a whole export file, without a store.
pub fn check_export(file: &[u8]) -> Result<ExportContent, StoreError> {
    Ok(read_file(file)?.end)
}

/// A file whose frames, checksums and counts are right.
pub(super) struct ExportFile {
    /// Unpacked, each the commits of one part.
    parts: Vec<Vec<u8>>,
    /// By the ids of their commits.
    pub(super) refusals: Vec<(String, Vec<u8>)>,
    end: ExportContent,
}

impl ExportFile {
    pub(super) fn commits(&self) -> impl Iterator<Item = Result<CommitParts<'_>, FormatError>> {
        self.parts.iter().flat_map(|part| {
            let mut reader = Reader::new(part);
            // Of a cut one nothing is left, and that is no commit.
            std::iter::from_fn(move || (!reader.is_empty()).then(|| split_commit(reader.bytes())))
        })
    }
}

/// Reads a file: nothing of it is taken unless all of it is right.
pub(super) fn read_file(file: &[u8]) -> Result<ExportFile, StoreError> {
    let damaged = |reason| StoreError::format("the import file", reason);
    let mut content = ExportFile {
        parts: Vec::new(),
        refusals: Vec::new(),
        end: ExportContent::default(),
    };
    let mut kinds = Vec::new();
    let mut reader = Reader::new(file);
    while !reader.is_empty() {
        kinds.push(read_part(reader.bytes(), &mut content).map_err(damaged)?);
    }
    let whole = kinds.first() == Some(&HEADER) && kinds.last() == Some(&END);
    if !whole {
        return Err(damaged(FormatError::Cut));
    }
    let mut found = ExportContent::default();
    for commit in content.commits() {
        let commit = commit.map_err(damaged)?;
        read_commit(&commit.header).map_err(damaged)?;
        found.commits += 1;
        found.events += commit
            .streams
            .iter()
            .map(|stream| stream.events.len() as u64)
            .sum::<u64>();
    }
    if found == content.end {
        Ok(content)
    } else {
        Err(damaged(FormatError::Cut))
    }
}

/// Reads one frame of a file into `content` and says which kind it is.
fn read_part(frame: &[u8], content: &mut ExportFile) -> Result<u64, FormatError> {
    let mut kind = 0;
    let mut reader = Reader::of_fields(frame::open(Kind::Export, frame)?);
    while let Some(tag) = reader.next() {
        match (kind, tag) {
            (_, PART) => kind = reader.varint(),
            (BODY, COMMITS) => content.parts.push(unpack(reader.all())?),
            (END, EVENTS) => content.end.events = reader.varint(),
            (END, COMMITS) => content.end.commits = reader.varint(),
            (END, REFUSAL) => {
                let id = reader.text("id of a refusal").to_owned();
                content.refusals.push((id, reader.all().to_vec()));
            }
            _ => {}
        }
    }
    reader.end()?;
    if (HEADER..=END).contains(&kind) {
        Ok(kind)
    } else {
        Err(FormatError::Newer {
            found: kind,
            known: END,
        })
    }
}
