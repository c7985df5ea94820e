//! Problems: why a server did not do what was asked, as RFC 9457 has it.

use std::borrow::Cow;
use std::fmt;

use super::cursor::{Epoch, Head};
use super::limits::Limits;
use super::space_log::LogError;
use crate::json::{FromJson, JsonReader, ObjectWriter, RawJson, parse, put_text};

/// A problem, as a document and as a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind it is.
    pub kind: ProblemKind,
    /// What happened here, for a person.
    pub detail: String,
    /// After how many seconds to try again.
    pub retry_after: Option<u32>,
    members: Vec<(&'static str, String)>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $slug:literal, $status:literal, $title:literal;)*) => {
        /// What can go wrong. Each kind has a slug that never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ProblemKind {
            $($(#[$doc])* $kind,)*
        }

        impl ProblemKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Its name: the end of its `type`.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug,)* }
            }

            /// The status of an answer that tells it; 0 for one that is only told of one commit.
            pub fn status(self) -> u16 {
                match self { $(Self::$kind => $status,)* }
            }

            /// What it is, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }
        }
    };
}

kinds! {
    /// What was sent is not the document that the protocol has.
    Malformed = "malformed", 400, "The request is not what the protocol says";
    /// There is no token.
    TokenMissing = "token-missing", 401, "A token is needed";
    /// The token is not good.
    TokenInvalid = "token-invalid", 401, "The token is not valid";
    /// The token was good once.
    TokenExpired = "token-expired", 401, "The token has expired";
    /// The token is for other spaces.
    SpaceForbidden = "space-forbidden", 403, "The token is not for this space";
    /// The token is of somebody else than who made the commits.
    SubjectMismatch = "subject-mismatch", 403, "The token is not of whom the commits are";
    /// There is no such space.
    SpaceUnknown = "space-unknown", 404, "There is no such space";
    /// There is no such commit.
    CommitUnknown = "commit-unknown", 404, "There is no such commit";
    /// There is nothing at this address.
    NotFound = "not-found", 404, "There is nothing here";
    /// The method is not for this address.
    Method = "method", 405, "The method is not for this address";
    /// The client takes no form of answer that there is.
    NotAcceptable = "not-acceptable", 406, "No form of the answer is acceptable";
    /// The body did not come to its end.
    Timeout = "timeout", 408, "The request did not go on";
    /// The body is in a form that the server does not read.
    Encoding = "encoding", 415, "The body is in a form that is not read";
    /// The history of the device is not that of the server.
    HistoryDiverged = "history-diverged", 409, "The histories are not the same";
    /// A history can only be adopted into an empty space.
    SpaceNotEmpty = "space-not-empty", 409, "The space has a history";
    /// The log of the space has begun another life.
    EpochChanged = "epoch-changed", 412, "The log of the space is another one now";
    /// The body is larger than the limits allow.
    PayloadTooLarge = "payload-too-large", 413, "The request is too large";
    /// The commits could be read but make no sense.
    BatchInvalid = "batch-invalid", 422, "A commit is not valid";
    /// The versions of the protocol do not meet.
    ProtocolUnsupported = "protocol-unsupported", 426, "The version of the protocol is not supported";
    /// Too much at once.
    RateLimited = "rate-limited", 429, "Too much in too short a time";
    /// The server has too much to do.
    Overloaded = "overloaded", 503, "The server has too much to do";
    /// A device is adopting its history into the space.
    SpaceClaimed = "space-claimed", 503, "A history is being adopted into the space";
    /// The log does not answer.
    EngineUnavailable = "engine-unavailable", 503, "The log is not available";
    /// The log takes no writes at present.
    ReadOnly = "read-only", 503, "The log takes no writes at present";
    /// There is no room.
    QuotaExceeded = "quota-exceeded", 507, "There is no room";
    /// The actor may not write this event to this stream.
    WriteForbidden = "write-forbidden", 0, "The actor may not write this";
    /// The event is not what its schema says.
    SchemaInvalid = "schema-invalid", 0, "An event is not what its schema says";
    /// The server does not know the schema of the event.
    SchemaUnknown = "schema-unknown", 0, "The schema of an event is not known";
    /// A rule of the app refused the commit.
    RuleRefused = "rule-refused", 0, "A rule refuses the commit";
    /// The id belongs to another commit.
    CommitIdReused = "commit-id-reused", 0, "The id belongs to another commit";
    /// The commit is larger than the limits allow.
    TooLarge = "too-large", 0, "The commit is too large";
}

