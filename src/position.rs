//! Position: the place of an event in the whole log.

use std::fmt;

use serde::Serialize;

use crate::json::{FromJson, JsonReader};

/// Place of an event in the log, across streams: 1, 2, 3…; 0 is before the first. Provisional while
/// the event's commit is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl FromJson<'_> for Position {
    fn read(json: &mut JsonReader<'_>) -> Self {
        Self(u64::read(json))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{}", self.0)
    }
}
