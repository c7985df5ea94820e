//! Any filter, and what it means in the plainest way.

use std::collections::HashSet;

use everfold::position::Position;
use everfold::store::{Clock, Direction, Query};
use proptest::prelude::*;

use crate::contract::log::Seen;
use crate::history::STREAMS;

/// What a query may restrict.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    streams: Option<Vec<&'static str>>,
    stream: Option<&'static str>,
    prefix: Option<&'static str>,
    first_stream: Option<&'static str>,
    before_stream: Option<&'static str>,
    event_type: Option<&'static str>,
    after: Option<u64>,
    until_position: Option<u64>,
    from: Option<i64>,
    until: Option<i64>,
    clock: Clock,
}

/// Each restriction is there seldom enough that most filters let something through.
pub(crate) fn filter() -> impl Strategy<Value = Filter> {
    let stream = || prop::option::weighted(0.15, prop::sample::select(&STREAMS[..]));
    let streams = prop::option::weighted(0.2, prop::sample::subsequence(&STREAMS[..], 0..STREAMS.len()));
    let prefix = prop::option::weighted(0.2, prop::sample::select(vec!["s-", "t-", "s-🦀", "u"]));
    let event_type = prop::option::weighted(0.3, prop::sample::select(vec!["happened", "changed", "never"]));
    let position = || prop::option::weighted(0.3, 0..60_u64);
    let time = || prop::option::weighted(0.3, 0..400_i64);
    let clock = prop_oneof![Just(Clock::Occurred), Just(Clock::Recorded)];
    let places = (streams, stream(), prefix, stream(), stream());
    let rest = (event_type, position(), position(), time(), time(), clock);
    (places, rest).prop_map(|(places, rest)| {
        let (streams, stream, prefix, first_stream, before_stream) = places;
        let (event_type, after, until_position, from, until, clock) = rest;
        Filter {
            streams,
            stream,
            prefix,
            first_stream,
            before_stream,
            event_type,
            after,
            until_position,
            from,
            until,
            clock,
        }
    })
}

impl Filter {
    /// The same for the store, read in `direction`, up to `end` at most.
    pub(crate) fn query(&self, direction: Direction, end: Position) -> Query<'static> {
        let until = self.until_position.map_or(end, |until| end.min(Position(until)));
        Query {
            stream_id: self.stream.map(Into::into),
            prefix: self.prefix.map(Into::into),
            streams: self.streams.as_deref().map(set),
            types: self.event_type.map(|name| set(&[name])),
            after_position: self.after.map(Position),
            until_position: Some(until),
            from: self.from,
            until: self.until,
            clock: self.clock,
            direction,
            first_stream: self.first_stream.map(Into::into),
            before_stream: self.before_stream.map(Into::into),
            ..Query::default()
        }
    }

    /// Whether an event passes.
    pub(crate) fn passes(&self, event: &Seen) -> bool {
        let stream = event.stream.as_str();
        let time = match self.clock {
            Clock::Occurred => event.occurred_at,
            Clock::Recorded => event.recorded_at,
        };
        self.streams.as_ref().is_none_or(|wanted| wanted.contains(&stream))
            && self.stream.is_none_or(|wanted| wanted == stream)
            && self.prefix.is_none_or(|prefix| stream.starts_with(prefix))
            && self.first_stream.is_none_or(|first| stream >= first)
            && self.before_stream.is_none_or(|end| stream < end)
            && self.event_type.is_none_or(|wanted| wanted == event.event_type)
            && self.after.is_none_or(|after| event.position > after)
            && self.until_position.is_none_or(|until| event.position <= until)
            && self.from.is_none_or(|from| time >= from)
            && self.until.is_none_or(|until| time <= until)
    }
}

fn set(names: &[&str]) -> HashSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
