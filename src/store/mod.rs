//! The store: an append-only log over tables of bytes.

mod closing;
mod faulty;
mod memory;
mod storage;

pub use closing::{Closed, ClosedBy};
pub use faulty::{Fault, Faults, Faulty, When};
pub use memory::{MemoryDatabase, MemoryStorage};
pub use storage::{
    Bound, Change, Check, Durability, Entry, Key, KeyRange, Order, Read, Storage, StorageError, Table, Write, Written,
};
