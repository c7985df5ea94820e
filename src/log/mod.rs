//! The log as bytes: the stored format, and nothing that waits or stores.
//!
//! `docs/format.md` describes it; `tests/fixtures` holds what was ever written. Values are framed
//! ([`frame`]: mark, format, checksum) and made of tagged fields ([`bytes`]), so that a later release
//! can add fields that an earlier one keeps.

pub(crate) mod block;
pub(crate) mod bytes;
pub(crate) mod commit;
pub(crate) mod directory;
pub(crate) mod event;
pub(crate) mod filter;
pub(crate) mod frame;
pub(crate) mod record;
pub(crate) mod segment;
pub(crate) mod typed;

pub use bytes::FormatError;
pub use frame::FORMAT;
