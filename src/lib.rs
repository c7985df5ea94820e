//! Event sourcing for the browser.
//!
//! Events are appended to streams in commits, kept in a packed log, and folded into states and rows.
//! This crate is the engine under the npm package `everfold` and is used by itself in Rust web apps.
//!
//! ```
//! use everfold::decider::Decider;
//! use everfold::store::{Durability, ExecuteOptions, MemoryDatabase, MemoryStorage, OpenOptions, Store};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! #[serde(tag = "type", content = "data")]
//! enum AccountEvent {
//!     Deposited { amount: u64 },
//!     Withdrawn { amount: u64 },
//! }
//!
//! enum AccountCommand {
//!     Deposit(u64),
//!     Withdraw(u64),
//! }
//!
//! #[derive(Debug, PartialEq)]
//! struct NotCovered;
//!
//! struct Account;
//!
//! impl Decider for Account {
//!     const NAME: &'static str = "account";
//!     const VERSION: u32 = 1;
//!     type State = u64;
//!     type Command = AccountCommand;
//!     type Event = AccountEvent;
//!     type Refusal = NotCovered;
//!
//!     fn initial_state() -> u64 {
//!         0
//!     }
//!
//!     fn decide(command: &AccountCommand, balance: &u64) -> Result<Vec<AccountEvent>, NotCovered> {
//!         match *command {
//!             AccountCommand::Deposit(amount) => Ok(vec![AccountEvent::Deposited { amount }]),
//!             AccountCommand::Withdraw(amount) if amount > *balance => Err(NotCovered),
//!             AccountCommand::Withdraw(amount) => Ok(vec![AccountEvent::Withdrawn { amount }]),
//!         }
//!     }
//!
//!     fn evolve(balance: u64, event: &AccountEvent) -> u64 {
//!         match event {
//!             AccountEvent::Deposited { amount } => balance + amount,
//!             AccountEvent::Withdrawn { amount } => balance - amount,
//!         }
//!     }
//! }
//!
//! # pollster::block_on(async {
//! let storage = MemoryStorage::open(&MemoryDatabase::new());
//! let replica = "device-1".to_owned();
//! let store = Store::open(storage, OpenOptions { replica, now: 0, durability: Durability::Strict }).await?;
//!
//! let options = |id: &str| ExecuteOptions { commit_id: id.to_owned(), now: 0, expected_version: None };
//! store.execute::<Account>("ann", &AccountCommand::Deposit(100), &options("c1")).await.expect("is covered");
//! let refused = store.execute::<Account>("ann", &AccountCommand::Withdraw(200), &options("c2")).await;
//!
//! assert!(refused.is_err());
//! assert_eq!(store.load_state::<Account>("ann").await.expect("loads").state, 100);
//! # Ok::<(), everfold::store::StoreError>(())
//! # })?;
//! # Ok::<(), everfold::store::StoreError>(())
//! ```
//!
//! Files are concepts ([`event`], [`stream`], [`commit`]), folders are mechanisms: `log` is the
//! stored format, [`store`] everything that reads and writes it.

#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
mod bindings;
pub mod bulk;
pub mod commit;
pub mod decider;
pub mod definitions;
pub mod event;
mod hex;
pub mod json;
mod log;
pub mod module;
#[cfg(feature = "planted-bugs")]
pub mod plant;
#[cfg(not(feature = "planted-bugs"))]
mod plant;
pub mod position;
pub mod projection;
pub mod store;
pub mod stream;
pub mod sync;

pub use log::{FORMAT, FormatError};
