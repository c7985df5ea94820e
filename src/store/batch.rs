//! Events as one JSON document: how a batch crosses into JavaScript.
//!
//! Streams, types and commits are written once and referred to by number; the events are one flat
//! list of ten values each. `ts/core.ts` describes it as `CoreBatch`.

use std::collections::HashMap;

use super::StoreError;
use crate::log::block::Recorded;
use crate::log::commit::read_commit;
use crate::log::event::{ENCODING_JSON, EventFields, read_event};
use crate::log::record::CommitStatus;

/// Writes a batch, event by event.
#[derive(Debug, Default)]
pub(crate) struct BatchWriter {
    types: Names,
    streams: Names,
    commits: String,
    commit_count: usize,
    envelope: Vec<u8>,
    events: String,
    count: usize,
}

impl BatchWriter {
    /// Adds an event.
    pub(crate) fn put(&mut self, recorded: &Recorded<'_>, status: CommitStatus) -> Result<(), StoreError> {
        let record = || format!("event {}", recorded.position.0);
        let event = read_event(recorded.event).map_err(|reason| StoreError::format(record(), reason))?;
        if event.encoding != ENCODING_JSON {
            return Err(StoreError::UnknownEncoding {
                position: recorded.position.0,
                stream: recorded.stream.to_owned(),
                encoding: event.encoding,
            });
        }
        if self.commit_count == 0 || self.envelope != recorded.envelope {
            self.put_commit(recorded.envelope, status)
                .map_err(|reason| StoreError::format(record(), reason))?;
        }
        self.put_event(recorded, &event)
            .map_err(|reason| StoreError::format(record(), reason))
    }

    fn put_commit(&mut self, envelope: &[u8], status: CommitStatus) -> Result<(), crate::log::FormatError> {
        let commit = read_commit(envelope)?;
        let out = &mut self.commits;
        out.push_str(if self.commit_count == 0 { "[" } else { ",[" });
        put_text(out, &commit.id);
        put_number(out, commit.attempt);
        put_number(out, commit.recorded_at);
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
        put_number(out, commit.received_at.unwrap_or(0));
        out.push(']');
        self.commit_count += 1;
        self.envelope.clear();
        self.envelope.extend_from_slice(envelope);
        Ok(())
    }

    fn put_event(&mut self, recorded: &Recorded<'_>, event: &EventFields<'_>) -> Result<(), crate::log::FormatError> {
        let event_type = self.types.number_of(event.event_type);
        let stream = self.streams.number_of(recorded.stream);
        let out = &mut self.events;
        if self.count > 0 {
            out.push(',');
        }
        out.push_str(itoa::Buffer::new().format(event_type));
        put_number(out, stream);
        put_number(out, recorded.version.0);
        put_number(out, recorded.position.0);
        put_number(out, event.occurred_at);
        put_number(out, self.commit_count - 1);
        put_number(out, recorded.index);
        put_number(out, event.schema_version);
        out.push(',');
        out.push_str(event.metadata.unwrap_or("0"));
        out.push(',');
        match event.data {
            Some(data) => {
                out.push_str(std::str::from_utf8(data).map_err(|_| crate::log::FormatError::Malformed("data"))?);
            }
            None => out.push_str("null"),
        }
        self.count += 1;
        Ok(())
    }

    /// How many events it holds.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// How long the text of its events is.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// The document.
    pub(crate) fn finish(self) -> String {
        let mut out = String::with_capacity(self.events.len() + self.commits.len() + 256);
        out.push_str("{\"types\":[");
        out.push_str(&self.types.text);
        out.push_str("],\"streams\":[");
        out.push_str(&self.streams.text);
        out.push_str("],\"commits\":[");
        out.push_str(&self.commits);
        out.push_str("],\"events\":[");
        out.push_str(&self.events);
        out.push_str("]}");
        out
    }
}

/// Names numbered as they come, and their JSON list.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<String, usize>,
    last: (String, usize),
    text: String,
}

impl Names {
    fn number_of(&mut self, name: &str) -> usize {
        if self.last.0 == name && !self.numbers.is_empty() {
            return self.last.1;
        }
        let number = if let Some(number) = self.numbers.get(name) {
            *number
        } else {
            let number = self.numbers.len();
            if number > 0 {
                self.text.push(',');
            }
            put_text(&mut self.text, name);
            self.numbers.insert(name.to_owned(), number);
            number
        };
        name.clone_into(&mut self.last.0);
        self.last.1 = number;
        number
    }
}

fn put_number(out: &mut String, number: impl itoa::Integer) {
    out.push(',');
    out.push_str(itoa::Buffer::new().format(number));
}

/// Appends a JSON string.
pub(crate) fn put_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                out.push_str("\\u00");
                for digit in [control as u32 >> 4, control as u32 & 15] {
                    out.extend(char::from_digit(digit, 16));
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
