//! Bulk: many commits of facts as one text, cheap to make and cheap to read.
//!
//! One line for each thing, told apart by its first character; JSON written by a machine has no line
//! ends in it, and neither have ids. Streams and types are written once and referred to by number.
//!
//! ```text
//! t"account.money_deposited"      the next type, as JSON
//! saccount-1                      the next stream
//! c1700000000000 0a1b…            a commit begins: recordedAt, an id made for it
//! k1700000000000 transfer-17      a commit whose id the caller gave; the next line is its content
//! e0 0 1 1700000000000            an event: stream, type, schema version, occurredAt; the next line is its data
//! m0 0 1 1700000000000            the same; metadata is on a line before the data
//! ```

use std::borrow::Cow;
use std::ops::Range;

use crate::event::NewEvent;
use crate::json::{self, RawJson};

/// Commits of facts, each over one or several streams.
#[derive(Debug, Clone, Default)]
pub struct Bulk<'a> {
    pub(crate) streams: Vec<&'a str>,
    pub(crate) commits: Vec<BulkCommit<'a>>,
    pub(crate) events: Vec<BulkEvent<'a>>,
}

/// One commit of a bulk.
#[derive(Debug, Clone)]
pub(crate) struct BulkCommit<'a> {
    pub(crate) id: &'a str,
    pub(crate) recorded_at: i64,
    /// What the caller gave, if it gave the id: then the log may hold the commit already.
    pub(crate) content: Option<&'a str>,
    /// Which events of the bulk are its own.
    pub(crate) events: Range<usize>,
}

/// One event of a bulk.
#[derive(Debug, Clone)]
pub(crate) struct BulkEvent<'a> {
    /// The number of its stream.
    pub(crate) stream: usize,
    pub(crate) event: NewEvent<'a>,
}

/// A text that is not a bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of a bulk is not what it should be")]
pub struct InvalidBulk(usize);

impl<'a> Bulk<'a> {
    /// Reads the text. What stands where JSON should be is taken as it is.
    pub fn parse(text: &'a str) -> Result<Self, InvalidBulk> {
        let mut lines = Lines { rest: text, read: 0 };
        let mut types = Vec::new();
        let mut bulk = Self::default();
        while let Some(line) = lines.next() {
            bulk.take(line, &mut lines, &mut types).ok_or(InvalidBulk(lines.read))?;
        }
        Ok(bulk)
    }

    fn take(&mut self, line: &'a str, lines: &mut Lines<'a>, types: &mut Vec<Cow<'a, str>>) -> Option<()> {
        let (kind, rest) = line.split_at_checked(1)?;
        match kind {
            "t" => types.push(json::parse(rest).ok()?),
            "s" => self.streams.push(rest),
            "c" | "k" => {
                let (recorded_at, id) = rest.split_once(' ')?;
                let content = if kind == "k" { Some(lines.next()?) } else { None };
                self.commits.push(BulkCommit {
                    id,
                    recorded_at: number(recorded_at)?,
                    content,
                    events: self.events.len()..self.events.len(),
                });
            }
            "e" | "m" => {
                let mut fields = rest.split(' ');
                let mut field = || number(fields.next()?);
                let stream = field()? as usize;
                self.streams.get(stream)?;
                let event_type = types.get(field()? as usize)?.clone();
                let schema_version = field()? as u32;
                let occurred_at = field()?;
                let metadata = if kind == "m" { raw(lines.next()?) } else { None };
                let data = raw(lines.next()?);
                self.commits.last_mut()?.events.end += 1;
                self.events.push(BulkEvent {
                    stream,
                    event: NewEvent {
                        event_type,
                        schema_version,
                        occurred_at,
                        data,
                        metadata,
                        salt: Vec::new(),
                    },
                });
            }
            _ => return None,
        }
        Some(())
    }
}

/// A whole number.
fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let value = digits.bytes().try_fold(0_i64, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value.wrapping_mul(10) + i64::from(digit - b'0'))
    })?;
    Some(if digits.len() == text.len() { value } else { -value })
}

fn raw(line: &str) -> Option<RawJson<'_>> {
    (!line.is_empty()).then(|| RawJson::trusted(line))
}

/// The lines of a text, each ended by a line feed.
struct Lines<'a> {
    rest: &'a str,
    read: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (line, rest) = self.rest.split_once('\n')?;
        self.rest = rest;
        self.read += 1;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulk_is_read_line_by_line() {
        let text = "t\"a\\n\"\nsone two\nc5 id with spaces\ne0 0 2 -7\n{\"b\":1}\nk6 given\n[]\nm0 0 1 0\n{}\n\n";

        let bulk = Bulk::parse(text).unwrap();

        assert_eq!(bulk.streams, ["one two"]);
        let ids: Vec<_> = bulk.commits.iter().map(|commit| commit.id).collect();
        assert_eq!(ids, ["id with spaces", "given"]);
        let contents: Vec<_> = bulk.commits.iter().map(|commit| commit.content).collect();
        assert_eq!(contents, [None, Some("[]")]);
        let [first, second] = bulk.events.as_slice() else {
            panic!("two events")
        };
        assert_eq!(first.event.event_type, "a\n");
        assert_eq!((first.event.schema_version, first.event.occurred_at), (2, -7));
        assert_eq!(first.event.data.unwrap().get(), "{\"b\":1}");
        assert_eq!(second.event.metadata.unwrap().get(), "{}");
        assert!(second.event.data.is_none());
    }

    #[test]
    fn what_is_not_a_bulk_is_refused_with_the_line() {
        for (text, line) in [
            ("x\n", 1),
            ("c5\n", 1),
            ("ta\n", 1),
            ("c5 id\ne0 0 1 0\n{}\n", 2),
            ("\n", 1),
        ] {
            assert_eq!(Bulk::parse(text).unwrap_err(), InvalidBulk(line), "{text}");
        }
    }
}
