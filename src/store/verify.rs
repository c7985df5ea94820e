//! Verifying: every block read, every checksum, position and version checked.

use std::collections::HashMap;
use std::rc::Rc;

use serde::Serialize;

use super::blocks::{BlockId, BlocksError};
use super::storage::{Read, Storage, Table};
use super::{Store, StoreError};
use crate::log::block::{EventsReader, read_commits, unpack};
use crate::log::directory::Directory;
use crate::log::event::read_event;
use crate::position::Position;
use crate::stream::Version;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which record.
    pub record: String,
    /// What is wrong with it.
    pub message: String,
}

/// What one step of verifying found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Where the next step begins; none when everything has been checked.
    pub next: Option<Position>,
    /// What was found.
    pub problems: Vec<Problem>,
}

/// Where a verification is.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    after: Position,
    /// In which life of the log it began.
    life: u64,
    /// The last version seen of every stream.
    heads: HashMap<String, Version>,
}

impl<S: Storage> Store<S> {
    /// Checks the segment after `after` or, when there is none, the tail. Begin at 0 and go on with
    /// `next`, which is 0 again if the log was cut or another verification was begun meanwhile. Reads from storage, past
    /// every cache; damage is reported, and checking goes on.
    pub async fn verify(&self, after: Position) -> Result<VerifyReport, StoreError> {
        self.ready().await?;
        let life = self.blocks.life();
        let begun = self.verified.take();
        let heads = if after == Position(0) {
            HashMap::new()
        } else {
            begun.heads
        };
        let anew = VerifyReport {
            next: Some(Position(0)),
            problems: Vec::new(),
        };
        if after > Position(0) && (begun.after, begun.life) != (after, life) {
            return Ok(anew);
        }
        let mut checker = Checker {
            heads,
            problems: Vec::new(),
        };
        let segment = self
            .log
            .borrow()
            .segments
            .iter()
            .find(|segment| segment.last() > after)
            .map(Rc::clone);
        let next = match &segment {
            None => {
                checker.check_tail(&self.log.borrow());
                None
            }
            Some(segment) => {
                let blocks = 0..=segment.commit_filter_block();
                let reads = blocks.map(|number| Read::Get(Table::Blocks, BlockId::new(segment, number).key()));
                let found = match self.blocks.ask(&*self.storage, reads.collect()).await {
                    Ok(found) => found,
                    Err(BlocksError::Vanished) => {
                        self.was_merged(segment).await?;
                        return Ok(anew);
                    }
                    Err(BlocksError::Store(error)) => return Err(error),
                };
                if found.iter().all(Vec::is_empty) && self.was_merged(segment).await? {
                    Some(after)
                } else {
                    checker.check_segment(
                        segment,
                        after,
                        &found
                            .into_iter()
                            .map(|mut block| block.pop())
                            .map(|entry| entry.map(|entry| entry.value))
                            .collect::<Vec<_>>(),
                    );
                    Some(segment.last())
                }
            }
        };
        if let Some(after) = next {
            let heads = checker.heads;
            self.verified.replace(Verified { after, life, heads });
        }
        Ok(VerifyReport {
            next,
            problems: checker.problems,
        })
    }

    /// Whether another tab merged a segment whose blocks are gone.
    async fn was_merged(&self, segment: &Directory) -> Result<bool, StoreError> {
        let _writing = self.writing.lock().await;
        self.refresh().await?;
        Ok(self.log.borrow().segments.iter().all(|known| **known != *segment))
    }
}

/// Collects what is wrong.
struct Checker {
    /// The last version seen of every stream.
    heads: HashMap<String, Version>,
    problems: Vec<Problem>,
}

impl Checker {
    fn report(&mut self, record: String, message: &impl ToString) {
        self.problems.push(Problem {
            record,
            message: message.to_string(),
        });
    }

    fn check_version(&mut self, stream: &str, version: Version) {
        let last = self.heads.insert(stream.to_owned(), version).unwrap_or_default();
        if version != last.next() {
            self.report(
                format!("stream {stream}"),
                &format!("version {version} follows version {last}"),
            );
        }
    }

    fn check_tail(&mut self, log: &super::log::Log) {
        for event in log.tail.events() {
            let event = event.recorded();
            self.check_version(event.stream, event.version);
            if let Err(reason) = read_event(event.event) {
                self.report(format!("event {}", event.position.0), &reason);
            }
        }
    }

    /// Of a segment into which others were merged meanwhile, the versions up to `after` have been checked.
    fn check_segment(&mut self, segment: &Directory, after: Position, blocks: &[Option<Vec<u8>>]) {
        let (mut positions, mut commits, mut committed) = (Vec::new(), 0, 0);
        for (number, block) in blocks.iter().enumerate() {
            let name = format!("block {number} of segment {}", segment.first.0);
            let Some(block) = block else {
                self.report(name, &"it is missing");
                continue;
            };
            let content = match unpack(block) {
                Ok(content) => content,
                Err(reason) => {
                    self.report(name, &reason);
                    continue;
                }
            };
            if number < segment.first_commit_block() {
                for event in EventsReader::new(&content) {
                    match event {
                        Ok(event) => {
                            if event.position > after {
                                self.check_version(event.stream, event.version);
                            }
                            positions.push(event.position.0);
                            if let Err(reason) = read_event(event.event) {
                                self.report(format!("event {}", event.position.0), &reason);
                            }
                        }
                        Err(reason) => {
                            self.report(name, &reason);
                            break;
                        }
                    }
                }
            } else if number < segment.first_stream_block() {
                match read_commits(&content) {
                    Ok(found) => {
                        commits += found.len() as u64;
                        committed += found
                            .iter()
                            .flat_map(|commit| &commit.streams)
                            .map(|span| span.events)
                            .sum::<u64>();
                    }
                    Err(reason) => self.report(name, &reason),
                }
            }
        }
        if positions.len() as u64 != segment.events || !dense(&positions, segment.first) {
            self.report(format!("segment {}", segment.first.0), &"its positions are not dense");
        }
        if commits != segment.commits || committed != segment.events {
            self.report(
                format!("segment {}", segment.first.0),
                &"its commits do not cover its events",
            );
        }
    }
}

/// Whether `positions` are, in some order, those from `first` on without a gap.
fn dense(positions: &[u64], first: Position) -> bool {
    let mut missing = vec![true; positions.len()];
    positions.iter().all(|position| {
        let place = position.wrapping_sub(first.0) as usize;
        missing.get_mut(place).is_some_and(std::mem::take)
    })
}
