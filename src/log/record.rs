//! One record of the journal: what one transaction appended.

use super::bytes::{FormatError, Reader, put_field, put_number};
use super::frame::{self, Kind};
use crate::position::Position;

const KIND: u64 = 1;
const STATUS: u64 = 2;
const COMMIT: u64 = 3;
const NUMBER: u64 = 4;
const END: u64 = 5;

/// Commits that this device wrote. Other kinds (pulled, confirmed, changed, refused) come with sync.
const APPENDED: u64 = 1;

/// Whether the authority has taken a commit. Without sync every commit is confirmed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitStatus {
    Pending,
    Confirmed,
}

/// A group of commits, written in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalRecord<'a> {
    pub(crate) status: CommitStatus,
    /// The number that it was written for. Under another one it counts for nothing: another tab was
    /// first, and its writer has decided again. Not there in records of format 1.
    pub(crate) number: Option<u64>,
    /// Position of its last event, which tells start-up where the log ends. Not there in format 1.
    pub(crate) end: Option<Position>,
    /// Each commit's bytes, see [`super::commit`].
    pub(crate) commits: Vec<&'a [u8]>,
}

impl JournalRecord<'_> {
    /// Whether it counts under this number of the journal.
    pub(crate) fn counts_at(&self, number: u64) -> bool {
        self.number.is_none_or(|written_for| written_for == number)
    }
}

/// Makes the record of commits that are confirmed at once, for this number of the journal; `end` is the
/// position of its last event.
pub(crate) fn encode_record<'a>(number: u64, end: Position, commits: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = frame::begin(Kind::JournalRecord, 256);
    put_number(&mut out, KIND, APPENDED);
    put_number(&mut out, STATUS, 1);
    put_number(&mut out, NUMBER, number);
    put_number(&mut out, END, end.0);
    for commit in commits {
        put_field(&mut out, COMMIT, commit);
    }
    frame::seal(out)
}

/// Reads a record of the journal.
pub(crate) fn decode_record(bytes: &[u8]) -> Result<JournalRecord<'_>, FormatError> {
    let mut record = JournalRecord {
        status: CommitStatus::Pending,
        number: None,
        end: None,
        commits: Vec::new(),
    };
    let mut kind = 0;
    let mut reader = Reader::of_fields(frame::open(Kind::JournalRecord, bytes)?);
    while let Some(tag) = reader.next() {
        match tag {
            KIND => kind = reader.varint(),
            STATUS if reader.varint() == 1 => record.status = CommitStatus::Confirmed,
            NUMBER => record.number = Some(reader.varint()),
            END => record.end = Some(Position(reader.varint())),
            COMMIT => record.commits.push(reader.all()),
            _ => {}
        }
    }
    reader.end()?;
    if kind == APPENDED {
        Ok(record)
    } else {
        Err(FormatError::Newer {
            found: kind,
            known: APPENDED,
        })
    }
}
