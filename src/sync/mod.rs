//! Sync: one log on every device and on a server.
//!
//! `docs/protocol.md` is the wire, `docs/sync.md` the client. Files are concepts: what is said
//! ([`WireCommit`], [`PushRequest`], [`PullPage`], [`Problem`]), where one is in the log of a server
//! ([`Cursor`]), how two find out that theirs is the same ([`digest`], [`next_hash`],
//! [`ChainCheck`]), what a device does
//! next ([`Replica`]), and the server's side: an [`Authority`] judges by [`Rules`] over a [`SpaceLog`].
//! Nothing here waits for a network or reads a clock.

mod authority;
mod backoff;
mod chain;
mod chain_check;
mod commit;
mod cursor;
mod judge;
mod limits;
mod memory_log;
mod message;
mod problem;
mod replica;
mod rules;
mod space_log;
mod well_formed;

pub use authority::{Authority, Pulled, PushCounts, Pushed, is_space_name, read_cursor};
pub use chain::{Hash, HashPrefix, InvalidHash, digest, first_hash, next_hash};
pub use chain_check::{BrokenChain, ChainCheck};
pub use commit::{WireCommit, WireEvent, WireStream};
pub use cursor::{Cursor, Epoch, Head, InvalidCursor};
pub use limits::Limits;
pub use memory_log::MemoryLog;
pub use message::{Adopt, PROTOCOL, PullPage, PushAnswer, PushRequest, PushResult};
pub use problem::{EpochChanged, Problem, ProblemKind};
pub use replica::{Input, Output, Replica, Request, State, Status, TailEvent};
pub use rules::{Rules, Streams, UnreadableEvent};
pub use space_log::{
    Appended, Claim, KnownCommit, LogError, PageLimit, PastEpoch, SpaceLog, SpaceState, StoredCommit, StoredText,
};
pub use well_formed::read_push;
