//! Deciders: what may happen, and what it leads to.
//!
//! After Jérémie Chassaing, 'Functional Event Sourcing Decider' (2021): an initial state, `decide`
//! from command and state to events or a refusal, `evolve` from state and event to state. All three
//! are pure; a decision may be taken again on a newer state.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The rules of one kind of aggregate. The stream of aggregate `id` is `NAME-id`.
///
/// Events are stored as `type` and `data`: an enum with `#[serde(tag = "type", content = "data")]`.
pub trait Decider {
    /// Name of the aggregate: lower-case letters, digits and underscores.
    const NAME: &'static str;
    /// Version of `evolve` and of the shape of the state. Raise it when either changes: snapshots of other
    /// versions are ignored.
    const VERSION: u32;
    /// A snapshot is kept each so many events.
    const SNAPSHOT_EVERY: u64 = 100;

    /// What the decision is taken on.
    type State: Serialize + DeserializeOwned;
    /// What someone wants.
    type Command;
    /// What happened.
    type Event: Serialize + DeserializeOwned;
    /// Why a command was refused.
    type Refusal;

    /// The state before anything happened.
    fn initial_state() -> Self::State;

    /// What the command leads to: events, none if there is nothing to do, or a refusal. It must not
    /// read a clock or make random numbers; what it needs of these belongs in the command.
    fn decide(command: &Self::Command, state: &Self::State) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// The state after an event. Total: whatever was once decided can be folded.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;

    /// Folds events onto a state.
    fn fold<'e>(state: Self::State, events: impl IntoIterator<Item = &'e Self::Event>) -> Self::State
    where
        Self::Event: 'e,
    {
        events.into_iter().fold(state, Self::evolve)
    }
}
