//! Events as one JSON document and a list of numbers: how a batch crosses into JavaScript.
//!
//! Streams, types and commits are written once and referred to by number; what an event has in numbers
//! is eight of a flat list, which needs no parsing. `ts/core.ts` describes it as `CoreBatch`.

use super::StoreError;
use super::read::Sink;
use crate::json::{put_number, put_text};
use crate::log::block::Recorded;
use crate::log::commit::read_commit;
use crate::log::event::{ENCODING_JSON, EventFields};
use crate::log::record::CommitStatus;

/// Events of a page that is full; of one that may end with its segment, half as many.
const PAGE_EVENTS: usize = 2_048;
/// Length of a page's text above which it is full before.
const PAGE_TEXT: usize = 1 << 20;

/// About so long is the data of an event.
const EVENT_TEXT: usize = 144;

/// Events for JavaScript.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// A JSON document: data, metadata, types, streams, commits.
    pub text: String,
    /// Eight for each event: numbers of type and stream, version, position, occurredAt, number of the
    /// commit, index in the commit, schema version.
    pub numbers: Vec<f64>,
}

impl Batch {
    /// How many events it holds.
    pub fn events(&self) -> usize {
        self.numbers.len() / 8
    }

    /// The numbers put into the document, as `numbers`.
    pub fn into_document(self) -> String {
        let mut out = self.text;
        out.pop();
        out.push_str(",\"numbers\":[");
        for (place, number) in self.numbers.into_iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            put_number(&mut out, number as i64);
        }
        out.push_str("]}");
        out
    }
}

/// Writes a batch, event by event.
#[derive(Debug)]
pub(crate) struct BatchWriter {
    limit: usize,
    /// The document from its beginning, as far as data goes.
    text: Vec<u8>,
    metadata: Vec<u8>,
    types: Vec<Vec<u8>>,
    /// Numbers in this batch of the streams as the log numbers them, or none.
    stream_numbers: Vec<Option<u32>>,
    streams: String,
    stream_count: u32,
    commits: String,
    commit_count: usize,
    envelope: Vec<u8>,
    numbers: Vec<f64>,
    count: usize,
}

impl BatchWriter {
    /// A writer of at most `limit` events.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self {
            limit: limit.unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS),
            text: b"{\"data\":[".to_vec(),
            metadata: Vec::new(),
            types: Vec::new(),
            stream_numbers: Vec::new(),
            streams: String::new(),
            stream_count: 0,
            commits: String::new(),
            commit_count: 0,
            envelope: Vec::new(),
            numbers: Vec::new(),
            count: 0,
        }
    }

    fn put_commit(&mut self, envelope: &[u8], status: CommitStatus) -> Result<(), crate::log::FormatError> {
        let commit = read_commit(envelope)?;
        let out = &mut self.commits;
        out.push_str(if self.commit_count == 0 { "[" } else { ",[" });
        put_text(out, &commit.id);
        for number in [commit.attempt as i64, commit.recorded_at] {
            out.push(',');
            put_number(out, number);
        }
        out.push(',');
        put_text(out, commit.replica);
        out.push_str(if status == CommitStatus::Confirmed { ",1" } else { ",0" });
        for text in [commit.actor, commit.causation, commit.correlation] {
            out.push(',');
            match text {
                Some(text) => put_text(out, text),
                None => out.push('0'),
            }
        }
        out.push(',');
        put_number(out, commit.received_at.unwrap_or(0));
        out.push(']');
        self.commit_count += 1;
        self.envelope.clear();
        self.envelope.extend_from_slice(envelope);
        Ok(())
    }

    fn type_number(&mut self, event_type: &[u8]) -> usize {
        let known = self.types.iter().position(|known| known == event_type);
        known.unwrap_or_else(|| {
            self.types.push(event_type.to_owned());
            self.types.len() - 1
        })
    }

    fn stream_number(&mut self, stream: usize, id: &str) -> u32 {
        if stream >= self.stream_numbers.len() {
            self.stream_numbers.resize(stream + 1, None);
        }
        if let Some(Some(number)) = self.stream_numbers.get(stream) {
            return *number;
        }
        let number = self.stream_count;
        if number > 0 {
            self.streams.push(',');
        }
        put_text(&mut self.streams, id);
        self.stream_count += 1;
        if let Some(known) = self.stream_numbers.get_mut(stream) {
            *known = Some(number);
        }
        number
    }

    /// The batch.
    pub(crate) fn finish(self) -> Result<Batch, StoreError> {
        let malformed = |()| StoreError::format("a page of events", crate::log::FormatError::Malformed("data"));
        let mut out = self.text;
        out.extend_from_slice(b"],\"metadata\":[");
        out.extend_from_slice(&self.metadata);
        let mut out = String::from_utf8(out).map_err(|_| ()).map_err(malformed)?;
        out.push_str("],\"types\":[");
        for (number, event_type) in self.types.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            put_text(&mut out, str::from_utf8(event_type).map_err(|_| ()).map_err(malformed)?);
        }
        for (name, list) in [("streams", self.streams), ("commits", self.commits)] {
            out.push_str("],\"");
            out.push_str(name);
            out.push_str("\":[");
            out.push_str(&list);
        }
        out.push_str("]}");
        Ok(Batch {
            text: out,
            numbers: self.numbers,
        })
    }
}

impl Sink for BatchWriter {
    fn begin(&mut self, events: usize) {
        self.stream_numbers.clear();
        let events = events.min(self.limit.saturating_sub(self.count));
        self.text.reserve(events * EVENT_TEXT);
        self.numbers.reserve(events * 8);
    }

    fn put(
        &mut self,
        recorded: &Recorded<'_>,
        event: &EventFields<'_>,
        stream: usize,
        status: CommitStatus,
    ) -> Result<(), StoreError> {
        if event.encoding != ENCODING_JSON {
            return Err(StoreError::unknown_encoding(
                recorded.position,
                recorded.stream,
                event.encoding,
            ));
        }
        if self.commit_count == 0 || self.envelope != recorded.envelope {
            self.put_commit(recorded.envelope, status)
                .map_err(|reason| StoreError::format(format!("event {}", recorded.position.0), reason))?;
        }
        let numbers = [
            self.type_number(event.event_type) as f64,
            f64::from(self.stream_number(stream, recorded.stream)),
            recorded.version.0 as f64,
            recorded.position.0 as f64,
            event.occurred_at as f64,
            (self.commit_count - 1) as f64,
            recorded.index as f64,
            event.schema_version as f64,
        ];
        self.numbers.extend_from_slice(&numbers);
        if self.count > 0 {
            self.text.push(b',');
        }
        self.text.extend_from_slice(event.data.unwrap_or(b"null"));
        if let Some(metadata) = event.metadata {
            let comma = if self.metadata.is_empty() { "[" } else { ",[" };
            self.metadata.extend_from_slice(comma.as_bytes());
            self.metadata
                .extend_from_slice(itoa::Buffer::new().format(self.count as i64).as_bytes());
            self.metadata.push(b',');
            self.metadata.extend_from_slice(metadata);
            self.metadata.push(b']');
        }
        self.count += 1;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.count >= self.limit || self.text.len() >= PAGE_TEXT
    }

    fn has_enough(&self) -> bool {
        self.count >= PAGE_EVENTS / 2
    }
}
