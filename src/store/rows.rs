//! Rows of projections: read by key, by range or through an index. How they are written is in `write`.

mod query;
mod write;

use std::borrow::Cow;

pub use self::query::{After, RowQuery};
pub use self::write::{RowChange, RowWrite};
use super::projections::generation_key;
use super::storage::{Entry, Key, KeyRange, Order, Read, Storage, Table};
use super::{Store, StoreError};
use crate::json::put_text;
use crate::log::FormatError;
use crate::projection::IndexValue;

impl<S: Storage> Store<S> {
    /// Rows by key, a JSON list with null for what is missing; none if the generation is gone.
    pub async fn rows(&self, generation: u64, keys: &[Cow<'_, str>]) -> Result<Option<String>, StoreError> {
        let Some(found) = self.row_texts(generation, keys).await? else {
            return Ok(None);
        };
        let mut out = String::from("[");
        for (number, row) in found.into_iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            out.push_str(row.as_deref().unwrap_or("null"));
        }
        out.push(']');
        Ok(Some(out))
    }

    /// Rows by key, as texts; none if the generation is gone.
    pub(crate) async fn row_texts(
        &self,
        generation: u64,
        keys: &[impl AsRef<str>],
    ) -> Result<Option<Vec<Option<String>>>, StoreError> {
        self.check_open()?;
        let mut reads = vec![Read::Get(Table::Meta, generation_key(generation))];
        reads.extend(
            keys.iter()
                .map(|key| Read::Get(Table::Rows, row_key(generation, key.as_ref()))),
        );
        let mut found = self.storage.read(reads).await?.into_iter();
        if found.next().is_none_or(|marker| marker.is_empty()) {
            return Ok(None);
        }
        found
            .map(|entries| entries.into_iter().next().map(into_text).transpose())
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Rows of a range, a JSON list of `[key, row]`; none if the generation is gone.
    pub async fn list_rows(&self, query: &RowQuery<'_>) -> Result<Option<String>, StoreError> {
        let Some(found) = self.find_rows(query).await? else {
            return Ok(None);
        };
        let mut out = String::from("[");
        for (key, row) in found {
            out.push_str(if out.len() == 1 { "[" } else { ",[" });
            put_text(&mut out, &key);
            out.push(',');
            out.push_str(&row);
            out.push(']');
        }
        out.push(']');
        Ok(Some(out))
    }

    /// Rows of a range, key and text; none if the generation is gone.
    pub(crate) async fn find_rows(&self, query: &RowQuery<'_>) -> Result<Option<Vec<(String, String)>>, StoreError> {
        self.check_open()?;
        let order = if query.reverse {
            Order::Descending
        } else {
            Order::Ascending
        };
        let (range, limit) = (query::range_of(query), query.limit);
        let read = match query.index {
            Some(_) => Read::Indexed { range, order, limit },
            None => Read::Scan {
                table: Table::Rows,
                range,
                order,
                limit,
            },
        };
        let mut found = self
            .storage
            .read(vec![Read::Get(Table::Meta, generation_key(query.generation)), read])
            .await?
            .into_iter();
        if found.next().is_none_or(|marker| marker.is_empty()) {
            return Ok(None);
        }
        let rows = found
            .flatten()
            .map(|entry| Ok((key_of(&entry).to_owned(), into_text(entry)?)));
        rows.collect::<Result<_, StoreError>>().map(Some)
    }

    /// How many rows a generation has; none if it is gone.
    pub async fn count_rows(&self, generation: u64) -> Result<Option<u64>, StoreError> {
        self.check_open()?;
        let reads = vec![
            Read::Get(Table::Meta, generation_key(generation)),
            Read::Count(Table::Rows, KeyRange::prefix(&[Key::from(generation)])),
        ];
        let mut found = self.storage.read(reads).await?.into_iter();
        if found.next().is_none_or(|marker| marker.is_empty()) {
            return Ok(None);
        }
        Ok(found.flatten().next().map(|entry| super::log::number(&entry.key)))
    }
}

fn row_key(generation: u64, key: &str) -> Key {
    Key::from([Key::from(generation), Key::from(key)])
}

/// The value as a part of a key of the index.
fn index_key(value: &IndexValue<'_>) -> Key {
    match value {
        IndexValue::Number(number) => Key::Number(*number),
        IndexValue::Text(text) => Key::from(&**text),
    }
}

/// The key by which the app knows a row.
fn key_of(entry: &Entry) -> &str {
    match &entry.key {
        Key::List(parts) => match parts.last() {
            Some(Key::Text(key)) => key,
            _ => "",
        },
        _ => "",
    }
}

fn into_text(entry: Entry) -> Result<String, StoreError> {
    let Entry { key, value } = entry;
    String::from_utf8(value).map_err(|error| {
        let entry = Entry {
            key,
            value: error.into_bytes(),
        };
        StoreError::format(format!("row {}", key_of(&entry)), FormatError::Malformed("row"))
    })
}
