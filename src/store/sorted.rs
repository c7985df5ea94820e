//! The events of one segment in the order of position, as far as its blocks were read.
//!
//! Positions in a segment are dense, so each event has its place: nothing is compared.

use super::StoreError;
use super::blocks::{BlockId, BlocksError};
use super::storage::{Bound, Entry, KeyRange, Order, Read, Table};
use crate::log::FormatError;
use crate::log::block::{BLOCK_BYTES, Finder, Found, Recorded, unpack};
use crate::log::directory::Directory;

/// See the module.
#[derive(Debug)]
pub(crate) struct Sorted {
    blocks: Vec<BlockId>,
    /// Contents of the blocks, one after the other.
    content: Vec<u8>,
    events: Vec<(Found, u32)>,
    streams: Vec<Box<str>>,
    /// By position since that of the segment: the event's place in `events` plus one, 0 for none.
    places: Vec<u32>,
}

/// Adds the questions for blocks of one segment: one for each run of them. Every entry of the answers is a block, in
/// the order of `blocks`.
pub(crate) fn reads_of(blocks: &[BlockId], reads: &mut Vec<Read>) {
    for run in blocks.chunk_by(|before, block| before.is_followed_by(*block)) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        reads.push(if run.len() == 1 {
            Read::Get(Table::Blocks, first.key())
        } else {
            Read::Scan {
                table: Table::Blocks,
                range: KeyRange {
                    lower: Bound::Including(first.key()),
                    upper: Bound::Including(last.key()),
                },
                order: Order::Ascending,
                limit: None,
            }
        });
    }
}

impl Sorted {
    /// Takes the next of `entries` for each of `blocks`.
    pub(crate) fn decode(
        segment: &Directory,
        blocks: Vec<BlockId>,
        entries: &mut impl Iterator<Item = Entry>,
    ) -> Result<Self, BlocksError> {
        let mut sorted = Self {
            content: Vec::with_capacity(blocks.len() * (BLOCK_BYTES + (1 << 10))),
            events: Vec::with_capacity(segment.events as usize * blocks.len() / segment.event_blocks.len().max(1)),
            streams: Vec::new(),
            places: vec![0; segment.events as usize],
            blocks,
        };
        for id in &sorted.blocks {
            let block = entries.next().filter(|entry| entry.key == id.key());
            let block = block.ok_or(BlocksError::Vanished)?.value;
            let start = sorted.content.len();
            let mut put = || {
                sorted.content.extend_from_slice(&unpack(&block)?);
                let mut finder = Finder::new(&sorted.content, start);
                while let Some(found) = finder.next()? {
                    if found.new_stream {
                        let id = str::from_utf8(found.stream.of(&sorted.content));
                        sorted
                            .streams
                            .push(id.map_err(|_| FormatError::Malformed("streamId"))?.into());
                    }
                    sorted
                        .events
                        .push((found, sorted.streams.len().saturating_sub(1) as u32));
                    let place = found.position.wrapping_sub(segment.first.0) as usize;
                    match sorted.places.get_mut(place) {
                        Some(place) if *place == 0 => *place = sorted.events.len() as u32,
                        _ => return Err(FormatError::Malformed("position")),
                    }
                }
                Ok(())
            };
            put().map_err(|reason| StoreError::format(id.to_string(), reason))?;
        }
        Ok(sorted)
    }

    /// Whether it is made of exactly these blocks.
    pub(crate) fn holds(&self, blocks: &[BlockId]) -> bool {
        self.blocks == blocks
    }

    /// How many events it has.
    pub(crate) fn events(&self) -> usize {
        self.events.len()
    }

    /// How many runs of events of one stream there are: those of its streams have numbers below.
    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// The event so far behind the segment's first position, and the number of its stream.
    pub(crate) fn at(&self, place: usize) -> Option<(Recorded<'_>, usize)> {
        let event = (*self.places.get(place)?).checked_sub(1)?;
        let (found, stream) = self.events.get(event as usize)?;
        let stream = *stream as usize;
        Some((found.recorded(&self.content, self.streams.get(stream)?), stream))
    }
}
