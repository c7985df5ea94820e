//! Rebase: walking through what is pending and having decided again what was decided on a state that is no more.
//!
//! The walk (`walk.rs`) asks for one decision after the other and keeps what came of them in memory; at its end one record of
//! the journal says it all. If other tabs append meanwhile, it goes on with what they appended; if anything else happens to
//! the log, it begins again.

use std::collections::HashSet;

use super::append::MAX_TRIES;
use super::binding::Binding;
use super::blocks::BlocksError;
use super::decision::{Decide, Decision, RebaseStep};
use super::refusals::{Refusal, RefusalKind};
use super::storage::{Change, Check, Read, Storage, Table, Write};
use super::walk::Walk;
use super::{Store, StoreError};

impl<S: Storage> Store<S> {
    /// The next step of a walk through what is pending: first without a decision, then with that of the commit that was
    /// asked for last. If the log has changed meanwhile, it asks again from the first one on.
    pub async fn rebase_next(&self, mut decision: Option<Decision<'_>>) -> Result<RebaseStep, StoreError> {
        let _writing = self.writing.lock().await;
        let mut kept = self.walk.take().filter(|_| decision.is_some());
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            if self.doubtful.get() {
                self.refresh().await?;
            }
            self.make_room().await?;
            self.check_leads(&self.log.borrow())?;
            let turn = self.log.borrow().turns;
            let mut walk = if let Some(walk) = kept.take().filter(|walk| walk.is_of(turn)) {
                walk
            } else {
                decision = None;
                Box::new(Walk::begin(&self.log.borrow()))
            };
            match self.go_on(&mut walk, decision.take()).await {
                Ok(Some(decide)) => {
                    self.walk.replace(Some(walk));
                    return Ok(RebaseStep::Decide(decide));
                }
                Ok(None) => {}
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => {
                    self.look_for_vanished().await?;
                    continue;
                }
            }
            if walk.changes_nothing() || self.write_walk(&walk).await? {
                return Ok(RebaseStep::Done(walk.end(self.progress(Vec::new()))));
            }
            // If others have only appended, it goes on with that.
            self.refresh().await?;
            kept = Some(walk);
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    async fn go_on(&self, walk: &mut Walk, decision: Option<Decision<'_>>) -> Result<Option<Decide>, BlocksError> {
        if let Some(decision) = decision {
            let streams = match &decision {
                Decision::Events { events, .. } => events.iter().map(|(stream, _)| stream.to_string()).collect(),
                _ => HashSet::new(),
            };
            self.find_confirmed(walk, streams).await?;
            walk.take(decision)?;
        }
        walk.extend(&self.log.borrow());
        let Some(commit) = walk.go_on()? else {
            return Ok(None);
        };
        let streams = commit.touched().map(ToString::to_string).collect();
        self.find_confirmed(walk, streams).await?;
        Ok(Some(walk.ask(&commit)?))
    }

    async fn find_confirmed(&self, walk: &mut Walk, mut streams: HashSet<String>) -> Result<(), BlocksError> {
        streams.retain(|stream| !walk.knows(stream));
        walk.learn(self.confirmed_heads(streams).await?);
        Ok(())
    }

    /// False if another tab was first.
    async fn write_walk(&self, walk: &Walk) -> Result<bool, StoreError> {
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        let mut refusals = walk.refusals(&self.log.borrow().tail)?;
        self.keep_first_form(&mut refusals).await?;
        let (number, record) = {
            let log = self.log.borrow();
            let number = log.tail.number() + 1;
            write.checks.push(Check {
                table: Table::Meta,
                key: Binding::key(),
                expected: log.stored_binding.clone(),
            });
            (number, walk.record(number))
        };
        write.changes.push(Change::Append {
            value: record.clone(),
            expected: number,
        });
        for refusal in &refusals {
            refusal.put(&mut write);
        }
        if !self.write_log(write).await? {
            return Ok(false);
        }
        self.log.borrow_mut().push(number, record)?;
        Ok(true)
    }

    /// Of a commit that was changed before, and the app has not dismissed that, the form before all changes is kept.
    async fn keep_first_form(&self, refusals: &mut [Refusal]) -> Result<(), StoreError> {
        let mut changed: Vec<_> = refusals
            .iter_mut()
            .filter(|refusal| !refusal.after.is_empty())
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        let key = |refusal: &&mut Refusal| Read::Get(Table::Meta, Refusal::key(&refusal.id));
        let found = self.storage.read(changed.iter().map(key).collect()).await?;
        for (refusal, entries) in changed.iter_mut().zip(found) {
            if let Some(entry) = entries.first()
                && let Ok(before) = Refusal::decode(&refusal.id, &entry.value)
                && before.kind == RefusalKind::Changed
                && !before.dismissed
            {
                refusal.before = before.before;
            }
        }
        Ok(())
    }
}
