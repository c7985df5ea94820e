//! The store: an append-only log over tables of bytes, with snapshots and rows of projections beside it.
//!
//! [`Storage`] keeps bytes; everything above it is the same on every machine: what an append writes
//! (`plan`), the tail in memory (`tail`), sealing (`append`), reading in pages (`read`), loading a
//! stream (`load`), rows and their checkpoints (`projections`, `rows`).

mod adoption;
mod ahead;
mod append;
mod batch;
mod binding;
mod blocks;
mod carry;
mod closing;
mod compact;
mod confirmed;
mod cut;
mod decision;
mod error;
mod execute;
mod export;
mod export_file;
mod faulty;
mod fold;
mod fold_error;
mod heads;
#[cfg(target_arch = "wasm32")]
pub mod idb;
mod import;
mod ingest;
mod known;
mod known_rows;
mod load;
mod log;
mod memory;
mod meta;
mod open;
mod outbox;
mod pack;
mod partition;
mod plan;
mod projections;
mod pull;
mod query;
mod read;
mod rebase;
mod refusals;
mod rewind;
mod rows;
mod segments;
mod snapshots;
mod sorted;
mod state_fold;
mod stats;
mod storage;
mod tail;
mod typed_event;
mod verify;
mod view;
mod walk;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_util::lock::Mutex;

pub use crate::commit::{MAX_COMMIT_BYTES, MAX_COMMIT_EVENTS};
pub use adoption::{Adoption, BindOptions};
pub use append::Progress;
pub use batch::Batch;
pub use closing::{Closed, ClosedBy};
pub use decision::{Decide, DecideStream, Decision, RebaseStep, Rebased};
pub use error::{StoreError, StoreErrorKind};
pub use execute::{ExecuteError, ExecuteOptions, Executed, LoadedState};
pub use export_file::{ExportContent, check_export};
pub use faulty::{Fault, Faults, Faulty, When};
pub use fold::{Advanced, Fold, StoredRows};
pub use fold_error::{EventPlace, FoldError};
pub use import::Imported;
pub use ingest::Ingested;
pub(crate) use load::FoundStream;
pub use load::{LoadQuery, Loaded};
pub use log::{Foreign, Settlements};
pub use memory::{MemoryDatabase, MemoryStorage};
pub use open::OpenOptions;
pub use outbox::{PushBody, SyncState};
pub use pack::{Counts, OnRefused};
pub use plan::{InvalidCommit, Outcome, Receipt};
pub use projections::{ProjectionReport, ProjectionState, Rebuild, StaleGeneration};
pub use pull::{Answers, Pulled};
pub use query::{Clock, Direction, Query};
pub use read::Page;
pub use refusals::RefusalKind;
pub use rewind::Recovery;
pub use rows::{After, RowChange, RowQuery, RowWrite};
pub use snapshots::Snapshot;
pub(crate) use state_fold::{AnyState, StateFold};
pub use stats::{ProjectionStats, Stats};
pub use storage::{
    Bound, Change, Check, Durability, Entry, Key, KeyRange, Order, Read, Storage, StorageError, Table, Write, Written,
};
pub use tail::Settled;
pub use verify::{Problem, VerifyReport};
pub use view::{ListQuery, View};

use crate::position::Position;

/// An event store over some [`Storage`]. Methods take `&self` and may run at the same time; appends
/// wait for one another. Several stores, in tabs or processes, may share one database.
#[derive(Debug)]
pub struct Store<S> {
    storage: Rc<S>,
    identity: meta::Identity,
    durability: Durability,
    log: RefCell<log::Log>,
    blocks: blocks::BlockCache,
    /// The segments in which the next page of a reader probably goes on.
    sorted: RefCell<Vec<Rc<sorted::Sorted>>>,
    ahead: ahead::ReadAhead,
    /// Filters of commit ids, read when first asked for.
    commit_filters: RefCell<HashMap<blocks::BlockId, Vec<u8>>>,
    /// Where projections stand, as last seen.
    projections: RefCell<HashMap<(String, u32), ProjectionState>>,
    /// Held by whoever changes the log.
    writing: Mutex<()>,
    /// The log must be read before the next write: a write failed and may have been applied nevertheless,
    /// or start-up has left the tail unread.
    doubtful: Cell<bool>,
    closed: Cell<bool>,
    /// The fence that this instance raised when it began to lead, if it did.
    fence: Cell<Option<u64>>,
    /// The walk through what is pending that is under way.
    walk: RefCell<Option<Box<walk::Walk>>>,
    /// The commits that were pushed last, with their attempts.
    pushed: RefCell<HashMap<String, u64>>,
    /// Where the commits of a history that were pushed last end.
    adopting: RefCell<Vec<confirmed::Place>>,
    /// Where an export under way is.
    export: Cell<Option<export::ExportProgress>>,
    /// Where a verification under way is.
    verified: RefCell<verify::Verified>,
}

impl<S> Store<S> {
    /// The id of this copy of the log.
    pub fn replica(&self) -> &str {
        &self.identity.replica
    }

    /// When this copy was made, in milliseconds since the epoch.
    pub fn created_at(&self) -> i64 {
        self.identity.created_at
    }

    /// Position of the last event, as far as this instance knows.
    pub fn position(&self) -> Position {
        self.log.borrow().position()
    }

    /// Position of the last confirmed event, as far as this instance knows. Without sync all are.
    pub fn confirmed(&self) -> Position {
        self.log.borrow().confirmed()
    }

    /// How many commits the server has not taken yet, as far as this instance knows.
    pub fn pending(&self) -> u64 {
        self.log.borrow().pending()
    }

    /// How many journal records are not sealed yet.
    pub fn journal_records(&self) -> u64 {
        self.log.borrow().journal_records()
    }
}
