//! Accounts, as the demo has them in `www/src/ledger.ts`: the same decider, compiled for the server.

use everfold::decider::Decider;
use serde::{Deserialize, Serialize};

/// What someone wants. Amounts are minor units.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", content = "data")]
pub(crate) enum Command {
    Open { owner: String },
    Deposit { amount: i64 },
    Withdraw { amount: i64 },
    Freeze { reason: String },
    Unfreeze,
}

/// What happened. What else the stored events carry is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub(crate) enum Event {
    #[serde(rename = "account.opened")]
    Opened {
        #[serde(default)]
        owner: String,
    },
    #[serde(rename = "account.money_deposited")]
    Deposited { amount: i64 },
    #[serde(rename = "account.money_withdrawn")]
    Withdrawn { amount: i64 },
    #[serde(rename = "account.money_transferred")]
    Transferred { amount: i64, side: Side },
    #[serde(rename = "account.frozen")]
    Frozen { reason: String },
    #[serde(rename = "account.unfrozen")]
    Unfrozen,
}

/// Of a transfer, whose end an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Sent,
    Received,
}

/// What decisions are taken on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct State {
    opened: bool,
    balance: i64,
    frozen: bool,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such account")]
    NotOpen,
    #[error("the account is there already")]
    AlreadyOpen,
    #[error("the account is frozen")]
    Frozen,
    #[error("{0} is no amount")]
    NotAnAmount(i64),
    #[error("{amount} is more than the {balance} that the account holds")]
    NotCovered { amount: i64, balance: i64 },
    #[error("that is more than one account can hold")]
    TooMuch,
}

/// The rules of an account.
#[derive(Debug)]
pub(crate) struct Account;

impl Account {
    /// Whether this may happen to an account in this state.
    pub(crate) fn allows(state: &State, event: &Event) -> Result<(), Refusal> {
        match *event {
            Event::Opened { .. } if state.opened => Err(Refusal::AlreadyOpen),
            Event::Opened { .. } => Ok(()),
            _ if !state.opened => Err(Refusal::NotOpen),
            Event::Frozen { .. } | Event::Unfrozen => Ok(()),
            _ if state.frozen => Err(Refusal::Frozen),
            Event::Deposited { amount } | Event::Withdrawn { amount } | Event::Transferred { amount, .. }
                if amount <= 0 =>
            {
                Err(Refusal::NotAnAmount(amount))
            }
            Event::Deposited { amount }
            | Event::Transferred {
                amount,
                side: Side::Received,
            } => {
                let fits = state
                    .balance
                    .checked_add(amount)
                    .is_some_and(|balance| balance < 1 << 53);
                if fits { Ok(()) } else { Err(Refusal::TooMuch) }
            }
            Event::Withdrawn { amount }
            | Event::Transferred {
                amount,
                side: Side::Sent,
            } => {
                let balance = state.balance;
                if amount > balance {
                    Err(Refusal::NotCovered { amount, balance })
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl Decider for Account {
    const NAME: &'static str = "account";
    const VERSION: u32 = 1;
    type State = State;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn initial_state() -> State {
        State::default()
    }

    fn decide(command: &Command, state: &State) -> Result<Vec<Event>, Refusal> {
        let event = match command.clone() {
            Command::Open { owner } => Event::Opened { owner },
            Command::Deposit { amount } => Event::Deposited { amount },
            Command::Withdraw { amount } => Event::Withdrawn { amount },
            Command::Freeze { reason } => Event::Frozen { reason },
            Command::Unfreeze => Event::Unfrozen,
        };
        Self::allows(state, &event)?;
        let nothing_to_do = match event {
            Event::Frozen { .. } => state.frozen,
            Event::Unfrozen => !state.frozen,
            _ => false,
        };
        Ok(if nothing_to_do { Vec::new() } else { vec![event] })
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match *event {
            Event::Opened { .. } => state.opened = true,
            Event::Deposited { amount }
            | Event::Transferred {
                amount,
                side: Side::Received,
            } => {
                state.balance += amount;
            }
            Event::Withdrawn { amount }
            | Event::Transferred {
                amount,
                side: Side::Sent,
            } => state.balance -= amount,
            Event::Frozen { .. } => state.frozen = true,
            Event::Unfrozen => state.frozen = false,
        }
        state
    }
}
