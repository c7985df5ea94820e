//! Pushes on their way: one of each replica, and not more of a space than can be judged soon.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use everfold::sync::{Problem, ProblemKind};

use crate::settings::Limits;

/// Pushes that wait or are judged.
#[derive(Debug)]
pub(super) struct Queue {
    pushes: usize,
    bytes: usize,
    spaces: Mutex<HashMap<String, Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    replicas: HashSet<String>,
    bytes: usize,
}

/// The place of a push. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    queue: Arc<Queue>,
    space: String,
    replica: String,
    bytes: usize,
}

impl Queue {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            pushes: limits.queue_pushes,
            bytes: limits.queue_bytes,
            spaces: Mutex::default(),
        })
    }

    /// Takes a place, at once or not at all.
    pub(super) fn enter(self: &Arc<Self>, space: &str, replica: &str, bytes: usize) -> Result<Turn, Problem> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = spaces.get(space) {
            if waiting.replicas.contains(replica) {
                let detail = "another push of this device is under way";
                return Err(Problem::new(ProblemKind::RateLimited, detail));
            }
            if waiting.replicas.len() >= self.pushes || waiting.bytes + bytes > self.bytes {
                let detail = "too many pushes to this space wait already";
                return Err(Problem::new(ProblemKind::Overloaded, detail));
            }
        }
        let waiting = spaces.entry(space.to_owned()).or_default();
        waiting.replicas.insert(replica.to_owned());
        waiting.bytes += bytes;
        Ok(Turn {
            queue: Arc::clone(self),
            space: space.to_owned(),
            replica: replica.to_owned(),
            bytes,
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut spaces = self.queue.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = spaces.get_mut(&self.space) {
            waiting.replicas.remove(&self.replica);
            waiting.bytes -= self.bytes;
            if waiting.replicas.is_empty() {
                spaces.remove(&self.space);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Arc<Queue> {
        Queue::new(&Limits {
            queue_pushes: 2,
            queue_bytes: 100,
            ..Limits::default()
        })
    }

    #[test]
    fn a_device_has_one_push_under_way_in_a_space() {
        let queue = queue();
        let turn = queue.enter("acme", "a", 1).unwrap();

        assert_eq!(queue.enter("acme", "a", 1).unwrap_err().kind, ProblemKind::RateLimited);
        drop(queue.enter("other", "a", 1).unwrap());
        drop(turn);
        drop(queue.enter("acme", "a", 1).unwrap());
        assert!(queue.spaces.lock().unwrap().is_empty());
    }

    #[test]
    fn a_space_that_has_enough_to_do_takes_no_more() {
        let queue = queue();
        let first = queue.enter("acme", "a", 60).unwrap();

        assert_eq!(queue.enter("acme", "b", 41).unwrap_err().kind, ProblemKind::Overloaded);
        let _second = queue.enter("acme", "b", 40).unwrap();
        assert_eq!(queue.enter("acme", "c", 0).unwrap_err().kind, ProblemKind::Overloaded);
        drop(first);
        drop(queue.enter("acme", "c", 60).unwrap());
    }
}