impl ProblemKind {
    /// Whether the document, which another release may have written, is of a problem of this kind.
    pub fn is_of(self, document: &RawJson<'_>) -> bool {
        parse(document.get()).is_ok_and(|TypeOf(name)| name.rsplit(':').next() == Some(self.slug()))
    }
}

/// The `type` of a problem's document.
struct TypeOf<'a>(Cow<'a, str>);

impl<'a> FromJson<'a> for TypeOf<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let mut name = Cow::Borrowed("");
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "type" => name = json.text(),
                _ => drop(json.raw()),
            }
        }
        Self(name)
    }
}

impl Problem {
    /// A problem with what happened here.
    pub fn new(kind: ProblemKind, detail: impl fmt::Display) -> Self {
        let retry_after = matches!(kind.status(), 429 | 503).then_some(1);
        Self {
            kind,
            detail: detail.to_string(),
            retry_after,
            members: Vec::new(),
        }
    }

    /// With another member, whose value is JSON.
    #[must_use]
    pub fn with(mut self, name: &'static str, json: impl Into<String>) -> Self {
        self.members.push((name, json.into()));
        self
    }

    /// With what was to be kept to.
    #[must_use]
    pub fn with_limits(self, limits: &Limits) -> Self {
        let mut json = String::new();
        limits.write(&mut json);
        self.with("limits", json)
    }

    /// Another version of the protocol than those that the server speaks.
    pub fn protocol(asked: u64) -> Self {
        let detail = format!("protocol {asked} was asked for, {} is spoken", super::PROTOCOL);
        Self::new(ProblemKind::ProtocolUnsupported, detail)
            .with("min", super::PROTOCOL.to_string())
            .with("max", super::PROTOCOL.to_string())
    }

    /// The epoch of a cursor has ended: `forked` is the last commit that its log and today's have in common.
    pub fn epoch_changed(epoch: Epoch, asked: Epoch, forked: Option<Head>) -> Self {
        let detail = format!("epoch {asked} has ended, the log goes on in {epoch}");
        let mut json = String::new();
        match forked {
            None => json.push_str("null"),
            Some(forked) => {
                let mut object = ObjectWriter::new(&mut json);
                object.text("epoch", &asked.to_string());
                object.number("number", forked.number as i64);
                object.text("hash", &forked.hash.to_string());
                object.end();
            }
        }
        Self::new(ProblemKind::EpochChanged, detail)
            .with("epoch", format!("\"{epoch}\""))
            .with("forkedFrom", json)
    }

    /// Appends its document.
    pub fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        let out = object.field("type");
        out.push_str("\"urn:everfold:problem:");
        out.push_str(self.kind.slug());
        out.push('"');
        object.text("title", self.kind.title());
        if self.kind.status() != 0 {
            object.number("status", self.kind.status().into());
        }
        put_text(object.field("detail"), &self.detail);
        for (name, json) in &self.members {
            object.raw(name, json);
        }
        object.end();
    }

    /// Its document.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind.slug(), self.detail)
    }
}

impl std::error::Error for Problem {}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        let kind = match error {
            LogError::ReadOnly(_) => ProblemKind::ReadOnly,
            LogError::Full(_) => ProblemKind::QuotaExceeded,
            LogError::Unavailable(_) | LogError::Damaged(_) => ProblemKind::EngineUnavailable,
        };
        Self::new(kind, error)
    }
}

/// What `epoch-changed` tells a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochChanged {
    /// The epoch of today.
    pub epoch: Epoch,
    /// The last commit that the logs have in common; none if the server does not know the epoch of the cursor.
    pub forked_from: Option<Head>,
}

impl FromJson<'_> for EpochChanged {
    fn read(json: &mut JsonReader<'_>) -> Self {
        let (mut epoch, mut forked_from) = (None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "epoch" => epoch = Some(Epoch::read(json)),
                "forkedFrom" => forked_from = Option::read(json),
                _ => drop(json.raw()),
            }
        }
        Self {
            epoch: epoch.unwrap_or_else(|| {
                json.fail("epoch");
                Epoch([0; 16])
            }),
            forked_from,
        }
    }
}
