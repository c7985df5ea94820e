//! Packing a bulk: deciding what of it one transaction writes.
//!
//! Values in, values out, as in `plan`. Commits are taken in their order, to the first that is refused or
//! past it. They are encoded once, as the journal holds them; a segment is made of slices of the same
//! bytes.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::plan::{InvalidCommit, Outcome, Receipt};
use crate::bulk::{Bulk, BulkCommit};
use crate::commit::{MAX_COMMIT_BYTES, MAX_COMMIT_EVENTS, Mode, NewCommit};
use crate::log::FormatError;
use crate::log::block::{Recorded, RecordedCommit, StreamSpan, sort};
use crate::log::bytes::put_bytes;
use crate::log::commit::{digest, envelope_of, put_commit, put_stream};
use crate::log::event::put_event;
use crate::position::Position;
use crate::stream::{Version, check_id};

/// A beginning of a bulk, judged and encoded.
#[derive(Debug)]
pub(crate) struct Packed<'a> {
    /// What of it is in the log then.
    pub(crate) counts: Counts,
    /// Which commits are not, by their number, and why.
    pub(crate) refused: Vec<(usize, Outcome)>,
    /// The number of the commit after the last one that was judged.
    pub(crate) next: usize,
    /// Position before the first event.
    base: Position,
    bytes: Vec<u8>,
    commits: Vec<PackedCommit>,
    spans: Vec<PackedSpan<'a>>,
    /// The first span of each stream.
    streams: Vec<usize>,
    /// Each event's bytes, in the order of position.
    events: Vec<Range<usize>>,
}

/// What to do at a commit that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRefused {
    /// End before it: what is written is a beginning of what was given.
    Stop,
    /// Leave it out.
    PassOver,
}

/// Which commits of a bulk to pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// The number of the first one.
    pub(crate) from: usize,
    pub(crate) on_refused: OnRefused,
    /// At most so many events, but at least one commit.
    pub(crate) events: usize,
}

/// How much of a bulk is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Commits, known ones included.
    pub commits: usize,
    /// Their events.
    pub events: usize,
    /// Commits that the log already held by their id.
    pub known_commits: usize,
    /// Their events.
    pub known_events: usize,
    /// Position of the last event of all these commits.
    pub position: Position,
}

/// The number of nothing.
const NONE: usize = usize::MAX;

#[derive(Debug)]
struct PackedCommit {
    bytes: Range<usize>,
    header: Range<usize>,
    envelope: Vec<u8>,
    events: Range<usize>,
    spans: Range<usize>,
}

/// The events of one commit in one stream.
#[derive(Debug)]
struct PackedSpan<'a> {
    stream: &'a str,
    first: Version,
    events: Range<usize>,
    commit: usize,
    /// The next span of this stream, if there is one.
    next: usize,
}

/// Packs a part of `bulk` onto a log whose last event is at `base`. `heads` holds the version of each stream of the bulk, `known` every
/// commit of the log whose id the bulk uses.
pub(crate) fn pack<'a>(
    bulk: &'a Bulk<'a>,
    part: Part,
    base: Position,
    heads: Vec<Version>,
    known: HashMap<String, Receipt>,
    refused: HashSet<String>,
    replica: &str,
) -> Result<Packed<'a>, FormatError> {
    let packed = Packed {
        counts: Counts::default(),
        refused: Vec::new(),
        next: part.from,
        base,
        bytes: Vec::new(),
        commits: Vec::new(),
        spans: Vec::new(),
        streams: Vec::new(),
        events: Vec::new(),
    };
    let streams = heads.into_iter().map(StreamState::new).collect();
    let mut packer = Packer {
        packed,
        bulk,
        streams,
        known,
        refused,
        replica,
    };
    for (number, commit) in bulk.commits.iter().enumerate().skip(part.from) {
        let events = packer.packed.events.len();
        if events > 0 && events + commit.events.len() > part.events {
            break;
        }
        if let Some(outcome) = packer.put(commit)? {
            packer.packed.refused.push((number, outcome));
            if part.on_refused == OnRefused::Stop {
                break;
            }
        }
        packer.packed.next = number + 1;
    }
    Ok(packer.packed)
}

struct Packer<'a, 'b> {
    packed: Packed<'a>,
    bulk: &'a Bulk<'a>,
    streams: Vec<StreamState>,
    known: HashMap<String, Receipt>,
    refused: HashSet<String>,
    replica: &'b str,
}

/// How far a stream is packed.
struct StreamState {
    version: Version,
    /// Which group of the commit that is being packed is about it.
    group: usize,
    /// Its last span.
    span: usize,
}

impl StreamState {
    fn new(version: Version) -> Self {
        Self {
            version,
            group: NONE,
            span: NONE,
        }
    }
}

