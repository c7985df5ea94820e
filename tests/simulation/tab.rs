//! A tab: a store, a replica, and what is under way.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use everfold::store::{Pulled, Rebased, StoreError, SyncState};
use everfold::sync::{Cursor, Replica, Request, Status};

use crate::gate::Control;
use crate::ledger::Command;
use crate::recorded::Recorded;
use crate::shell::{App, Bound, Executed, Store, Unusable};

/// The number of a tab, never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TabId {
    pub(crate) device: usize,
    pub(crate) number: u64,
}

pub(crate) struct Tab {
    pub(crate) id: TabId,
    pub(crate) app: App,
    /// Whether its app knows of the space.
    pub(crate) synced: bool,
    pub(crate) store: Option<Rc<Store>>,
    pub(crate) control: Rc<Control>,
    pub(crate) replica: Replica,
    pub(crate) status: Status,
    /// What is under way, by number.
    pub(crate) tasks: Vec<(u64, Task)>,
    /// What sync has to do, one after the other.
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) busy: bool,
    /// The request that is under way, besides the tail.
    pub(crate) request: Option<u64>,
    /// The request in which the space takes over the history.
    pub(crate) adoption: Option<u64>,
    /// The tail that is open.
    pub(crate) tail: Option<u64>,
    /// The last problem that the server told.
    pub(crate) problem: String,
    /// Until when it is frozen.
    pub(crate) frozen_until: Option<i64>,
}

pub(crate) type Task = Pin<Box<dyn Future<Output = Done>>>;

/// What sync has to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// Begin to lead.
    Lead,
    /// Look up what to send.
    Prepare {
        request: u64,
        kind: Request,
        max_commits: usize,
        max_bytes: usize,
    },
    /// Put an answer into the store.
    Apply { request: u64, kind: Request, text: String },
    /// Look up what of the history is to be taken over next.
    Adopt { request: u64 },
    /// Store how far it is taken over.
    Adopted { request: u64, text: String },
    /// Decide again.
    Walk,
    /// Take the log back, as this problem says.
    Recover(String),
    /// See what another tab did.
    CatchUp,
}

impl Job {
    /// The request that it is about.
    pub(crate) fn request(&self) -> Option<u64> {
        match self {
            Self::Prepare { request, .. }
            | Self::Apply { request, .. }
            | Self::Adopt { request }
            | Self::Adopted { request, .. } => Some(*request),
            _ => None,
        }
    }
}

/// How a task ended.
pub(crate) enum Done {
    Opened(Result<Rc<Store>, StoreError>),
    Led(Result<SyncState, StoreError>),
    Prepared {
        request: u64,
        kind: Request,
        max_commits: usize,
        body: Result<Body, StoreError>,
    },
    Applied {
        request: u64,
        kind: Request,
        applied: Result<(Pulled, SyncState), Unusable>,
    },
    Bound {
        request: u64,
        bound: Result<Bound, Unusable>,
    },
    Recovered {
        before: Vec<Recorded>,
        recovered: Result<SyncState, StoreError>,
    },
    /// The next part of the history, or how it stands if there is none.
    AdoptionPrepared {
        request: u64,
        body: Result<(Option<String>, SyncState), StoreError>,
    },
    Adopted {
        request: u64,
        adopted: Result<SyncState, Unusable>,
    },
    Retried {
        id: String,
        retried: Result<u64, StoreError>,
    },
    Walked(Result<(Rebased, SyncState), StoreError>),
    CaughtUp(Result<u64, StoreError>),
    Executed {
        id: String,
        command: Command,
        executed: Result<(Executed, u64), StoreError>,
    },
    /// Something whose end nobody waits for.
    Tidied,
}

/// What a request says.
pub(crate) enum Body {
    Nothing,
    Push(String),
    After(Cursor),
}
