//! What a device and a server say to each other.

use std::borrow::Cow;

use super::chain::Hash;
use super::commit::WireCommit;
use super::cursor::{Cursor, Head};
use crate::json::{FromJson, JsonReader, ObjectWriter, RawJson};
use crate::stream::Version;

/// The version of the protocol that this release speaks.
pub const PROTOCOL: u64 = 1;

/// Confirmed commits in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullPage<'a> {
    /// Where the log ends.
    pub head: Head,
    /// The commits.
    pub commits: Vec<WireCommit<'a>>,
    /// The place after the last of them.
    pub cursor: Cursor,
    /// Whether there are others after it.
    pub more: bool,
}

/// Commits for the server to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushRequest<'a> {
    /// The version of the protocol: [`PROTOCOL`].
    pub protocol: u64,
    /// Up to where the device has the log.
    pub base: Cursor,
    /// The device.
    pub replica: Cow<'a, str>,
    /// The commits, from the head of the device's tail.
    pub commits: Vec<WireCommit<'a>>,
    /// Whether they become the beginning of an empty space.
    pub adopt: Option<Adopt>,
}

/// A part of a history that becomes the beginning of an empty space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopt {
    /// Others follow.
    More,
    /// The last one.
    Last,
}

/// How a push ended, and what was confirmed since its base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushAnswer<'a> {
    /// What was confirmed.
    pub page: PullPage<'a>,
    /// One for each commit of the push.
    pub results: Vec<PushResult<'a>>,
}

/// How the server judged one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushResult<'a> {
    /// It is confirmed.
    Accepted {
        /// The commit.
        id: Cow<'a, str>,
        /// Its place in the log.
        number: u64,
    },
    /// Its id was confirmed before.
    Duplicate {
        /// The commit.
        id: Cow<'a, str>,
        /// Its place in the log.
        number: u64,
        /// The attempt that was confirmed.
        attempt: u64,
        /// What was confirmed.
        digest: Hash,
    },
    /// A stream that it wrote or read is not where it was.
    Conflict {
        /// The commit.
        id: Cow<'a, str>,
        /// The stream.
        stream_id: Cow<'a, str>,
        /// Where it was decided on.
        expected: Version,
        /// Where the stream is.
        actual: Version,
    },
    /// It can never pass.
    Refused {
        /// The commit.
        id: Cow<'a, str>,
        /// Why: a problem document.
        problem: RawJson<'a>,
    },
    /// One before it ended the push.
    NotAttempted {
        /// The commit.
        id: Cow<'a, str>,
        /// The one that ended it.
        because: Cow<'a, str>,
    },
}

impl PushRequest<'_> {
    /// Appends its JSON.
    pub fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        object.number("protocol", self.protocol as i64);
        object.text("base", &self.base.to_string());
        object.text("replica", &self.replica);
        object.list("commits", &self.commits, WireCommit::write);
        object.text_if(
            "adopt",
            self.adopt.map(|adopt| match adopt {
                Adopt::More => "more",
                Adopt::Last => "last",
            }),
        );
        object.end();
    }
}

impl PullPage<'_> {
    /// Appends its JSON.
    pub fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        self.head.write(object.field("head"));
        self.write_rest(&mut object);
        object.end();
    }

    fn write_rest(&self, object: &mut ObjectWriter<'_>) {
        object.list("commits", &self.commits, WireCommit::write);
        object.text("cursor", &self.cursor.to_string());
        object.flag("more", self.more);
    }
}

impl PushAnswer<'_> {
    /// Appends its JSON.
    pub fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        self.page.head.write(object.field("head"));
        object.list("results", &self.results, PushResult::write);
        self.page.write_rest(&mut object);
        object.end();
    }
}

impl<'a> PushResult<'a> {
    /// The commit that it is about.
    pub fn id(&self) -> &str {
        match self {
            Self::Accepted { id, .. }
            | Self::Duplicate { id, .. }
            | Self::Conflict { id, .. }
            | Self::Refused { id, .. }
            | Self::NotAttempted { id, .. } => id,
        }
    }

    /// The commit and why it was refused, if it was.
    pub fn problem(&self) -> Option<(&str, &'a str)> {
        match self {
            Self::Refused { id, problem } => Some((id, problem.get())),
            _ => None,
        }
    }

