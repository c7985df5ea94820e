//! The balance of each account.

use everfold::event::RecordedEvent;
use everfold::projection::{Keys, Partition, Projection};
use serde::{Deserialize, Serialize};

use crate::account::Event;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// What is there, in minor units.
    pub balance: i64,
    /// How often it changed.
    pub transactions: u64,
}

/// The rules of the rows: the key is the account's stream.
#[derive(Debug)]
pub struct Balances;

impl Projection for Balances {
    const NAME: &'static str = "balances";
    const VERSION: u32 = 1;
    const AGGREGATES: &'static [&'static str] = &["account"];
    const EVENTS: &'static [&'static str] = &["account.money_deposited", "account.money_withdrawn"];
    const PARTITION: Partition = Partition::Stream;
    type Event = Event;
    type Row = Balance;

    fn keys<'e>(event: &'e RecordedEvent<'_, Event>) -> Keys<'e> {
        event.stream_id.into()
    }

    fn evolve(row: Option<Balance>, event: &RecordedEvent<'_, Event>, _key: &str) -> Option<Balance> {
        let change = match event.event {
            Event::Opened { .. } => return row,
            Event::Deposited { amount } => amount,
            Event::Withdrawn { amount } => -amount,
        };
        let Balance { balance, transactions } = row.unwrap_or_default();
        Some(Balance {
            balance: balance + change,
            transactions: transactions + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use everfold::store::{
        Durability, ExecuteOptions, MemoryDatabase, MemoryStorage, OpenOptions, Query, Store, StoreError,
    };

    use super::*;
    use crate::account::{Account, Command};

    async fn bank() -> Result<Store<MemoryStorage>, StoreError> {
        let options = OpenOptions {
            replica: "here".to_owned(),
            now: 0,
            durability: Durability::Strict,
        };
        Store::open(MemoryStorage::open(&MemoryDatabase::new()), options).await
    }

    async fn execute(store: &Store<MemoryStorage>, id: &str, now: i64, command: &Command) {
        let options = ExecuteOptions {
            commit_id: format!("{id} at {now}"),
            now,
            expected_version: None,
        };
        store.execute::<Account>(id, command, &options).await.expect("executes");
    }

    #[test]
    fn balances_follow_the_accounts_and_are_known_as_of_then() {
        pollster::block_on(async {
            let store = bank().await.expect("opens");
            let balances = store.view::<Balances>();
            execute(
                &store,
                "ann",
                1,
                &Command::Open {
                    owner: "Ann".to_owned(),
                },
            )
            .await;
            execute(&store, "ann", 2, &Command::Deposit { amount: 100 }).await;
            execute(&store, "ann", 3, &Command::Withdraw { amount: 30 }).await;

            let now = balances.get("account-ann").await.expect("folds").expect("is there");
            let until = Query {
                until: Some(2),
                ..Query::default()
            };
            let then = store.project::<Balances>(&until).await.expect("folds");

            assert_eq!((now.balance, now.transactions), (70, 2));
            assert_eq!(then["account-ann"].balance, 100);
        });
    }
}
