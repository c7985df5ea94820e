//! How many accounts each owner has, and who has most.

use everfold::event::RecordedEvent;
use everfold::projection::{Index, Keys, Projection};
use serde::{Deserialize, Serialize};

use crate::account::Event;

/// One owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// How many accounts.
    pub accounts: u32,
}

/// The rules of the rows: the key is the owner's name.
#[derive(Debug)]
pub struct Owners;

impl Projection for Owners {
    const NAME: &'static str = "owners";
    const VERSION: u32 = 1;
    const AGGREGATES: &'static [&'static str] = &["account"];
    const EVENTS: &'static [&'static str] = &["account.opened"];
    const INDEXES: &'static [Index<Owner>] = &[Index {
        name: "accounts",
        value: |owner| Some(f64::from(owner.accounts).into()),
    }];
    type Event = Event;
    type Row = Owner;

    fn keys<'e>(event: &'e RecordedEvent<'_, Event>) -> Keys<'e> {
        match &event.event {
            Event::Opened { owner } => owner.as_str().into(),
            _ => Keys::None,
        }
    }

    fn evolve(row: Option<Owner>, _event: &RecordedEvent<'_, Event>, _key: &str) -> Option<Owner> {
        let accounts = row.map_or(0, |owner| owner.accounts) + 1;
        Some(Owner { accounts })
    }
}