/// The events of one stream in the commit that is being packed, as a chain.
struct Group {
    stream: usize,
    first: usize,
    last: usize,
    events: u64,
}

impl<'a> Packer<'a, '_> {
    /// Takes one commit, or says why not.
    fn put(&mut self, commit: &BulkCommit<'a>) -> Result<Option<Outcome>, FormatError> {
        if let Err(error) = self.check(commit) {
            return Ok(Some(Outcome::Invalid(error)));
        }
        let events = commit.events.len();
        let counts = &mut self.packed.counts;
        if let Some(content) = commit.content
            && let Some(receipt) = self.known.get(commit.id)
        {
            if !receipt.has_content(content) {
                return Ok(Some(Outcome::Reused));
            }
            counts.known_commits += 1;
            counts.known_events += events;
            counts.position = counts.position.max(receipt.last_position());
        } else if commit.content.is_some() && self.refused.contains(commit.id) {
            return Ok(Some(Outcome::Refused));
        } else {
            if let Some(size) = self.encode(commit)? {
                return Ok(Some(Outcome::Invalid(InvalidCommit::TooLarge(size))));
            }
            let position = self.packed.end();
            self.packed.counts.position = position;
            if let Some(content) = commit.content {
                let receipt = Receipt {
                    commit_id: commit.id.to_owned(),
                    attempt: 1,
                    position: Position(position.0 + 1),
                    streams: Vec::new(),
                    pending: false,
                    digest: digest(content).to_vec(),
                };
                self.known.insert(commit.id.to_owned(), receipt);
            }
        }
        self.packed.counts.commits += 1;
        self.packed.counts.events += events;
        Ok(None)
    }

    fn check(&self, commit: &BulkCommit<'_>) -> Result<(), InvalidCommit> {
        check_id(commit.id)?;
        match commit.events.len() {
            0 => return Err(InvalidCommit::Empty),
            1..=MAX_COMMIT_EVENTS => {}
            events => return Err(InvalidCommit::TooManyEvents(events)),
        }
        for event in self.bulk.events.get(commit.events.clone()).unwrap_or_default() {
            let stream = self.bulk.streams.get(event.stream).copied().unwrap_or_default();
            // Once it is in an earlier commit, it has been checked.
            if self.streams.get(event.stream).is_none_or(|state| state.span == NONE) {
                check_id(stream)?;
            }
            if event.event.event_type.is_empty() {
                return Err(InvalidCommit::NoType(stream.to_owned()));
            }
        }
        Ok(())
    }

    /// Encodes a commit as the journal holds it. Its size if it is too large, and then nothing is changed.
    fn encode(&mut self, commit: &BulkCommit<'a>) -> Result<Option<usize>, FormatError> {
        let events = self.bulk.events.get(commit.events.clone()).unwrap_or_default();
        let (groups, next) = self.group(commit);
        let packed = &mut self.packed;
        let (start, first_event, first_span) = (packed.bytes.len(), packed.events.len(), packed.spans.len());
        put_commit(&mut packed.bytes, &header_of(commit), &[], self.replica);
        let header = start..packed.bytes.len();
        let (mut body, mut event_bytes, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for group in &groups {
            body.clear();
            ends.clear();
            let mut place = Some(group.first);
            while let Some((number, event)) = place.and_then(|place| Some((place, events.get(place)?))) {
                event_bytes.clear();
                put_event(&mut event_bytes, &event.event);
                put_bytes(&mut body, &event_bytes);
                ends.push((body.len(), event_bytes.len()));
                place = next.get(number).copied();
            }
            let before = self.streams.get(group.stream).map_or(Version(0), |state| state.version);
            let stream = self.bulk.streams.get(group.stream).copied().unwrap_or_default();
            put_stream(&mut packed.bytes, stream, before, group.events, &body);
            let offset = packed.bytes.len() - body.len();
            packed.spans.push(PackedSpan {
                stream,
                first: before.next(),
                events: packed.events.len()..packed.events.len() + ends.len(),
                commit: packed.commits.len(),
                next: NONE,
            });
            let ranges = ends.iter().map(|(end, length)| offset + end - length..offset + end);
            packed.events.extend(ranges);
        }
        let size = packed.bytes.len() - start;
        if size > MAX_COMMIT_BYTES {
            packed.bytes.truncate(start);
            packed.events.truncate(first_event);
            packed.spans.truncate(first_span);
            return Ok(Some(size));
        }
        for (group, span) in groups.iter().zip(first_span..) {
            if let Some(state) = self.streams.get_mut(group.stream) {
                state.version.0 += group.events;
                match packed.spans.get_mut(state.span) {
                    Some(last) => last.next = span,
                    None => packed.streams.push(span),
                }
                state.span = span;
            }
        }
        let envelope = envelope_of(packed.bytes.get(header.clone()).unwrap_or_default())?;
        packed.commits.push(PackedCommit {
            bytes: start..packed.bytes.len(),
            header,
            envelope,
            events: first_event..packed.events.len(),
            spans: first_span..packed.spans.len(),
        });
        Ok(None)
    }

    /// The streams of a commit in the order in which they come first, and for each event which one of
    /// its stream is next.
    fn group(&mut self, commit: &BulkCommit<'a>) -> (Vec<Group>, Vec<usize>) {
        let events = self.bulk.events.get(commit.events.clone()).unwrap_or_default();
        let mut groups: Vec<Group> = Vec::new();
        let mut next = vec![NONE; events.len()];
        for (number, event) in events.iter().enumerate() {
            let Some(state) = self.streams.get_mut(event.stream) else {
                continue;
            };
            match groups.get_mut(state.group) {
                // What an earlier commit has left may point anywhere.
                Some(group) if group.stream == event.stream => {
                    if let Some(next) = next.get_mut(group.last) {
                        *next = number;
                    }
                    group.last = number;
                    group.events += 1;
                }
                _ => {
                    state.group = groups.len();
                    groups.push(Group {
                        stream: event.stream,
                        first: number,
                        last: number,
                        events: 1,
                    });
                }
            }
        }
        (groups, next)
    }
}

