//! What a store is bound to, and how far it has the log of its space.

use super::storage::{Change, Check, Write};
use super::{Key, Table};
use crate::log::FormatError;
use crate::log::bytes::{Reader, put_field, put_number};
use crate::log::frame::{self, Kind};
use crate::position::Position;
use crate::sync::{Cursor, Epoch, Hash, Head};

/// The record `"sync"` of meta. It changes in the transaction that changes the log, which checks what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The log of the server that this one is a copy of.
    pub(crate) space: String,
    /// Who works on this device.
    pub(crate) subject: String,
    /// The life of that log; none before the server was heard.
    pub(crate) epoch: Option<Epoch>,
    /// Number and hash of the last commit that this device has of it.
    pub(crate) head: Head,
    /// Position of its last event.
    pub(crate) confirmed: Position,
    /// Raised by each tab that begins to lead: what an earlier one still writes fails.
    pub(crate) fence: u64,
    /// Up to where the server has this log, while it takes over a history that was made without it.
    pub(crate) adopted: Option<Position>,
}

impl Binding {
    const SPACE: u64 = 1;
    const SUBJECT: u64 = 2;
    const EPOCH: u64 = 3;
    const NUMBER: u64 = 4;
    const HASH: u64 = 5;
    const CONFIRMED: u64 = 6;
    const FENCE: u64 = 7;
    const ADOPTED: u64 = 8;

    pub(crate) fn key() -> Key {
        Key::from("sync")
    }

    /// Where a device goes on, once it knows the life of the log.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        self.epoch.map(|epoch| self.head.cursor(epoch))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = frame::begin(Kind::Meta, 128);
        put_field(&mut out, Self::SPACE, self.space.as_bytes());
        put_field(&mut out, Self::SUBJECT, self.subject.as_bytes());
        if let Some(epoch) = self.epoch {
            put_field(&mut out, Self::EPOCH, &epoch.0);
        }
        put_number(&mut out, Self::NUMBER, self.head.number);
        put_field(&mut out, Self::HASH, &self.head.hash.0);
        put_number(&mut out, Self::CONFIRMED, self.confirmed.0);
        put_number(&mut out, Self::FENCE, self.fence);
        if let Some(adopted) = self.adopted {
            put_number(&mut out, Self::ADOPTED, adopted.0);
        }
        frame::seal(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut binding = Self {
            space: String::new(),
            subject: String::new(),
            epoch: None,
            head: Head {
                number: 0,
                hash: Hash([0; 32]),
            },
            confirmed: Position(0),
            fence: 0,
            adopted: None,
        };
        let mut reader = Reader::of_fields(frame::open(Kind::Meta, bytes)?);
        while let Some(tag) = reader.next() {
            match tag {
                Self::SPACE => reader.all_text("space").clone_into(&mut binding.space),
                Self::SUBJECT => reader.all_text("subject").clone_into(&mut binding.subject),
                Self::EPOCH => binding.epoch = Some(Epoch(sized(&mut reader, "epoch"))),
                Self::NUMBER => binding.head.number = reader.varint(),
                Self::HASH => binding.head.hash = Hash(sized(&mut reader, "hash")),
                Self::CONFIRMED => binding.confirmed = Position(reader.varint()),
                Self::FENCE => binding.fence = reader.varint(),
                Self::ADOPTED => binding.adopted = Some(Position(reader.varint())),
                _ => {}
            }
        }
        reader.end()?;
        if binding.space.is_empty() {
            Err(FormatError::Missing("space"))
        } else {
            Ok(binding)
        }
    }

    /// Adds to `write` the change from what is stored to this.
    pub(crate) fn put(&self, stored: Option<Vec<u8>>, write: &mut Write) {
        write.checks.push(Check {
            table: Table::Meta,
            key: Self::key(),
            expected: stored,
        });
        write.changes.push(Change::Put(Table::Meta, Self::key(), self.encode()));
    }
}

fn sized<const N: usize>(reader: &mut Reader<'_>, name: &'static str) -> [u8; N] {
    reader.all().try_into().unwrap_or_else(|_| {
        reader.fail(FormatError::Malformed(name));
        [0; N]
    })
}
