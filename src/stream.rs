//! Streams: the ordered events of one subject, and what a writer believes about one.

use std::fmt;

use serde::Serialize;

use crate::json::{FromJson, JsonReader};

/// Longest stream id and commit id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 512;

/// Largest version, position and time that a JavaScript number holds exactly: 2^53 - 1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Place of an event in its stream: 1, 2, 3…. The version of a stream is that of its last event, 0
/// when it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl FromJson<'_> for Version {
    fn read(json: &mut JsonReader<'_>) -> Self {
        Self(u64::read(json))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a writer believes about a stream. A store appends only if it is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpectedVersion {
    /// Nothing: append whatever is there.
    #[default]
    Any,
    /// The stream has no events.
    NoStream,
    /// The stream has at least one event.
    StreamExists,
    /// The stream is at exactly this version.
    Exact(Version),
}

impl ExpectedVersion {
    /// Whether a stream at `actual` is what the writer believed.
    pub fn holds(self, actual: Version) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual.0 == 0,
            Self::StreamExists => actual.0 > 0,
            Self::Exact(expected) => actual == expected,
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any"),
            Self::NoStream => formatter.write_str("no-stream"),
            Self::StreamExists => formatter.write_str("stream-exists"),
            Self::Exact(version) => version.fmt(formatter),
        }
    }
}

impl Serialize for ExpectedVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exact(version) => version.serialize(serializer),
            other => serializer.collect_str(other),
        }
    }
}

impl FromJson<'_> for ExpectedVersion {
    fn read(json: &mut JsonReader<'_>) -> Self {
        if !json.is_text() {
            return Self::Exact(Version::read(json));
        }
        match &*json.text() {
            "any" => return Self::Any,
            "no-stream" => return Self::NoStream,
            "stream-exists" => return Self::StreamExists,
            _ => json.fail("a version, \"any\", \"no-stream\" or \"stream-exists\""),
        }
        Self::Any
    }
}

/// An expectation that was not met: someone else wrote first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stream {stream} is at version {actual}, expected {expected}")]
pub struct Conflict {
    /// The stream.
    pub stream: String,
    /// What the writer believed.
    pub expected: ExpectedVersion,
    /// Where the stream is.
    pub actual: Version,
}

/// Why a text is not the id of a stream or of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidId {
    /// It has no characters.
    #[error("an id is empty")]
    Empty,
    /// It is longer than [`MAX_ID_BYTES`].
    #[error("an id is {0} bytes long, at most {MAX_ID_BYTES} are allowed")]
    TooLong(usize),
    /// It contains a control character.
    #[error("an id contains the control character U+{0:04X}")]
    ControlCharacter(u32),
}

/// Whether `id` may name a stream or a commit: 1 to 512 bytes without control characters. It is not
/// normalised: two spellings of one letter are two ids.
pub fn check_id(id: &str) -> Result<(), InvalidId> {
    if id.is_empty() {
        return Err(InvalidId::Empty);
    }
    if id.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong(id.len()));
    }
    match id.chars().find(|character| character.is_control()) {
        Some(character) => Err(InvalidId::ControlCharacter(character.into())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_1_to_512_bytes() {
        assert_eq!(check_id(""), Err(InvalidId::Empty));
        assert_eq!(check_id("a"), Ok(()));
        assert_eq!(check_id(&"ä".repeat(256)), Ok(()));
        assert_eq!(check_id(&"ä".repeat(257)), Err(InvalidId::TooLong(514)));
    }

    #[test]
    fn an_id_has_no_control_characters() {
        assert_eq!(check_id("a\u{7f}"), Err(InvalidId::ControlCharacter(0x7f)));
        assert_eq!(check_id("a\u{85}"), Err(InvalidId::ControlCharacter(0x85)));
        assert_eq!(check_id("a b\u{200d}"), Ok(()));
    }

    #[test]
    fn a_conflict_tells_both_versions() {
        let conflict = Conflict {
            stream: "account-1".to_owned(),
            expected: ExpectedVersion::Exact(Version(3)),
            actual: Version(5),
        };

        assert_eq!(conflict.to_string(), "stream account-1 is at version 5, expected 3");
    }
}