    /// Appends its JSON.
    pub fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        object.text("id", self.id());
        match self {
            Self::Accepted { number, .. } => {
                object.text("status", "accepted");
                object.number("number", *number as i64);
            }
            Self::Duplicate {
                number,
                attempt,
                digest,
                ..
            } => {
                object.text("status", "duplicate");
                object.number("number", *number as i64);
                object.number("attempt", *attempt as i64);
                object.text("digest", &digest.to_string());
            }
            Self::Conflict {
                stream_id,
                expected,
                actual,
                ..
            } => {
                object.text("status", "conflict");
                object.text("streamId", stream_id);
                object.number("expected", expected.0 as i64);
                object.number("actual", actual.0 as i64);
            }
            Self::Refused { problem, .. } => {
                object.text("status", "refused");
                object.raw("problem", problem.get());
            }
            Self::NotAttempted { because, .. } => {
                object.text("status", "not-attempted");
                object.text("because", because);
            }
        }
        object.end();
    }
}

impl<'a> FromJson<'a> for PushRequest<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut protocol, mut base, mut replica, mut commits, mut adopt) = (None, None, None, None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "protocol" => protocol = Some(u64::read(json)),
                "base" => base = Some(Cursor::read(json)),
                "replica" => replica = Some(json.text()),
                "commits" => commits = Some(Vec::read(json)),
                "adopt" => adopt = Option::read(json),
                _ => drop(json.raw()),
            }
        }
        Self {
            protocol: json.required(protocol, "protocol"),
            base: required_cursor(json, base, "base"),
            replica: json.required(replica, "replica"),
            commits: json.required(commits, "commits"),
            adopt,
        }
    }
}

impl FromJson<'_> for Adopt {
    fn read(json: &mut JsonReader<'_>) -> Self {
        match &*json.text() {
            "more" => return Self::More,
            "last" => return Self::Last,
            _ => json.fail("\"more\" or \"last\""),
        }
        Self::More
    }
}

impl<'a> FromJson<'a> for PullPage<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        PushAnswer::read(json).page
    }
}

/// A page is an answer to a push without results.
impl<'a> FromJson<'a> for PushAnswer<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut head, mut results, mut commits, mut cursor, mut more) = (None, Vec::new(), None, None, false);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "head" => head = Some(Head::read(json)),
                "results" => results = Vec::read(json),
                "commits" => commits = Some(Vec::read(json)),
                "cursor" => cursor = Some(Cursor::read(json)),
                "more" => more = bool::read(json),
                _ => drop(json.raw()),
            }
        }
        let head = head.unwrap_or_else(|| {
            json.fail("head");
            Head::first("")
        });
        let page = PullPage {
            head,
            commits: json.required(commits, "commits"),
            cursor: required_cursor(json, cursor, "cursor"),
            more,
        };
        Self { page, results }
    }
}

fn required_cursor(json: &mut JsonReader<'_>, cursor: Option<Cursor>, name: &'static str) -> Cursor {
    cursor.unwrap_or_else(|| {
        json.fail(name);
        Cursor::NOWHERE
    })
}

impl<'a> FromJson<'a> for PushResult<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut id, mut status, mut number, mut attempt, mut digest) = (None, None, None, None, None);
        let (mut stream_id, mut expected, mut actual, mut problem, mut because) = (None, None, None, None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "id" => id = Some(json.text()),
                "status" => status = Some(json.text()),
                "number" => number = Some(u64::read(json)),
                "attempt" => attempt = Some(u64::read(json)),
                "digest" => digest = Some(Hash::read(json)),
                "streamId" => stream_id = Some(json.text()),
                "expected" => expected = Some(Version::read(json)),
                "actual" => actual = Some(Version::read(json)),
                "problem" => problem = Some(json.raw()),
                "because" => because = Some(json.text()),
                _ => drop(json.raw()),
            }
        }
        let id = json.required(id, "id");
        match &*json.required(status, "status") {
            "accepted" => Self::Accepted {
                id,
                number: json.required(number, "number"),
            },
            "duplicate" => Self::Duplicate {
                id,
                number: json.required(number, "number"),
                attempt: json.required(attempt, "attempt"),
                digest: digest.unwrap_or_else(|| {
                    json.fail("digest");
                    Hash([0; 32])
                }),
            },
            "conflict" => Self::Conflict {
                id,
                stream_id: json.required(stream_id, "streamId"),
                expected: json.required(expected, "expected"),
                actual: json.required(actual, "actual"),
            },
            "refused" => Self::Refused {
                id,
                problem: problem.unwrap_or_else(|| {
                    json.fail("problem");
                    RawJson::trusted("{}")
                }),
            },
            "not-attempted" => Self::NotAttempted {
                id,
                because: json.required(because, "because"),
            },
            _ => {
                json.fail("a status of a commit");
                Self::Accepted { id, number: 0 }
            }
        }
    }
}
