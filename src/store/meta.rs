//! What the table meta holds: the store itself, the journal's floor.

use super::Key;
use crate::log::FormatError;
use crate::log::bytes::{Reader, put_field, put_number, put_signed_number};
use crate::log::frame::{self, Kind};
use crate::position::Position;

/// Who this store is. Written once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// One device's copy: random, new on import.
    pub(crate) replica: String,
    /// When it was made, in milliseconds since the epoch.
    pub(crate) created_at: i64,
}

impl Identity {
    const REPLICA: u64 = 1;
    const CREATED_AT: u64 = 2;

    pub(crate) fn key() -> Key {
        Key::from("identity")
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = frame::begin(Kind::Meta, 64);
        put_field(&mut out, Self::REPLICA, self.replica.as_bytes());
        put_signed_number(&mut out, Self::CREATED_AT, self.created_at);
        frame::seal(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut identity = Self {
            replica: String::new(),
            created_at: 0,
        };
        let mut reader = Reader::of_fields(frame::open(Kind::Meta, bytes)?);
        while let Some(tag) = reader.next() {
            match tag {
                Self::REPLICA => reader.all_text("replica").clone_into(&mut identity.replica),
                Self::CREATED_AT => identity.created_at = reader.signed(),
                _ => {}
            }
        }
        reader.end()?;
        if identity.replica.is_empty() {
            Err(FormatError::Missing("replica"))
        } else {
            Ok(identity)
        }
    }
}

/// Where the journal begins: everything up to here is in segments. Who seals or merges checks it in
/// the same transaction and raises `changes`, so that no two tabs do so at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Floor {
    /// The highest journal number that is sealed.
    pub(crate) number: u64,
    /// The highest position that is sealed.
    pub(crate) position: Position,
    /// How often segments were added or merged.
    pub(crate) changes: u64,
}

impl Floor {
    const NUMBER: u64 = 1;
    const POSITION: u64 = 2;
    const CHANGES: u64 = 3;

    pub(crate) fn key() -> Key {
        Key::from("floor")
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = frame::begin(Kind::Meta, 32);
        put_number(&mut out, Self::NUMBER, self.number);
        put_number(&mut out, Self::POSITION, self.position.0);
        put_number(&mut out, Self::CHANGES, self.changes);
        frame::seal(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut floor = Self::default();
        let mut reader = Reader::of_fields(frame::open(Kind::Meta, bytes)?);
        while let Some(tag) = reader.next() {
            match tag {
                Self::NUMBER => floor.number = reader.varint(),
                Self::POSITION => floor.position = Position(reader.varint()),
                Self::CHANGES => floor.changes = reader.varint(),
                _ => {}
            }
        }
        reader.end().map(|()| floor)
    }
}
