//! Accounts: what may happen to one, and what it leads to.

use everfold::decider::Decider;
use serde::{Deserialize, Serialize};

/// What someone wants. Amounts are minor units.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// An account.
    Open {
        /// Whose it is.
        owner: String,
    },
    /// To pay in.
    Deposit {
        /// How much.
        amount: i64,
    },
    /// To take out.
    Withdraw {
        /// How much.
        amount: i64,
    },
}

/// What happened. What else the stored events carry is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// The account exists.
    #[serde(rename = "account.opened")]
    Opened {
        /// Whose it is.
        owner: String,
    },
    /// Money came in.
    #[serde(rename = "account.money_deposited")]
    Deposited {
        /// How much.
        amount: i64,
    },
    /// Money went out.
    #[serde(rename = "account.money_withdrawn")]
    Withdrawn {
        /// How much.
        amount: i64,
    },
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Refusal {
    /// It exists.
    AlreadyOpen,
    /// Nothing, or less, is no amount.
    NotAnAmount,
    /// More than there is.
    NotCovered {
        /// What is there.
        balance: i64,
    },
}

/// What decisions are taken on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// Whose it is, once it is open.
    pub owner: Option<String>,
    /// What is there.
    pub balance: i64,
}

/// The rules of an account.
#[derive(Debug)]
pub struct Account;

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
        Ok(vec![match *command {
            Command::Open { .. } if state.owner.is_some() => return Err(Refusal::AlreadyOpen),
            Command::Open { ref owner } => Event::Opened { owner: owner.clone() },
            Command::Deposit { amount } | Command::Withdraw { amount } if amount <= 0 => {
                return Err(Refusal::NotAnAmount);
            }
            Command::Deposit { amount } => Event::Deposited { amount },
            Command::Withdraw { amount } if amount > state.balance => {
                return Err(Refusal::NotCovered { balance: state.balance });
            }
            Command::Withdraw { amount } => Event::Withdrawn { amount },
        }])
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::Opened { owner } => state.owner = Some(owner.clone()),
            Event::Deposited { amount } => state.balance += amount,
            Event::Withdrawn { amount } => state.balance -= amount,
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn decide(history: &[Event], command: &Command) -> Result<Vec<Event>, Refusal> {
        Account::decide(command, &Account::fold(Account::initial_state(), history))
    }

    #[test]
    fn money_that_is_there_can_be_withdrawn() {
        let history = [Event::Deposited { amount: 100 }, Event::Withdrawn { amount: 30 }];

        let all = decide(&history, &Command::Withdraw { amount: 70 });
        let more = decide(&history, &Command::Withdraw { amount: 71 });

        assert_eq!(all, Ok(vec![Event::Withdrawn { amount: 70 }]));
        assert_eq!(more, Err(Refusal::NotCovered { balance: 70 }));
    }

    #[test]
    fn an_account_is_opened_once() {
        let open = Command::Open {
            owner: "Ann".to_owned(),
        };
        let opened = Event::Opened {
            owner: "Ann".to_owned(),
        };

        assert_eq!(decide(&[], &open), Ok(vec![opened.clone()]));
        assert_eq!(decide(&[opened], &open), Err(Refusal::AlreadyOpen));
    }
}
