//! A commit on the wire: pushed by the device that made it, or confirmed and on its way to all others.

use std::borrow::Cow;

use crate::commit::{Definition, Mode, StreamRead};
use crate::json::{FromJson, JsonReader, ObjectWriter, RawJson};
use crate::stream::Version;

/// A commit as it is said in a message. `command`, `metadata` and `data` keep their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireCommit<'a> {
    /// Its place in the log of the space; none before it is confirmed.
    pub number: Option<u64>,
    /// Its id, for ever.
    pub id: Cow<'a, str>,
    /// How often it was decided.
    pub attempt: u64,
    /// How it is merged.
    pub mode: Mode,
    /// The command that was decided.
    pub command: Option<RawJson<'a>>,
    /// What decided it.
    pub definition: Option<Definition<'a>>,
    /// Streams read and not written.
    pub reads: Vec<StreamRead<'a>>,
    /// Who made it, as the device says.
    pub subject: Option<Cow<'a, str>>,
    /// Who made it, as the token said.
    pub actor: Option<Cow<'a, str>>,
    /// The device that made it.
    pub replica: Cow<'a, str>,
    /// When the device made it: milliseconds since the epoch.
    pub recorded_at: i64,
    /// When the server confirmed it.
    pub received_at: Option<i64>,
    /// The message that caused it.
    pub causation_id: Option<Cow<'a, str>>,
    /// The conversation it belongs to.
    pub correlation_id: Option<Cow<'a, str>>,
    /// Digest of what the caller gave, hexadecimal.
    pub content: Option<Cow<'a, str>>,
    /// Its events by stream; none in the short form of an answer to a push, whose device has them.
    pub streams: Option<Vec<WireStream<'a>>>,
}

/// What a commit writes to one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireStream<'a> {
    /// The stream.
    pub stream_id: Cow<'a, str>,
    /// Its version before this commit: `expectedVersion`, or one less than `firstVersion` once the commit is
    /// confirmed. A fact expects none.
    pub before: Option<Version>,
    /// The events, in order.
    pub events: Vec<WireEvent<'a>>,
}

/// An event on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireEvent<'a> {
    /// Its type.
    pub event_type: Cow<'a, str>,
    /// Version of the shape of `data`.
    pub schema_version: u32,
    /// When it happened, the writer's word: milliseconds since the epoch.
    pub occurred_at: i64,
    /// What the app wants to remember about it.
    pub metadata: Option<RawJson<'a>>,
    /// Makes the digest of the payload tell nothing about it; hexadecimal.
    pub salt: Option<Cow<'a, str>>,
    /// What happened, in detail.
    pub data: Option<RawJson<'a>>,
}

impl WireCommit<'_> {
    /// Appends its JSON.
    pub fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        if let Some(number) = self.number {
            object.number("number", number as i64);
        }
        object.text("id", &self.id);
        object.number("attempt", self.attempt as i64);
        match self.streams {
            Some(_) => self.write_rest(&mut object),
            None => self.write_receipt(&mut object),
        }
        object.end();
    }

    fn write_rest(&self, object: &mut ObjectWriter<'_>) {
        object.text("mode", self.mode.name());
        object.raw_if("command", self.command.map(RawJson::get));
        if let Some(definition) = &self.definition {
            let mut inner = ObjectWriter::new(object.field("definition"));
            inner.text("name", &definition.name);
            inner.number("version", definition.version.into());
            inner.end();
        }
        if !self.reads.is_empty() {
            object.list("reads", &self.reads, |read, out| {
                let mut object = ObjectWriter::new(out);
                object.text("streamId", &read.stream_id);
                object.number("version", read.version.0 as i64);
                object.end();
            });
        }
        object.text_if("subject", self.subject.as_deref());
        object.text("replica", &self.replica);
        object.number("recordedAt", self.recorded_at);
        self.write_receipt(object);
        object.text_if("causationId", self.causation_id.as_deref());
        object.text_if("correlationId", self.correlation_id.as_deref());
        object.text_if("content", self.content.as_deref());
        let confirmed = self.number.is_some();
        object.list("streams", self.streams.as_deref().unwrap_or_default(), |stream, out| {
            stream.write(confirmed, out);
        });
    }

    fn write_receipt(&self, object: &mut ObjectWriter<'_>) {
        object.text_if("actor", self.actor.as_deref());
        if let Some(received_at) = self.received_at {
            object.number("receivedAt", received_at);
        }
    }
}

