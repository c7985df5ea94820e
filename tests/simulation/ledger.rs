//! The app of the simulation: a small ledger whose rules sync must not break.
//!
//! A withdrawal needs cover and keeps to a limit, which stands in a stream of its own and is only read. A transfer is a decision
//! over two accounts. Emptying or sweeping an account leads to other events on another state. A charge is a fact: it happened, covered
//! or not. The server takes no curses.

use std::collections::BTreeMap;

use everfold::commit::Mode;
use serde::{Deserialize, Serialize};

/// The stream of the limit.
pub(crate) const LIMIT: &str = "limit-eu";
/// What the server refuses.
pub(crate) const CURSED: &str = "cursed";

/// What a user wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub(crate) enum Command {
    Deposit { account: u8, amount: u64 },
    Withdraw { account: u8, amount: u64 },
    Empty { account: u8 },
    Sweep { from: u8, to: u8 },
    Transfer { from: u8, to: u8, amount: u64 },
    SetLimit { limit: u64 },
    Charge { account: u8, amount: u64 },
    Curse { account: u8 },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Deposited { amount: u64 },
    Withdrawn { amount: u64 },
    LimitSet { limit: u64 },
    Charged { amount: u64 },
    Cursed {},
}

/// The state of a stream: an account's balance, or the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) amount: i64,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Refusal {
    NotCovered,
    AboveTheLimit,
}

/// The state before anything happened.
pub(crate) fn initial(stream: &str) -> State {
    State {
        amount: if stream == LIMIT { 50 } else { 0 },
    }
}

pub(crate) fn evolve(state: State, event: &Event) -> State {
    let amount = match *event {
        Event::Deposited { amount } => state.amount + amount as i64,
        Event::Withdrawn { amount } | Event::Charged { amount } => state.amount - amount as i64,
        Event::LimitSet { limit } => limit as i64,
        Event::Cursed {} => state.amount,
    };
    State { amount }
}

/// The stream of an account.
pub(crate) fn account(number: u8) -> String {
    format!("account-{number}")
}

impl Command {
    /// A name by which its definition is known.
    pub(crate) fn definition(&self) -> &'static str {
        match self {
            Self::Transfer { .. } | Self::Sweep { .. } => "transfer",
            Self::SetLimit { .. } => "limit",
            _ => "account",
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        match self {
            Self::Charge { .. } => Mode::Fact,
            _ => Mode::Intent,
        }
    }

    /// The streams that it is decided on.
    pub(crate) fn reads(&self) -> Vec<String> {
        match *self {
            Self::Deposit { account: number, .. }
            | Self::Empty { account: number }
            | Self::Charge { account: number, .. }
            | Self::Curse { account: number } => vec![account(number)],
            Self::Withdraw { account: number, .. } => vec![account(number), LIMIT.to_owned()],
            Self::Sweep { from, to } => vec![account(from), account(to)],
            Self::Transfer { from, to, .. } => vec![account(from), account(to), LIMIT.to_owned()],
            Self::SetLimit { .. } => vec![LIMIT.to_owned()],
        }
    }
}

/// Events by stream, in the order of the commit.
pub(crate) type Decided = Vec<(String, Vec<Event>)>;

/// Decides as version `version` of the app does. The second version pays out at most 30 when an account is emptied.
pub(crate) fn decide(version: u32, command: &Command, states: &BTreeMap<String, State>) -> Result<Decided, Refusal> {
    let amount_of = |stream: &str| states.get(stream).copied().unwrap_or_else(|| initial(stream)).amount;
    let covered = |number: u8, amount: u64| {
        if amount as i64 > amount_of(LIMIT) {
            Err(Refusal::AboveTheLimit)
        } else if amount as i64 > amount_of(&account(number)) {
            Err(Refusal::NotCovered)
        } else {
            Ok(())
        }
    };
    Ok(match *command {
        Command::Deposit {
            account: number,
            amount,
        } => vec![(account(number), vec![Event::Deposited { amount }])],
        Command::Withdraw {
            account: number,
            amount,
        } => {
            covered(number, amount)?;
            vec![(account(number), vec![Event::Withdrawn { amount }])]
        }
        Command::Empty { account: number } => {
            let balance = amount_of(&account(number)).max(0) as u64;
            let amount = if version > 1 { balance.min(30) } else { balance };
            let events = if amount == 0 {
                vec![]
            } else {
                vec![Event::Withdrawn { amount }]
            };
            vec![(account(number), events)]
        }
        Command::Sweep { from, to } => match amount_of(&account(from)).max(0) as u64 {
            0 => vec![(account(from), vec![]), (account(to), vec![])],
            amount => vec![
                (account(from), vec![Event::Withdrawn { amount }]),
                (account(to), vec![Event::Deposited { amount }]),
            ],
        },
        Command::Transfer { from, to, amount } => {
            covered(from, amount)?;
            vec![
                (account(from), vec![Event::Withdrawn { amount }]),
                (account(to), vec![Event::Deposited { amount }]),
            ]
        }
        Command::SetLimit { limit } => vec![(LIMIT.to_owned(), vec![Event::LimitSet { limit }])],
        Command::Charge {
            account: number,
            amount,
        } => vec![(account(number), vec![Event::Charged { amount }])],
        Command::Curse { account: number } => vec![(account(number), vec![Event::Cursed {}])],
    })
}
