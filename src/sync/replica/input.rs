//! What a replica is told.

use std::borrow::Cow;

use crate::json::{FromJson, JsonReader};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// Sync begins, or this tab has become the leader: what the store says.
    Start {
        /// How many commits are pending.
        pending: u64,
        /// Whether confirmed commits wait for the pending ones to be decided again.
        rebase: bool,
        /// Whether the server's epoch is known.
        bound: bool,
        /// Whether to keep a tail open.
        live: bool,
        /// How many commits a push brings at most; 0 for as many as usual.
        batch: u64,
    },
    /// Whether this tab leads.
    Leading(bool),
    /// Whether the browser says that there is a network.
    Online(bool),
    /// Whether somebody sees the page.
    Visible(bool),
    /// This or another tab appended.
    Committed {
        /// How many commits are pending.
        pending: u64,
    },
    /// Whether the app gave a token.
    Token(bool),
    /// The server has answered a part of a request that takes several.
    Heard {
        /// Which one.
        request: u64,
    },
    /// An answer is in the store.
    Applied {
        /// Of which request.
        request: u64,
        /// How many commits are pending.
        pending: u64,
        /// Whether confirmed commits wait for the pending ones to be decided again.
        rebase: bool,
        /// Whether the server has more.
        more: bool,
        /// Whether the push ended before its end.
        stopped: bool,
        /// Whether it did anything: of what is pending, as much may have been appended meanwhile.
        moved: bool,
    },
    /// A request was not answered, or with a problem.
    Failed {
        /// Which one.
        request: u64,
        /// The status of the answer; 0 if there was none.
        status: u32,
        /// The slug of its problem, if it has one.
        problem: Option<Cow<'a, str>>,
        /// How long to wait, in milliseconds.
        retry_after: Option<i64>,
    },
    /// Something about the tail.
    Tail {
        /// Its request.
        request: u64,
        /// What.
        event: TailEvent,
    },
    /// Pending commits were decided again, and that is stored.
    Rebased {
        /// How many commits are pending.
        pending: u64,
        /// How many of them could not be decided.
        blocked: u64,
        /// Whether more was confirmed meanwhile.
        rebase: bool,
    },
    /// The log was taken back to where the epochs part.
    Recovered {
        /// How many commits are pending.
        pending: u64,
        /// Whether confirmed commits wait for the pending ones to be decided again.
        rebase: bool,
    },
    /// The store could not do what was asked.
    Stuck {
        /// Why.
        code: Cow<'a, str>,
    },
    /// The user wants it now.
    Now,
    /// Stop until further notice.
    Pause,
    /// Go on.
    Resume,
    /// The time of a [`Output::Wake`](super::Output::Wake) has come.
    Tick,
}

/// What happened to the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailEvent {
    /// The server answered.
    Opened,
    /// Commits of it are in the store.
    Applied {
        /// How many commits are pending.
        pending: u64,
        /// Whether confirmed commits wait for the pending ones to be decided again.
        rebase: bool,
    },
    /// It ended.
    Closed,
}

impl<'a> FromJson<'a> for Input<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let mut name = Cow::Borrowed("");
        let (mut on, mut rebase, mut more, mut stopped, mut moved, mut bound, mut live) =
            (false, false, false, false, false, false, false);
        let (mut pending, mut request, mut blocked, mut batch, mut status) = (0, 0, 0, 0, 0);
        let (mut text, mut retry_after) = (None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "input" => name = json.text(),
                "on" | "ok" => on = bool::read(json),
                "rebase" => rebase = bool::read(json),
                "more" => more = bool::read(json),
                "stopped" => stopped = bool::read(json),
                "moved" => moved = bool::read(json),
                "bound" => bound = bool::read(json),
                "live" => live = bool::read(json),
                "pending" => pending = u64::read(json),
                "request" => request = u64::read(json),
                "blocked" => blocked = u64::read(json),
                "batch" => batch = u64::read(json),
                "status" => status = u32::read(json),
                "problem" | "code" | "event" => text = Option::read(json),
                "retryAfter" => retry_after = Option::read(json),
                _ => drop(json.raw()),
            }
        }
        let event = match text.as_deref() {
            Some("opened") => TailEvent::Opened,
            Some("applied") => TailEvent::Applied { pending, rebase },
            _ => TailEvent::Closed,
        };
        match &*name {
            "start" => Self::Start {
                pending,
                rebase,
                bound,
                live,
                batch,
            },
            "leading" => Self::Leading(on),
            "online" => Self::Online(on),
            "visible" => Self::Visible(on),
            "committed" => Self::Committed { pending },
            "token" => Self::Token(on),
            "heard" => Self::Heard { request },
            "applied" => Self::Applied {
                request,
                pending,
                rebase,
                more,
                stopped,
                moved,
            },
            "failed" => Self::Failed {
                request,
                status,
                problem: text,
                retry_after,
            },
            "tail" => Self::Tail { request, event },
            "rebased" => Self::Rebased {
                pending,
                blocked,
                rebase,
            },
            "recovered" => Self::Recovered { pending, rebase },
            "stuck" => Self::Stuck {
                code: text.unwrap_or_default(),
            },
            "now" => Self::Now,
            "pause" => Self::Pause,
            "resume" => Self::Resume,
            "tick" => Self::Tick,
            _ => {
                json.fail("an input");
                Self::Tick
            }
        }
    }
}
