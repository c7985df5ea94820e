//! What is stored of projections: the state of each version, the marker of each generation, and how many were ever given.

use serde::Serialize;

use crate::log::FormatError;
use crate::log::bytes::{Reader, put_field, put_number};
use crate::log::frame::{self, Kind};
use crate::position::Position;
use crate::store::storage::{Entry, Key};
use crate::store::{StoreError, log};

/// A rebuild under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rebuild {
    /// The generation that it writes.
    pub generation: u64,
    /// Up to where it has folded.
    pub checkpoint: Position,
}

/// Where one version of a projection stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionState {
    /// Its live rows.
    pub generation: u64,
    /// Up to where they are folded.
    pub checkpoint: Position,
    /// The event at which its reducer failed.
    pub failed_at: Option<Position>,
    /// Its rebuild.
    pub rebuild: Option<Rebuild>,
    /// How often rows were replaced without folding on: whoever kept rows must read them again.
    pub revision: u64,
}

impl ProjectionState {
    const GENERATION: u64 = 1;
    const CHECKPOINT: u64 = 2;
    const FAILED_AT: u64 = 3;
    const REBUILD_GENERATION: u64 = 4;
    const REBUILD_CHECKPOINT: u64 = 5;
    const REVISION: u64 = 6;

    pub(super) fn key(name: &str, version: u32) -> Key {
        Key::from([Key::from("projection"), Key::from(name), Key::from(u64::from(version))])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = frame::begin(Kind::Meta, 32);
        put_number(&mut out, Self::GENERATION, self.generation);
        put_number(&mut out, Self::CHECKPOINT, self.checkpoint.0);
        if let Some(position) = self.failed_at {
            put_number(&mut out, Self::FAILED_AT, position.0);
        }
        if let Some(rebuild) = self.rebuild {
            put_number(&mut out, Self::REBUILD_GENERATION, rebuild.generation);
            put_number(&mut out, Self::REBUILD_CHECKPOINT, rebuild.checkpoint.0);
        }
        if self.revision > 0 {
            put_number(&mut out, Self::REVISION, self.revision);
        }
        frame::seal(out)
    }

    fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut state = Self {
            generation: 0,
            checkpoint: Position(0),
            failed_at: None,
            rebuild: None,
            revision: 0,
        };
        let (mut generation, mut checkpoint) = (None, Position(0));
        let mut reader = Reader::of_fields(frame::open(Kind::Meta, bytes)?);
        while let Some(tag) = reader.next() {
            match tag {
                Self::GENERATION => state.generation = reader.varint(),
                Self::CHECKPOINT => state.checkpoint = Position(reader.varint()),
                Self::FAILED_AT => state.failed_at = Some(Position(reader.varint())),
                Self::REBUILD_GENERATION => generation = Some(reader.varint()),
                Self::REBUILD_CHECKPOINT => checkpoint = Position(reader.varint()),
                Self::REVISION => state.revision = reader.varint(),
                _ => {}
            }
        }
        reader.end()?;
        state.rebuild = generation.map(|generation| Rebuild { generation, checkpoint });
        Ok(state)
    }
}

/// Who wrote the rows of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) version: u32,
    /// The names of the indexes that its rows are entered in, a JSON list; empty if nobody has said so yet.
    pub(super) indexes: String,
}

impl Owner {
    const NAME: u64 = 1;
    const VERSION: u64 = 2;
    const INDEXES: u64 = 3;

    pub(super) fn encode(name: &str, version: u32, indexes: &str) -> Vec<u8> {
        let mut out = frame::begin(Kind::Meta, 32);
        put_field(&mut out, Self::NAME, name.as_bytes());
        put_number(&mut out, Self::VERSION, version.into());
        if !indexes.is_empty() {
            put_field(&mut out, Self::INDEXES, indexes.as_bytes());
        }
        frame::seal(out)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut owner = Self {
            name: String::new(),
            version: 0,
            indexes: String::new(),
        };
        let mut reader = Reader::of_fields(frame::open(Kind::Meta, bytes)?);
        while let Some(tag) = reader.next() {
            match tag {
                Self::NAME => reader.all_text("name").clone_into(&mut owner.name),
                Self::VERSION => owner.version = reader.varint() as u32,
                Self::INDEXES => reader.all_text("indexes").clone_into(&mut owner.indexes),
                _ => {}
            }
        }
        reader.end().map(|()| owner)
    }
}

/// The marker of a generation: readers check it in the transaction that reads rows.
pub(crate) fn generation_key(generation: u64) -> Key {
    Key::from([Key::from("generation"), Key::from(generation)])
}

/// The highest generation ever given.
pub(super) fn counter_key() -> Key {
    Key::from("generations")
}

/// That as it is stored.
pub(super) fn encode_counter(generation: u64) -> Vec<u8> {
    let mut out = frame::begin(Kind::Meta, 16);
    put_number(&mut out, 1, generation);
    frame::seal(out)
}

pub(super) fn decode_counter(bytes: &[u8]) -> Result<u64, FormatError> {
    let mut reader = Reader::of_fields(frame::open(Kind::Meta, bytes)?);
    if reader.next().is_none() {
        reader.fail(FormatError::Missing("generation"));
    }
    let counter = reader.varint();
    reader.end().map(|()| counter)
}

/// Name, version and state of a projection in the list of all.
pub(crate) type Listed = (String, u32, ProjectionState);

/// The states of projection versions as they are stored.
pub(super) fn listed(entries: &[Entry]) -> Result<Vec<Listed>, StoreError> {
    entries
        .iter()
        .map(|entry| {
            let name = match &entry.key {
                Key::List(parts) => match parts.get(1) {
                    Some(Key::Text(name)) => name.clone(),
                    _ => String::new(),
                },
                _ => String::new(),
            };
            let state = ProjectionState::decode(&entry.value)
                .map_err(|reason| StoreError::format(format!("projection {name}"), reason))?;
            Ok((name, last_number(&entry.key) as u32, state))
        })
        .collect()
}

/// The generation that a key of rows or of index entries begins with.
pub(super) fn first_number(key: &Key) -> u64 {
    match key {
        Key::List(parts) => parts.first().map_or(0, log::number),
        key => log::number(key),
    }
}

/// Generation or version, which a key ends with.
pub(super) fn last_number(key: &Key) -> u64 {
    match key {
        Key::List(parts) => parts.last().map_or(0, log::number),
        key => log::number(key),
    }
}
