//! Rules: what an actor may write, and what an app's own rules say to it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::commit::{WireCommit, WireEvent};
use super::problem::Problem;
use crate::decider::Decider;
use crate::json::RawJson;
use crate::log::typed::read_typed;
use crate::stream::Version;

/// What a push is judged by, besides the log. All of it is pure: when another push came first, it is asked again.
///
/// A server makes one for each request, with what the token says in it.
pub trait Rules: Send + Sync {
    /// Whether the actor may write events of this type to this stream.
    fn may_write(&self, actor: &str, stream_id: &str, event_type: &str) -> bool;

    /// Whether an event is what its schema says: `schema-unknown` or `schema-invalid`.
    fn check_schema(&self, _event: &WireEvent<'_>) -> Result<(), Problem> {
        Ok(())
    }

    /// The streams whose events [`judge`](Self::judge) wants to see for this commit.
    fn needs(&self, _commit: &WireCommit<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Whether the rules of the app allow an intent, on the state that it was decided on: `rule-refused`. Facts are not asked
    /// about: they happened.
    fn judge(&self, _actor: &str, _commit: &WireCommit<'_>, _streams: &Streams<'_>) -> Result<(), Problem> {
        Ok(())
    }
}

/// The events of streams before a commit: confirmed ones, and those of commits before it in its push.
#[derive(Debug, Default)]
pub struct Streams<'c> {
    pub(super) events: HashMap<Cow<'c, str>, Vec<WireEvent<'c>>>,
}

impl<'c> Streams<'c> {
    /// The events of a stream that was [needed](Rules::needs), in order, from version 1.
    pub fn events(&self, stream_id: &str) -> &[WireEvent<'c>] {
        self.events.get(stream_id).map_or(&[], Vec::as_slice)
    }

    /// The version of such a stream.
    pub fn version(&self, stream_id: &str) -> Version {
        Version(self.events(stream_id).len() as u64)
    }

    /// The state of such a stream.
    pub fn state<D: Decider>(&self, stream_id: &str) -> Result<D::State, UnreadableEvent> {
        let mut state = D::initial_state();
        for (version, event) in (1..).zip(self.events(stream_id)) {
            let event = event.read::<D::Event>().map_err(|error| UnreadableEvent {
                stream_id: stream_id.to_owned(),
                version,
                reason: error.to_string(),
            })?;
            state = D::evolve(state, &event);
        }
        Ok(state)
    }
}

impl WireEvent<'_> {
    /// It as an app's own type, tagged by `type` with `data` as its content.
    pub fn read<E: serde::de::DeserializeOwned>(&self) -> Result<E, serde_json::Error> {
        let data = self.data.map(RawJson::get);
        read_typed(&self.event_type, data.map(str::as_bytes))
    }
}

/// An event that is not of the type that its stream should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {version} of stream {stream_id} could not be read: {reason}")]
pub struct UnreadableEvent {
    /// The stream.
    pub stream_id: String,
    /// Its version.
    pub version: u64,
    /// Why.
    pub reason: String,
}
