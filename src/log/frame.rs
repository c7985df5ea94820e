//! The frame around every stored value: a mark, the format, a checksum.
//!
//! ```text
//! 0xEF | kind: one letter | format: varint | body | XXH64 of all before, 8 bytes, little endian
//! ```

use xxhash_rust::xxh64::xxh64;

use super::bytes::{FormatError, Reader, put_varint};

/// The format that this release writes, and the newest that it reads.
pub const FORMAT: u64 = 2;

const MARK: u8 = 0xEF;
const CHECKSUM_BYTES: usize = 8;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One record of the journal.
    JournalRecord,
    /// A block of a segment, compressed.
    Block,
    /// The directory of a segment.
    Directory,
    /// A snapshot of a stream.
    Snapshot,
    /// An entry of the table meta.
    Meta,
    /// One part of an export file.
    Export,
}

impl Kind {
    fn letter(self) -> u8 {
        match self {
            Self::JournalRecord => b'J',
            Self::Block => b'B',
            Self::Directory => b'D',
            Self::Snapshot => b'S',
            Self::Meta => b'M',
            Self::Export => b'X',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::JournalRecord => "a journal record",
            Self::Block => "a block",
            Self::Directory => "a directory",
            Self::Snapshot => "a snapshot",
            Self::Meta => "an entry of meta",
            Self::Export => "an export",
        }
    }
}

/// A frame under construction: write the body, then [`seal`] it.
pub(crate) fn begin(kind: Kind, capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity + 16);
    out.push(MARK);
    out.push(kind.letter());
    put_varint(&mut out, FORMAT);
    out
}

/// Closes a frame with its checksum.
pub(crate) fn seal(mut out: Vec<u8>) -> Vec<u8> {
    let checksum = xxh64(&out, 0);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// The body of a frame, after its mark, format and checksum have been found right.
pub(crate) fn open(kind: Kind, frame: &[u8]) -> Result<&[u8], FormatError> {
    let mut reader = Reader::new(frame);
    if (reader.byte(), reader.byte()) != (MARK, kind.letter()) {
        reader.fail(FormatError::Mark(kind.name()));
    }
    // Before the checksum: a later format may have another one.
    let found = reader.varint();
    if found > FORMAT {
        reader.fail(FormatError::Newer { found, known: FORMAT });
    }
    let body = reader.take(reader.len().saturating_sub(CHECKSUM_BYTES));
    let stored = reader.take(CHECKSUM_BYTES);
    reader.end()?;
    let (checked, _) = frame.split_at(frame.len() - CHECKSUM_BYTES);
    if xxh64(checked, 0).to_le_bytes() == stored {
        Ok(body)
    } else {
        Err(FormatError::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_found() {
        let mut frame = begin(Kind::Meta, 4);
        frame.extend_from_slice(b"body");
        let frame = seal(frame);
        assert_eq!(open(Kind::Meta, &frame), Ok(&b"body"[..]));

        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(Kind::Meta, &damaged).is_err(), "bit {bit}");
        }
        for length in 0..frame.len() {
            assert!(open(Kind::Meta, &frame[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_later_format_is_named() {
        let mut frame = begin(Kind::Block, 0);
        frame[2] = 9;

        let error = open(Kind::Block, &seal(frame)).unwrap_err();

        assert_eq!(error, FormatError::Newer { found: 9, known: 2 });
    }
}
