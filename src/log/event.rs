//! One event as bytes: tagged fields, the payload exactly as it was given.

use super::bytes::{FormatError, Reader, put_field, put_number, put_signed_number, quick_varint};
use crate::event::NewEvent;

const TYPE: u64 = 1;
const SCHEMA_VERSION: u64 = 2;
const OCCURRED_AT: u64 = 3;
const METADATA: u64 = 4;
const ENCODING: u64 = 5;
const SALT: u64 = 6;
const DATA: u64 = 7;

/// The payload is JSON text. Other encodings (sealed with a key, erased) come with later releases.
pub(crate) const ENCODING_JSON: u64 = 0;

/// Fields of a stored event. Absent fields have their default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventFields<'a> {
    /// UTF-8, see [`EventFields::event_type`].
    pub(crate) event_type: &'a [u8],
    pub(crate) schema_version: u64,
    pub(crate) occurred_at: i64,
    /// JSON text.
    pub(crate) metadata: Option<&'a [u8]>,
    pub(crate) encoding: u64,
    pub(crate) salt: &'a [u8],
    /// JSON text under [`ENCODING_JSON`].
    pub(crate) data: Option<&'a [u8]>,
}

/// Appends the fields of a new event.
pub(crate) fn put_event(out: &mut Vec<u8>, event: &NewEvent<'_>) {
    put_field(out, TYPE, event.event_type.as_bytes());
    if event.schema_version != 1 {
        put_number(out, SCHEMA_VERSION, event.schema_version.into());
    }
    put_signed_number(out, OCCURRED_AT, event.occurred_at);
    if let Some(metadata) = event.metadata {
        put_field(out, METADATA, metadata.get().as_bytes());
    }
    if !event.salt.is_empty() {
        put_field(out, SALT, &event.salt);
    }
    if let Some(data) = event.data {
        put_field(out, DATA, data.get().as_bytes());
    }
}

/// Reads the fields of an event. Unknown tags are passed over; they stay in the bytes. Whether texts are UTF-8 is for
/// its caller to find out: a replay checks a whole page at once.
pub(crate) fn read_event(bytes: &[u8]) -> Result<EventFields<'_>, FormatError> {
    let mut event = EventFields {
        event_type: &[],
        schema_version: 1,
        occurred_at: 0,
        metadata: None,
        encoding: ENCODING_JSON,
        salt: &[],
        data: None,
    };
    let mut at = 0;
    while at < bytes.len() {
        let tag = quick_varint(bytes, &mut at)?;
        let length = quick_varint(bytes, &mut at)? as usize;
        let end = at.saturating_add(length);
        let field = bytes.get(at..end).ok_or(FormatError::Cut)?;
        match tag {
            TYPE => event.event_type = field,
            SCHEMA_VERSION => event.schema_version = number(field)?,
            OCCURRED_AT => event.occurred_at = signed(field)?,
            METADATA => event.metadata = Some(field),
            ENCODING => event.encoding = number(field)?,
            SALT => event.salt = field,
            DATA => event.data = Some(field),
            _ => {}
        }
        at = end;
    }
    if event.event_type.is_empty() {
        return Err(FormatError::Missing("type"));
    }
    Ok(event)
}

fn number(field: &[u8]) -> Result<u64, FormatError> {
    let mut reader = Reader::new(field);
    let number = reader.varint();
    reader.end().map(|()| number)
}

fn signed(field: &[u8]) -> Result<i64, FormatError> {
    let mut reader = Reader::new(field);
    let number = reader.signed();
    reader.end().map(|()| number)
}

impl<'a> EventFields<'a> {
    /// The type, a text.
    pub(crate) fn event_type(&self) -> Result<&'a str, FormatError> {
        str::from_utf8(self.event_type).map_err(|_| FormatError::Malformed("type"))
    }
}
