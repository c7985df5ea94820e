//! Rows of one projection in memory, as far as they are known, and the events that are folded into them.
//!
//! An event whose rows are all known is folded at once. The first that needs a stored row waits, and all
//! after it, so that one read fetches what a whole page needs and rows see events in the order of the
//! log.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use foldhash::fast::FixedState;

use super::fold_error::FoldError;
use super::rows::RowChange;
use super::typed_event::typed_event;
use crate::event::RecordedEvent;
use crate::json::{RawJson, put_text};
use crate::log::FormatError;
use crate::log::block::Recorded;
use crate::log::event::EventFields;
use crate::projection::{IndexValue, Keys, Projection};

/// The rows of any projection.
pub(crate) trait Rows: fmt::Debug {
    /// Folds the next event, or keeps it until its rows are known.
    fn put(&mut self, event: &Recorded<'_>, fields: &EventFields<'_>) -> Result<(), FoldError>;

    /// Keys whose rows must be told before anything else.
    fn unknown(&mut self) -> Vec<String>;

    /// Tells a row, JSON.
    fn know(&mut self, key: String, row: Option<&str>) -> Result<(), FoldError>;

    /// Folds what waited.
    fn resume(&mut self);

    /// How many rows have changed and are not settled.
    fn changed(&self) -> usize;

    /// Their keys.
    fn changed_keys(&self) -> Vec<&str>;

    /// The rows that have changed.
    fn changes(&self) -> Result<Vec<Changed>, FoldError>;

    /// The changes are stored.
    fn settle(&mut self);

    /// Knows no row any more.
    fn clear(&mut self);
}

/// A changed row: key, JSON if it is there, index values as stored and as they are now.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) key: Rc<str>,
    row: Option<String>,
    before: Vec<Option<IndexValue<'static>>>,
    after: Vec<Option<IndexValue<'static>>>,
}

impl Changed {
    pub(crate) fn into_text(self) -> Option<(String, String)> {
        Some((self.key.to_string(), self.row?))
    }

    /// Appends it as JSON: key, row, index values before and after.
    pub(crate) fn put(&self, out: &mut String) {
        out.push('[');
        put_text(out, &self.key);
        out.push(',');
        out.push_str(self.row.as_deref().unwrap_or("null"));
        for values in [&self.before, &self.after] {
            out.push_str(",[");
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                match value {
                    None => out.push_str("null"),
                    Some(IndexValue::Text(text)) => put_text(out, text),
                    Some(IndexValue::Number(number)) => out.push_str(&number.to_string()),
                }
            }
            out.push(']');
        }
        out.push(']');
    }

    pub(crate) fn as_change(&self) -> RowChange<'_> {
        RowChange(
            (&*self.key).into(),
            self.row.as_deref().map(RawJson::trusted),
            self.before.clone(),
            self.after.clone(),
        )
    }
}

/// Rows kept after they were stored; above that, they are read again when they are needed.
const ROWS_KEPT: usize = 100_000;

/// See the module.
pub(crate) struct KnownRows<P: Projection> {
    // Found once an event: the standard hasher took a seventh of a fold's time.
    rows: HashMap<Rc<str>, Known<P::Row>, FixedState>,
    /// Whether what is not here is not stored either.
    complete: bool,
    changed: Vec<Rc<str>>,
    waiting: Vec<Waiting<P::Event>>,
    unknown: Vec<String>,
}

struct Known<Row> {
    row: Option<Row>,
    changed: bool,
    /// Index values as stored, once it has changed.
    stored: Vec<Option<IndexValue<'static>>>,
}

impl<Row> Known<Row> {
    fn new(row: Option<Row>) -> Self {
        Self {
            row,
            changed: false,
            stored: Vec::new(),
        }
    }
}

/// An event with what it borrowed from a page.
struct Waiting<E> {
    event: RecordedEvent<'static, E>,
    stream_id: String,
    event_type: String,
    metadata: Option<String>,
}

impl<P: Projection> KnownRows<P> {
    /// No row is known; `complete` if none is stored.
    pub(crate) fn new(complete: bool) -> Self {
        Self {
            rows: HashMap::default(),
            complete,
            changed: Vec::new(),
            waiting: Vec::new(),
            unknown: Vec::new(),
        }
    }

    fn fold(&mut self, event: &RecordedEvent<'_, P::Event>, keys: &Keys<'_>) {
        for key in keys.each_once() {
            if let Some(known) = self.rows.get_mut(key) {
                if !known.changed {
                    known.changed = true;
                    known.stored = index_values::<P>(known.row.as_ref());
                    self.changed.push(key.into());
                }
                known.row = P::evolve(known.row.take(), event, key);
            } else {
                let shared: Rc<str> = key.into();
                let known = Known {
                    row: P::evolve(None, event, key),
                    changed: true,
                    stored: index_values::<P>(None),
                };
                self.changed.push(Rc::clone(&shared));
                self.rows.insert(shared, known);
            }
        }
    }
}

