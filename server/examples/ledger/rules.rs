//! The rules of the ledger, as the server asks them: each commit on the accounts as they are before it.

use everfold::decider::Decider;
use everfold::sync::{Problem, ProblemKind, Rules, Streams, WireCommit, WireEvent};

use crate::account::{Account, Command, Event};

/// Judges what is written to accounts; other streams are nobody's business here.
#[derive(Debug)]
pub(crate) struct LedgerRules;

fn accounts<'c>(commit: &'c WireCommit<'_>) -> impl Iterator<Item = &'c str> {
    let streams = commit.streams.as_deref().unwrap_or_default();
    streams
        .iter()
        .map(|stream| &*stream.stream_id)
        .filter(|id| id.starts_with("account-"))
}

fn refused(detail: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemKind::RuleRefused, detail)
}

impl Rules for LedgerRules {
    fn may_write(&self, _actor: &str, _stream_id: &str, _event_type: &str) -> bool {
        true
    }

    fn needs(&self, commit: &WireCommit<'_>) -> Vec<String> {
        accounts(commit).map(str::to_owned).collect()
    }

    fn judge(&self, _actor: &str, commit: &WireCommit<'_>, streams: &Streams<'_>) -> Result<(), Problem> {
        for written in commit.streams.as_deref().unwrap_or_default() {
            if !written.stream_id.starts_with("account-") {
                continue;
            }
            let mut state = streams.state::<Account>(&written.stream_id).map_err(refused)?;
            if commit
                .definition
                .as_ref()
                .is_some_and(|definition| definition.name == Account::NAME)
            {
                decided(commit, &state)?;
            }
            for event in &written.events {
                let event: Event = event.read().map_err(refused)?;
                Account::allows(&state, &event).map_err(refused)?;
                state = Account::evolve(state, &event);
            }
        }
        Ok(())
    }
}

/// A command of an account must lead here to what it led to on the device.
fn decided(commit: &WireCommit<'_>, state: &<Account as Decider>::State) -> Result<(), Problem> {
    let Some(command) = commit.command else { return Ok(()) };
    let command: Command = serde_json::from_str(command.get()).map_err(refused)?;
    let here = Account::decide(&command, state).map_err(refused)?;
    let streams = commit.streams.iter().flatten();
    let events = streams.flat_map(|stream| &stream.events).map(WireEvent::read::<Event>);
    let there = events.collect::<Result<Vec<_>, _>>().map_err(refused)?;
    if here == there {
        Ok(())
    } else {
        Err(refused("the command leads to other events"))
    }
}
