//! One record of the journal: what one transaction did to the log.

use super::bytes::{FormatError, Reader, put_bytes, put_field, put_number, put_varint};
use super::frame::{self, Kind};
use crate::position::Position;

const KIND: u64 = 1;
const STATUS: u64 = 2;
const COMMIT: u64 = 3;
const NUMBER: u64 = 4;
const END: u64 = 5;
const DROPPED: u64 = 6;
const UNDECIDED: u64 = 7;
const PENDING: u64 = 8;

/// Whether the authority has taken a commit. Without sync every commit is confirmed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitStatus {
    Pending,
    Confirmed,
}

/// What a record does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// Adds commits of this device at the end: confirmed ones without sync, pending ones with it.
    Appended = 1,
    /// Adds confirmed commits below the pending ones, and takes those of the same ids from these.
    Pulled = 2,
    /// Puts pending commits in the place of those with the same ids.
    Rebased = 3,
    /// Says again which commits are pending: what was said before is gone.
    Carried = 4,
}

/// What one transaction did to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalRecord<'a> {
    pub(crate) kind: RecordKind,
    pub(crate) status: CommitStatus,
    /// The number that it was written for. Under another one it counts for nothing: another tab was
    /// first, and its writer has decided again. Not there in records of format 1.
    pub(crate) number: Option<u64>,
    /// Position of the last event, which tells start-up where the log ends. Not there in format 1.
    pub(crate) end: Option<Position>,
    /// Each commit's bytes, see [`super::commit`].
    pub(crate) commits: Vec<&'a [u8]>,
    /// Ids of pending commits that are none any more.
    pub(crate) dropped: Vec<&'a str>,
    /// Places, from 0, of the pending commits that are to be decided again, as runs: so many that are not, so
    /// many that are, and so on.
    pub(crate) undecided: Vec<u64>,
    /// How many commits are pending afterwards.
    pub(crate) pending: u64,
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
    let mut out = begin(RecordKind::Appended, CommitStatus::Confirmed);
    put_place(&mut out, number, end, commits);
    frame::seal(out)
}

/// What is written of a record in a store with sync.
#[derive(Debug)]
pub(crate) struct SyncRecord<'a> {
    pub(crate) kind: RecordKind,
    pub(crate) number: u64,
    pub(crate) end: Position,
    pub(crate) commits: &'a [&'a [u8]],
    pub(crate) dropped: &'a [&'a str],
    /// For each commit that is pending afterwards, in order, whether it is to be decided again; for an appended record
    /// none.
    pub(crate) undecided: &'a [bool],
    pub(crate) pending: u64,
}

impl SyncRecord<'_> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let status = match self.kind {
            RecordKind::Pulled => CommitStatus::Confirmed,
            _ => CommitStatus::Pending,
        };
        let mut out = begin(self.kind, status);
        put_place(&mut out, self.number, self.end, self.commits.iter().copied());
        for id in self.dropped {
            put_field(&mut out, DROPPED, id.as_bytes());
        }
        if self.undecided.contains(&true) {
            let mut runs = Vec::new();
            let (mut kind, mut length) = (false, 0);
            for undecided in self.undecided {
                if *undecided != kind {
                    put_varint(&mut runs, length);
                    (kind, length) = (*undecided, 0);
                }
                length += 1;
            }
            put_varint(&mut runs, length);
            put_varint(&mut out, UNDECIDED);
            put_bytes(&mut out, &runs);
        }
        put_number(&mut out, PENDING, self.pending);
        frame::seal(out)
    }
}

fn begin(kind: RecordKind, status: CommitStatus) -> Vec<u8> {
    let mut out = frame::begin(Kind::JournalRecord, 256);
    put_number(&mut out, KIND, kind as u64);
    if status == CommitStatus::Confirmed {
        put_number(&mut out, STATUS, 1);
    }
    out
}

/// Fields 3, 4 and 5, in the order in which they have been written since format 2.
fn put_place<'a>(out: &mut Vec<u8>, number: u64, end: Position, commits: impl IntoIterator<Item = &'a [u8]>) {
    put_number(out, NUMBER, number);
    put_number(out, END, end.0);
    for commit in commits {
        put_field(out, COMMIT, commit);
    }
}

/// Reads a record of the journal.
pub(crate) fn decode_record(bytes: &[u8]) -> Result<JournalRecord<'_>, FormatError> {
    let mut record = JournalRecord {
        kind: RecordKind::Appended,
        status: CommitStatus::Pending,
        number: None,
        end: None,
        commits: Vec::new(),
        dropped: Vec::new(),
        undecided: Vec::new(),
        pending: 0,
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
            DROPPED => record.dropped.push(reader.all_text("id of a dropped commit")),
            UNDECIDED => {
                while !reader.is_empty() {
                    record.undecided.push(reader.varint());
                }
            }
            PENDING => record.pending = reader.varint(),
            _ => {}
        }
    }
    reader.end()?;
    record.kind = match kind {
        1 => RecordKind::Appended,
        2 => RecordKind::Pulled,
        3 => RecordKind::Rebased,
        4 => RecordKind::Carried,
        found => {
            return Err(FormatError::Newer {
                found,
                known: RecordKind::Carried as u64,
            });
        }
    };
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_sync_is_read_as_it_was_written() {
        let record = SyncRecord {
            kind: RecordKind::Rebased,
            number: 7,
            end: Position(9),
            commits: &[b"one", b"two"],
            dropped: &["a", "b"],
            undecided: &[false, true, true, false],
            pending: 4,
        };

        let bytes = record.encode();
        let read = decode_record(&bytes).unwrap();

        assert_eq!(read.kind, RecordKind::Rebased);
        assert_eq!((read.number, read.end, read.pending), (Some(7), Some(Position(9)), 4));
        assert_eq!(read.commits, [b"one", b"two"]);
        assert_eq!(read.dropped, ["a", "b"]);
        assert_eq!(read.undecided, [1, 2, 1]);
    }

    #[test]
    fn a_kind_of_a_later_release_is_named() {
        let mut frame = frame::begin(Kind::JournalRecord, 8);
        put_number(&mut frame, KIND, 5);

        assert_eq!(
            decode_record(&frame::seal(frame)),
            Err(FormatError::Newer { found: 5, known: 4 })
        );
    }
}