impl<P: Projection> Rows for KnownRows<P> {
    fn put(&mut self, recorded: &Recorded<'_>, fields: &EventFields<'_>) -> Result<(), FoldError> {
        let event = typed::<P>(recorded, fields)?;
        let keys = P::keys(&event);
        if !self.complete {
            let missing = keys.each_once().filter(|key| !self.rows.contains_key(*key));
            let before = self.unknown.len();
            self.unknown.extend(missing.map(str::to_owned));
            if self.unknown.len() > before || !self.waiting.is_empty() {
                drop(keys);
                self.waiting.push(Waiting::new(event));
                return Ok(());
            }
        }
        self.fold(&event, &keys);
        Ok(())
    }

    fn unknown(&mut self) -> Vec<String> {
        let mut keys = std::mem::take(&mut self.unknown);
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn know(&mut self, key: String, row: Option<&str>) -> Result<(), FoldError> {
        let row = row
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| FoldError::row::<P>(&key, &error))?;
        self.rows.insert(key.into(), Known::new(row));
        Ok(())
    }

    fn resume(&mut self) {
        for waiting in std::mem::take(&mut self.waiting) {
            let Waiting {
                event,
                stream_id,
                event_type,
                metadata,
            } = waiting;
            let event = RecordedEvent {
                event: event.event,
                stream_id: &stream_id,
                event_type: &event_type,
                metadata: metadata.as_deref(),
                version: event.version,
                position: event.position,
                schema_version: event.schema_version,
                occurred_at: event.occurred_at,
            };
            self.fold(&event, &P::keys(&event));
        }
    }

    fn changed(&self) -> usize {
        self.changed.len()
    }

    fn changed_keys(&self) -> Vec<&str> {
        self.changed.iter().map(|key| &**key).collect()
    }

    fn changes(&self) -> Result<Vec<Changed>, FoldError> {
        let mut changes = Vec::with_capacity(self.changed.len());
        for key in &self.changed {
            let Some(known) = self.rows.get(key) else { continue };
            let row = known.row.as_ref().map(serde_json::to_string).transpose();
            let after = index_values::<P>(known.row.as_ref());
            let finite = |value: &Option<IndexValue<'_>>| !matches!(value, Some(IndexValue::Number(number)) if !number.is_finite());
            if !after.iter().all(finite) {
                return Err(FoldError::row::<P>(key, &"an index value is not a finite number"));
            }
            changes.push(Changed {
                key: Rc::clone(key),
                row: row.map_err(|error| FoldError::row::<P>(key, &error))?,
                before: known.stored.clone(),
                after,
            });
        }
        Ok(changes)
    }

    fn settle(&mut self) {
        for key in self.changed.drain(..) {
            if let Some(known) = self.rows.get_mut(&key) {
                known.changed = false;
            }
        }
        if self.rows.len() > ROWS_KEPT {
            self.clear();
        }
    }

    fn clear(&mut self) {
        *self = Self::new(false);
    }
}

impl<P: Projection> fmt::Debug for KnownRows<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} rows of {}", self.rows.len(), P::NAME)
    }
}

impl<E> Waiting<E> {
    fn new(event: RecordedEvent<'_, E>) -> Self {
        Self {
            stream_id: event.stream_id.to_owned(),
            event_type: event.event_type.to_owned(),
            metadata: event.metadata.map(str::to_owned),
            event: RecordedEvent {
                event: event.event,
                stream_id: "",
                event_type: "",
                metadata: None,
                version: event.version,
                position: event.position,
                schema_version: event.schema_version,
                occurred_at: event.occurred_at,
            },
        }
    }
}

fn index_values<P: Projection>(row: Option<&P::Row>) -> Vec<Option<IndexValue<'static>>> {
    let value = |index: &crate::projection::Index<P::Row>| row.and_then(index.value).map(IndexValue::into_owned);
    P::INDEXES.iter().map(value).collect()
}

/// An event as the type that the projection has for it.
fn typed<'a, P: Projection>(
    recorded: &Recorded<'a>,
    fields: &EventFields<'a>,
) -> Result<RecordedEvent<'a, P::Event>, FoldError> {
    let text = |bytes: &'a [u8], what| {
        str::from_utf8(bytes).map_err(|_| FoldError::format(recorded, FormatError::Malformed(what)))
    };
    let event_type = text(fields.event_type, "type")?;
    Ok(RecordedEvent {
        event: typed_event(P::NAME, u64::from(P::schema_version(event_type)), recorded, fields)?,
        stream_id: recorded.stream,
        version: recorded.version,
        position: recorded.position,
        event_type,
        schema_version: fields.schema_version as u32,
        occurred_at: fields.occurred_at,
        metadata: fields.metadata.map(|metadata| text(metadata, "metadata")).transpose()?,
    })
}
