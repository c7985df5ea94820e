//! What a replica wants done.

use crate::json::ObjectWriter;

/// What the shell is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a request.
    Send {
        /// Its number, for the answer.
        request: u64,
        /// Which.
        kind: Request,
        /// At most so many commits.
        max_commits: u64,
        /// At most so many bytes.
        max_bytes: u64,
    },
    /// Nobody waits for a request any more.
    Cancel {
        /// Which one.
        request: u64,
    },
    /// Ask the app for a token, for another one than the last if `refresh`.
    Token {
        /// Whether the server did not take the last one.
        refresh: bool,
    },
    /// Decide pending commits again.
    Rebase,
    /// Take the log back to where the epochs part, by the problem of this request.
    Recover {
        /// The request that the server answered with `epoch-changed`.
        request: u64,
    },
    /// Come back with a [`Input::Tick`](super::Input::Tick) at this time, in place of any told before.
    Wake {
        /// When.
        at: i64,
    },
    /// How it stands has changed.
    Status(Status),
}

/// The kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// What the server is and where its log ends.
    Capabilities,
    /// Pending commits from the first one on, and what the server has.
    Push,
    /// What the server has.
    Pull,
    /// What it will have.
    Tail,
}

/// How sync stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// In one word.
    pub state: State,
    /// What must change before anything is sent again.
    pub blocked_by: Option<String>,
    /// What failed last, if nothing has worked since.
    pub last_error: Option<String>,
    /// When the server last answered with what it was asked for.
    pub last_contact: Option<i64>,
}

/// How sync stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Not started.
    #[default]
    Off,
    /// The server has not been heard yet.
    Connecting,
    /// Nothing to do.
    Idle,
    /// Pending commits are on their way.
    Pushing,
    /// Asking for what the server has.
    Pulling,
    /// The server does not answer for now, or sync is paused.
    Offline,
    /// Somebody has to do something.
    Blocked,
}

impl Request {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::Push => "push",
            Self::Pull => "pull",
            Self::Tail => "tail",
        }
    }
}

impl State {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connecting => "connecting",
            Self::Idle => "idle",
            Self::Pushing => "pushing",
            Self::Pulling => "pulling",
            Self::Offline => "offline",
            Self::Blocked => "blocked",
        }
    }
}

impl Output {
    /// Appends it as JSON.
    pub fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        let mut named = |name| object.text("output", name);
        match self {
            Self::Send {
                request,
                kind,
                max_commits,
                max_bytes,
            } => {
                named("send");
                object.number("request", *request as i64);
                object.text("kind", kind.name());
                object.number("maxCommits", *max_commits as i64);
                object.number("maxBytes", *max_bytes as i64);
            }
            Self::Cancel { request } => {
                named("cancel");
                object.number("request", *request as i64);
            }
            Self::Token { refresh } => {
                named("token");
                object.flag("refresh", *refresh);
            }
            Self::Rebase => named("rebase"),
            Self::Recover { request } => {
                named("recover");
                object.number("request", *request as i64);
            }
            Self::Wake { at } => {
                named("wake");
                object.number("at", *at);
            }
            Self::Status(status) => {
                named("status");
                object.text("state", status.state.name());
                object.text_if("blockedBy", status.blocked_by.as_deref());
                object.text_if("lastError", status.last_error.as_deref());
                if let Some(at) = status.last_contact {
                    object.number("lastContact", at);
                }
            }
        }
        object.end();
    }
}
