//! Events: facts that happened.

use std::borrow::Cow;

use crate::hex::unhex;
use crate::json::{FromJson, JsonReader, RawJson};
use crate::position::Position;
use crate::stream::Version;

/// A fact to append. `data` and `metadata` are JSON, kept byte for byte.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// Its type, past tense by custom: `account.opened`.
    pub event_type: Cow<'a, str>,
    /// Version of the shape of `data`.
    pub schema_version: u32,
    /// When it happened, the writer's word: milliseconds since the epoch.
    pub occurred_at: i64,
    /// What happened, in detail.
    pub data: Option<RawJson<'a>>,
    /// What the app wants to remember about it.
    pub metadata: Option<RawJson<'a>>,
    /// Makes the digest of `data` tell nothing about it; random, empty without sync.
    pub salt: Vec<u8>,
}

impl<'a> FromJson<'a> for NewEvent<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut event_type, mut schema_version, mut occurred_at) = (None, None, None);
        let (mut data, mut metadata, mut salt) = (None, None, Vec::new());
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "type" => event_type = Some(json.text()),
                "schemaVersion" => schema_version = Some(u32::read(json)),
                "occurredAt" => occurred_at = Some(json.whole()),
                "data" => data = Option::read(json),
                "metadata" => metadata = Option::read(json),
                "salt" => {
                    salt = unhex(&json.text()).unwrap_or_else(|| {
                        json.fail("hexadecimal digits");
                        Vec::new()
                    });
                }
                _ => drop(json.raw()),
            }
        }
        Self {
            event_type: json.required(event_type, "type"),
            schema_version: json.required(schema_version, "schemaVersion"),
            occurred_at: json.required(occurred_at, "occurredAt"),
            data,
            metadata,
            salt,
        }
    }
}

/// An event as it stands in the log, read as the type that an app has for it.
#[derive(Debug, Clone)]
pub struct RecordedEvent<'a, E> {
    /// What happened.
    pub event: E,
    /// The stream that it belongs to.
    pub stream_id: &'a str,
    /// Its place in that stream.
    pub version: Version,
    /// Its place in the log.
    pub position: Position,
    /// Its type, as stored.
    pub event_type: &'a str,
    /// Version of the shape of its data.
    pub schema_version: u32,
    /// When it happened, the writer's word: milliseconds since the epoch.
    pub occurred_at: i64,
    /// What the app wanted to remember about it, JSON.
    pub metadata: Option<&'a str>,
}
