//! Projections: rules that keep rows by key, folded from events of any stream.
//!
//! Rows are disposable. They belong to one version of the projection; a new version builds its own.
//!
//! ```
//! use everfold::event::RecordedEvent;
//! use everfold::projection::{Index, Keys, Partition, Projection};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! #[serde(tag = "type", content = "data")]
//! enum Paid {
//!     #[serde(rename = "invoice.paid")]
//!     Paid { amount: i64 },
//! }
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Turnover {
//!     amount: i64,
//! }
//!
//! struct Turnovers;
//!
//! impl Projection for Turnovers {
//!     const NAME: &'static str = "turnovers";
//!     const VERSION: u32 = 1;
//!     const AGGREGATES: &'static [&'static str] = &["invoice"];
//!     const EVENTS: &'static [&'static str] = &["invoice.paid"];
//!     const PARTITION: Partition = Partition::Stream;
//!     const INDEXES: &'static [Index<Turnover>] = &[Index {
//!         name: "amount",
//!         value: |row| Some((row.amount as f64).into()),
//!     }];
//!     type Event = Paid;
//!     type Row = Turnover;
//!
//!     fn keys<'e>(event: &'e RecordedEvent<'_, Paid>) -> Keys<'e> {
//!         event.stream_id.into()
//!     }
//!
//!     fn evolve(row: Option<Turnover>, event: &RecordedEvent<'_, Paid>, _key: &str) -> Option<Turnover> {
//!         let Paid::Paid { amount } = event.event;
//!         Some(Turnover { amount: row.map_or(0, |row| row.amount) + amount })
//!     }
//! }
//! ```

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::RecordedEvent;
use crate::json::{FromJson, JsonReader, put_text};

/// The rules of one projection.
pub trait Projection: 'static {
    /// Name of the projection: lower-case letters, digits and underscores.
    const NAME: &'static str;
    /// Raise it when anything below changes: rows are then built anew.
    const VERSION: u32;
    /// Names of the aggregates whose events are wanted; empty: every stream.
    const AGGREGATES: &'static [&'static str] = &[];
    /// The event types that are wanted; empty: every type, all of which [`Event`](Self::Event) must know.
    const EVENTS: &'static [&'static str] = &[];
    /// Which streams meet in one row.
    const PARTITION: Partition = Partition::Log;
    /// Secondary indexes. An index's number is its place here: with other names, or in another order, under the same
    /// version a view says so and reads nothing until it is rebuilt.
    const INDEXES: &'static [Index<Self::Row>] = &[];

    /// What happened: an enum with `#[serde(tag = "type", content = "data")]`. It is read from the stored
    /// payload itself.
    type Event: DeserializeOwned;
    /// What is kept under a key. It must be JSON: no map with keys that are not texts.
    type Row: Serialize + DeserializeOwned + 'static;

    /// Which rows an event is about. A key that comes twice counts once.
    fn keys<'e>(event: &'e RecordedEvent<'_, Self::Event>) -> Keys<'e>;

    /// The row of `key` after an event; none deletes it, or leaves it out. Total: it is called once for
    /// each key of whatever was stored.
    fn evolve(row: Option<Self::Row>, event: &RecordedEvent<'_, Self::Event>, key: &str) -> Option<Self::Row>;

    /// The schema version of an event type that this code knows. Events of later ones stop the
    /// projection; older ones are read as they are, by serde's `default` and `alias`.
    fn schema_version(_event_type: &str) -> u32 {
        1
    }
}

/// Which streams meet in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partition {
    /// Any: the whole log is folded in its order.
    #[default]
    Log,
    /// None: every row is of one stream, so streams may be folded apart from each other.
    Stream,
}

/// The names of a projection's indexes, a JSON list, as they are stored with its rows.
pub fn index_names<P: Projection>() -> String {
    let mut names = String::from("[");
    for index in P::INDEXES {
        if names.len() > 1 {
            names.push(',');
        }
        put_text(&mut names, index.name);
    }
    names.push(']');
    names
}

/// A secondary index: finds rows by a value of theirs.
#[derive(Debug)]
pub struct Index<Row> {
    /// Its name.
    pub name: &'static str,
    /// The value of a row; none leaves the row out.
    pub value: fn(&Row) -> Option<IndexValue<'_>>,
}

/// A value by which rows are found: numbers come before texts.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexValue<'a> {
    /// A finite number.
    Number(f64),
    /// Text, ordered by UTF-16 code units as JavaScript orders it.
    Text(Cow<'a, str>),
}

impl IndexValue<'_> {
    /// The same value, of nobody else's.
    pub(crate) fn into_owned(self) -> IndexValue<'static> {
        match self {
            Self::Number(number) => IndexValue::Number(number),
            Self::Text(text) => IndexValue::Text(text.into_owned().into()),
        }
    }
}

impl From<f64> for IndexValue<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a str> for IndexValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for IndexValue<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> FromJson<'a> for IndexValue<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        if json.is_text() {
            Self::Text(json.text())
        } else {
            Self::Number(json.float())
        }
    }
}

/// The keys of the rows that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys<'e> {
    /// No row.
    None,
    /// One row.
    One(Cow<'e, str>),
    /// Several rows.
    Many(Vec<Cow<'e, str>>),
}

impl Keys<'_> {
    /// The keys, each once.
    pub(crate) fn each_once(&self) -> impl Iterator<Item = &str> {
        let keys = match self {
            Self::None => [].as_slice(),
            Self::One(key) => std::slice::from_ref(key),
            Self::Many(keys) => keys,
        };
        keys.iter()
            .enumerate()
            .filter(|(place, key)| keys.iter().position(|other| other == *key) == Some(*place))
            .map(|(_, key)| &**key)
    }
}

impl<'e> From<&'e str> for Keys<'e> {
    fn from(key: &'e str) -> Self {
        Self::One(key.into())
    }
}

impl From<String> for Keys<'_> {
    fn from(key: String) -> Self {
        Self::One(key.into())
    }
}

impl<'e, K: Into<Cow<'e, str>>> From<Option<K>> for Keys<'e> {
    fn from(key: Option<K>) -> Self {
        key.map_or(Self::None, |key| Self::One(key.into()))
    }
}

impl<'e, K: Into<Cow<'e, str>>> FromIterator<K> for Keys<'e> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        Self::Many(keys.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_comes_twice_counts_once() {
        let keys: Keys<'_> = ["a", "b", "a"].into_iter().collect();

        assert_eq!(keys.each_once().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(Keys::from("c").each_once().collect::<Vec<_>>(), ["c"]);
        assert_eq!(Keys::from(None::<&str>).each_once().count(), 0);
    }
}