impl WireStream<'_> {
    pub(crate) fn write(&self, confirmed: bool, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        object.text("streamId", &self.stream_id);
        match self.before {
            Some(before) if confirmed => object.number("firstVersion", before.next().0 as i64),
            Some(before) => object.number("expectedVersion", before.0 as i64),
            None => {}
        }
        object.list("events", &self.events, WireEvent::write);
        object.end();
    }
}

impl WireEvent<'_> {
    fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        object.text("type", &self.event_type);
        object.number("schemaVersion", self.schema_version.into());
        object.number("occurredAt", self.occurred_at);
        object.raw_if("metadata", self.metadata.map(RawJson::get));
        object.text_if("salt", self.salt.as_deref());
        object.raw_if("data", self.data.map(RawJson::get));
        object.end();
    }
}

impl<'a> FromJson<'a> for WireCommit<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut id, mut attempt, mut mode, mut replica, mut recorded_at) = (None, None, None, None, None);
        let mut commit = Self {
            number: None,
            id: Cow::Borrowed(""),
            attempt: 0,
            mode: Mode::Intent,
            command: None,
            definition: None,
            reads: Vec::new(),
            subject: None,
            actor: None,
            replica: Cow::Borrowed(""),
            recorded_at: 0,
            received_at: None,
            causation_id: None,
            correlation_id: None,
            content: None,
            streams: None,
        };
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "number" => commit.number = Option::read(json),
                "id" => id = Some(json.text()),
                "attempt" => attempt = Some(u64::read(json)),
                "mode" => mode = Some(Mode::read(json)),
                "command" => commit.command = Option::read(json),
                "definition" => commit.definition = Option::read(json),
                "reads" => commit.reads = Option::read(json).unwrap_or_default(),
                "subject" => commit.subject = Option::read(json),
                "actor" => commit.actor = Option::read(json),
                "replica" => replica = Some(json.text()),
                "recordedAt" => recorded_at = Some(json.whole()),
                "receivedAt" => commit.received_at = Option::read(json),
                "causationId" => commit.causation_id = Option::read(json),
                "correlationId" => commit.correlation_id = Option::read(json),
                "content" => commit.content = Option::read(json),
                "streams" => commit.streams = Option::read(json),
                _ => drop(json.raw()),
            }
        }
        commit.id = json.required(id, "id");
        commit.attempt = json.required(attempt, "attempt");
        if commit.streams.is_some() {
            commit.mode = json.required(mode, "mode");
            commit.replica = json.required(replica, "replica");
            commit.recorded_at = json.required(recorded_at, "recordedAt");
        }
        commit
    }
}

impl<'a> FromJson<'a> for WireStream<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut stream_id, mut before, mut events) = (None, None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "streamId" => stream_id = Some(json.text()),
                "expectedVersion" => before = Option::read(json),
                "firstVersion" => {
                    let before_it = u64::read(json).checked_sub(1);
                    before = Some(Version(json.required(before_it, "a version of at least 1")));
                }
                "events" => events = Some(Vec::read(json)),
                _ => drop(json.raw()),
            }
        }
        Self {
            stream_id: json.required(stream_id, "streamId"),
            before,
            events: json.required(events, "events"),
        }
    }
}