impl Packed<'_> {
    /// How many events it writes.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Position of its last event.
    pub(crate) fn end(&self) -> Position {
        Position(self.base.0 + self.events.len() as u64)
    }

    /// How many bytes its commits have.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The commits as a record of the journal holds them.
    pub(crate) fn commits(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let bytes = |commit: &PackedCommit| self.bytes.get(commit.bytes.clone()).unwrap_or_default();
        self.commits.iter().map(bytes)
    }

    /// Its events by stream and version: streams are sorted, not events, as they are several times fewer.
    pub(crate) fn events_by_stream(&self) -> Vec<Recorded<'_>> {
        let first = |span: &usize| self.spans.get(*span).and_then(|span| self.events_of(span).next());
        let mut firsts: Vec<_> = self.streams.iter().filter_map(first).collect();
        sort(&mut firsts, Recorded::by_stream);
        let mut events = Vec::with_capacity(self.events.len());
        for first in firsts {
            let place = (first.position.0 - self.base.0) as usize - 1;
            let mut number = self.spans.partition_point(|span| span.events.start <= place) - 1;
            while let Some(span) = self.spans.get(number) {
                events.extend(self.events_of(span));
                number = span.next;
            }
        }
        events
    }

    fn events_of<'s>(&'s self, span: &'s PackedSpan<'s>) -> impl Iterator<Item = Recorded<'s>> {
        let commit = self.commits.get(span.commit);
        commit.into_iter().flat_map(move |commit| {
            span.events
                .clone()
                .zip(span.first.0..)
                .map(|(place, version)| Recorded {
                    position: self.position(place),
                    stream: span.stream,
                    version: Version(version),
                    envelope: &commit.envelope,
                    index: (place - commit.events.start) as u64,
                    event: self
                        .events
                        .get(place)
                        .and_then(|range| self.bytes.get(range.clone()))
                        .unwrap_or_default(),
                })
        })
    }

    /// Its commits in the order of position.
    pub(crate) fn recorded_commits(&self) -> impl Iterator<Item = RecordedCommit<'_>> {
        self.commits.iter().map(|commit| RecordedCommit {
            position: self.position(commit.events.start),
            header: self.bytes.get(commit.header.clone()).unwrap_or_default(),
            streams: self
                .spans
                .get(commit.spans.clone())
                .unwrap_or_default()
                .iter()
                .map(|span| StreamSpan {
                    stream: span.stream,
                    first: span.first,
                    events: span.events.len() as u64,
                })
                .collect(),
        })
    }

    /// The streams it writes to, with their versions afterwards; the last one counts.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (&str, Version)> {
        self.spans
            .iter()
            .map(|span| (span.stream, Version(span.first.0 + span.events.len() as u64 - 1)))
    }

    fn position(&self, place: usize) -> Position {
        Position(self.base.0 + 1 + place as u64)
    }
}

fn header_of<'a>(commit: &BulkCommit<'a>) -> NewCommit<'a> {
    NewCommit {
        commit_id: commit.id.into(),
        known: commit.content.is_some(),
        recorded_at: commit.recorded_at,
        mode: Mode::Fact,
        command: None,
        definition: None,
        content: commit.content.unwrap_or_default().into(),
        reads: Vec::new(),
        subject: None,
        causation_id: None,
        correlation_id: None,
        streams: Vec::new(),
    }
}
