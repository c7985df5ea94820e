//! Which rows are asked for, and the range of keys that this is.

use std::borrow::Cow;

use super::index_key;
use crate::json::{FromJson, JsonReader};
use crate::projection::IndexValue;
use crate::store::storage::{Bound, Key, KeyRange};

/// A range of rows. Without `index` the bounds are keys.
#[derive(Debug, Default)]
pub struct RowQuery<'a> {
    /// Of which generation.
    pub generation: u64,
    /// By which index.
    pub index: Option<u64>,
    /// At least.
    pub gte: Option<IndexValue<'a>>,
    /// Above.
    pub gt: Option<IndexValue<'a>>,
    /// At most.
    pub lte: Option<IndexValue<'a>>,
    /// Below.
    pub lt: Option<IndexValue<'a>>,
    /// Texts that begin so.
    pub prefix: Option<Cow<'a, str>>,
    /// Highest first.
    pub reverse: bool,
    /// At most so many.
    pub limit: Option<u32>,
    /// The last row of the page before.
    pub after: Option<After<'a>>,
}

/// Where a page begins.
#[derive(Debug)]
pub struct After<'a> {
    /// The index value, when reading by index.
    pub value: Option<IndexValue<'a>>,
    /// The key.
    pub key: Cow<'a, str>,
}

impl<'a> FromJson<'a> for RowQuery<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let mut query = Self::default();
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "generation" => query.generation = u64::read(json),
                "index" => query.index = Option::read(json),
                "gte" => query.gte = Option::read(json),
                "gt" => query.gt = Option::read(json),
                "lte" => query.lte = Option::read(json),
                "lt" => query.lt = Option::read(json),
                "prefix" => query.prefix = Option::read(json),
                "reverse" => query.reverse = bool::read(json),
                "limit" => query.limit = Option::read(json),
                "after" => query.after = Option::read(json),
                _ => drop(json.raw()),
            }
        }
        query
    }
}

impl<'a> FromJson<'a> for After<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut value, mut key) = (None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "value" => value = Option::read(json),
                "key" => key = Some(json.text()),
                _ => drop(json.raw()),
            }
        }
        Self {
            value,
            key: json.required(key, "key"),
        }
    }
}

/// The range of keys, of rows or of index entries, that a query means.
pub(super) fn range_of(query: &RowQuery<'_>) -> KeyRange {
    let mut prefix = vec![Key::from(query.generation)];
    prefix.extend(query.index.map(Key::from));
    let inside = |key: Key| {
        let mut parts = prefix.clone();
        parts.push(key);
        parts
    };
    // Every entry with this value, whatever its key, lies between the value alone and the value
    // followed by an empty list.
    let start = |key: Key| Key::List(inside(key));
    let end = |key: Key| {
        let mut parts = inside(key);
        parts.push(Key::List(Vec::new()));
        Key::List(parts)
    };
    let mut range = KeyRange::prefix(&prefix);
    if let Some(value) = &query.gte {
        raise(&mut range, Bound::Including(start(index_key(value))));
    }
    if let Some(value) = &query.gt {
        raise(&mut range, Bound::Excluding(end(index_key(value))));
    }
    if let Some(value) = &query.lte {
        lower(&mut range, Bound::Excluding(end(index_key(value))));
    }
    if let Some(value) = &query.lt {
        lower(&mut range, Bound::Excluding(start(index_key(value))));
    }
    if let Some(text) = &query.prefix {
        raise(&mut range, Bound::Including(start(Key::from(&**text))));
        // U+FFFF is the last code unit and no character: nobody's text goes on with eight of them.
        lower(
            &mut range,
            Bound::Excluding(end(Key::Text(format!("{text}{}", "\u{ffff}".repeat(8))))),
        );
    }
    if let Some(after) = &query.after {
        let key = Key::from(&*after.key);
        let mut parts = prefix.clone();
        parts.extend(after.value.as_ref().map(index_key));
        parts.push(key);
        let bound = Bound::Excluding(Key::List(parts));
        if query.reverse {
            lower(&mut range, bound);
        } else {
            raise(&mut range, bound);
        }
    }
    range
}

/// Moves the lower end of a range up, never down.
fn raise(range: &mut KeyRange, bound: Bound) {
    if let (Some(now), Some(new)) = (bound_key(&range.lower), bound_key(&bound))
        && (new > now || (new == now && matches!(bound, Bound::Excluding(_))))
    {
        range.lower = bound;
    }
}

/// Moves the upper end of a range down, never up.
fn lower(range: &mut KeyRange, bound: Bound) {
    if let (Some(now), Some(new)) = (bound_key(&range.upper), bound_key(&bound))
        && (new < now || (new == now && matches!(bound, Bound::Excluding(_))))
    {
        range.upper = bound;
    }
}

fn bound_key(bound: &Bound) -> Option<&Key> {
    match bound {
        Bound::Open => None,
        Bound::Including(key) | Bound::Excluding(key) => Some(key),
    }
}
