//! The store: an append-only log over tables of bytes.

mod storage;

pub use storage::{
    Bound, Change, Check, Durability, Entry, Key, KeyRange, Order, Read, Storage, StorageError, Table, Write, Written,
};
