//! Sync: one log on every device and on a server.
//!
//! `docs/protocol.md` is the wire, `docs/sync.md` the client. Files are concepts: what is said
//! ([`commit`], [`message`]), where one is in the log of a server ([`cursor`]), how two find out
//! that theirs is the same ([`chain`]), and what a device does next ([`replica`]). Nothing here waits for a network or reads a clock.

mod backoff;
mod chain;
mod commit;
mod cursor;
mod message;
mod replica;

pub use chain::{Hash, HashPrefix, InvalidHash, digest, first_hash, next_hash};
pub use commit::{WireCommit, WireEvent, WireStream};
pub use cursor::{Cursor, Epoch, Head, InvalidCursor};
pub use message::{Adopt, PROTOCOL, PullPage, PushAnswer, PushRequest, PushResult};
pub use replica::{Input, Output, Replica, Request, State, Status, TailEvent};
