//! Where a device is in the log of a space.

use std::fmt;
use std::str::FromStr;

use super::chain::{Hash, HashPrefix, first_hash, parse_hex, write_hex};
use crate::json::{FromJson, JsonReader, ObjectWriter};

/// A life of the log of a space: random, and another one whenever the log may have lost its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub [u8; 16]);

/// The end of a log: the number of its last commit, 0 if it has none, and the hash of the chain there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of the last commit.
    pub number: u64,
    /// Hash of the chain at it.
    pub hash: Hash,
}

/// A place in the log of a space: after commit `number`, whose hash begins so, in this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the log.
    pub epoch: Epoch,
    /// Number of the last commit before the place; 0 at the beginning.
    pub number: u64,
    /// Beginning of the hash at that number.
    pub hash: HashPrefix,
}

/// A text that is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor, EPOCH.NUMBER.HASH")]
pub struct InvalidCursor;

impl Head {
    /// The end of the log of `space` before its first commit.
    pub fn first(space: &str) -> Self {
        Self {
            number: 0,
            hash: first_hash(space),
        }
    }

    /// The cursor of this place.
    pub fn cursor(&self, epoch: Epoch) -> Cursor {
        Cursor {
            epoch,
            number: self.number,
            hash: self.hash.prefix(),
        }
    }

    /// Appends its JSON.
    pub fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        object.number("number", self.number as i64);
        object.text("hash", &self.hash.to_string());
        object.end();
    }
}

impl FromJson<'_> for Head {
    fn read(json: &mut JsonReader<'_>) -> Self {
        let (mut number, mut hash) = (None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "number" => number = Some(u64::read(json)),
                "hash" => hash = Some(Hash::read(json)),
                _ => drop(json.raw()),
            }
        }
        Self {
            number: json.required(number, "number"),
            hash: hash.unwrap_or_else(|| {
                json.fail("hash");
                Hash([0; 32])
            }),
        }
    }
}

impl FromJson<'_> for Hash {
    fn read(json: &mut JsonReader<'_>) -> Self {
        json.text().parse().unwrap_or_else(|_| {
            json.fail("a hash of 64 digits");
            Self([0; 32])
        })
    }
}

impl FromJson<'_> for Epoch {
    fn read(json: &mut JsonReader<'_>) -> Self {
        json.text().parse().unwrap_or_else(|_| {
            json.fail("an epoch of 32 digits");
            Self([0; 16])
        })
    }
}

impl FromJson<'_> for Cursor {
    fn read(json: &mut JsonReader<'_>) -> Self {
        json.text().parse().unwrap_or_else(|_| {
            json.fail("a cursor");
            Self::NOWHERE
        })
    }
}

impl Cursor {
    /// What stands for a cursor that could not be read, until that is told.
    pub(crate) const NOWHERE: Self = Self {
        epoch: Epoch([0; 16]),
        number: 0,
        hash: HashPrefix([0; 8]),
    };
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.epoch, self.number, self.hash)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(InvalidCursor);
        let (epoch, number, hash) = (next()?, next()?, next()?);
        let is_plain = number == "0" || !number.starts_with(['0', '+']);
        if !is_plain || number.len() > 16 || parts.next().is_some() {
            return Err(InvalidCursor);
        }
        Ok(Self {
            epoch: epoch.parse().map_err(|_| InvalidCursor)?,
            number: number.parse().map_err(|_| InvalidCursor)?,
            hash: hash.parse().map_err(|_| InvalidCursor)?,
        })
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, formatter)
    }
}

impl FromStr for Epoch {
    type Err = super::chain::InvalidHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_hex(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0f3c0f3c0f3c0f3c0f3c0f3c0f3c0f3c.4711.9a00000000000001";

    #[test]
    fn a_cursor_is_written_as_it_was_read() {
        let cursor: Cursor = TEXT.parse().unwrap();

        assert_eq!(cursor.number, 4711);
        assert_eq!(cursor.to_string(), TEXT);
    }

    #[test]
    fn what_is_not_a_cursor_is_refused() {
        for text in [
            "",
            ".",
            "..",
            &TEXT[1..],
            &format!("{TEXT}0"),
            &format!("{TEXT}.1"),
            &TEXT.to_uppercase(),
            &TEXT.replace("4711", "04711"),
            &TEXT.replace("4711", "+4711"),
            &TEXT.replace("4711", "-1"),
            &TEXT.replace("4711", ""),
            &TEXT.replace("4711", "99999999999999999"),
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }

    #[test]
    fn the_beginning_is_another_place_in_each_space() {
        let epoch = Epoch([7; 16]);

        assert_eq!(Head::first("a").cursor(epoch).number, 0);
        assert_ne!(Head::first("a").cursor(epoch), Head::first("b").cursor(epoch));
    }
}