impl<'a> FromJson<'a> for WireEvent<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut event_type, mut schema_version, mut occurred_at) = (None, None, None);
        let (mut metadata, mut salt, mut data) = (None, None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "type" => event_type = Some(json.text()),
                "schemaVersion" => schema_version = Some(u32::read(json)),
                "occurredAt" => occurred_at = Some(json.whole()),
                "metadata" => metadata = Option::read(json),
                "salt" => salt = Option::read(json),
                "data" => data = Option::read(json),
                _ => drop(json.raw()),
            }
        }
        Self {
            event_type: json.required(event_type, "type"),
            schema_version: json.required(schema_version, "schemaVersion"),
            occurred_at: json.required(occurred_at, "occurredAt"),
            metadata,
            salt,
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    const PUSHED: &str = r#"{"id":"c-1","attempt":2,"mode":"intent","command":{ "type": "Deposit" },"definition":{"name":"account","version":3},"reads":[{"streamId":"limit-eu","version":3}],"subject":"user-1","replica":"9c01","recordedAt":-5,"causationId":"a","correlationId":"b","content":"7f","streams":[{"streamId":"account-\"4","expectedVersion":7,"events":[{"type":"deposited","schemaVersion":1,"occurredAt":1790000000000,"metadata":{"u":1.0},"salt":"00ff","data":{ "amount" : 5 }}]}]}"#;

    fn written(commit: &WireCommit<'_>) -> String {
        let mut out = String::new();
        commit.write(&mut out);
        out
    }

    #[test]
    fn a_pushed_commit_is_written_as_it_was_read() {
        let commit: WireCommit<'_> = parse(PUSHED).unwrap();

        assert_eq!(commit.streams.as_ref().unwrap()[0].before, Some(Version(7)));
        assert_eq!(written(&commit), PUSHED);
    }

    #[test]
    fn a_confirmed_commit_tells_the_version_of_its_first_event() {
        let mut commit: WireCommit<'_> = parse(PUSHED).unwrap();
        commit.number = Some(8);
        commit.actor = Some(Cow::Borrowed("user-1"));
        commit.received_at = Some(9);

        let text = written(&commit);

        assert!(text.starts_with(r#"{"number":8,"id":"c-1","attempt":2,"#));
        assert!(text.contains(r#""recordedAt":-5,"actor":"user-1","receivedAt":9,"#));
        assert!(text.contains(r#""firstVersion":8,"#));
        assert_eq!(parse(&text), Ok(commit));
    }

    #[test]
    fn a_short_form_needs_nothing_that_the_device_has() {
        let text = r#"{"number":8,"id":"c-1","attempt":1,"actor":"user-1","receivedAt":9}"#;

        let commit: WireCommit<'_> = parse(text).unwrap();

        assert_eq!(commit.streams, None);
        assert_eq!(written(&commit), text);
    }

    #[test]
    fn null_is_the_same_as_left_out() {
        let text = r#"{"id":"c","attempt":1,"mode":"fact","command":null,"reads":null,"replica":"r","recordedAt":1,"actor":null,"streams":[{"streamId":"s","expectedVersion":null,"events":[{"type":"t","schemaVersion":1,"occurredAt":1,"metadata":null,"salt":null,"data":null}]}]}"#;

        let commit: WireCommit<'_> = parse(text).unwrap();

        assert_eq!(
            written(&commit),
            r#"{"id":"c","attempt":1,"mode":"fact","replica":"r","recordedAt":1,"streams":[{"streamId":"s","events":[{"type":"t","schemaVersion":1,"occurredAt":1}]}]}"#
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let mistake = |text: &str| parse::<WireCommit<'_>>(text).unwrap_err().to_string();

        assert!(mistake("{}").starts_with("id expected"));
        assert!(mistake(r#"{"id":"c"}"#).starts_with("attempt expected"));
        assert!(mistake(r#"{"id":"c","attempt":1,"streams":[]}"#).starts_with("mode expected"));
        let stream = |stream: &str| {
            mistake(&format!(
                r#"{{"id":"c","attempt":1,"mode":"fact","replica":"r","recordedAt":1,"streams":[{stream}]}}"#
            ))
        };
        assert!(stream(r#"{"streamId":"s","firstVersion":0,"events":[]}"#).starts_with("a version of at least 1"));
        assert!(stream(r#"{"streamId":"s","events":[{"type":"t"}]}"#).starts_with("schemaVersion expected"));
    }
}
