//! Who is told when a log goes on: the live tails.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// By space, the number of its last commit, for those who watch it.
#[derive(Debug, Default)]
pub struct Heads {
    spaces: Mutex<HashMap<String, watch::Sender<u64>>>,
}

impl Heads {
    /// Hears of every commit of the space that is stored from now on. Numbers only rise; some may be passed over. Until the
    /// first of them it is 0, or what others have heard: who stops watching is not told what comes meanwhile.
    pub fn watch(&self, space: &str) -> watch::Receiver<u64> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        spaces.retain(|name, head| name == space || head.receiver_count() > 0);
        spaces
            .entry(space.to_owned())
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    pub(super) fn moved(&self, space: &str, number: u64) {
        let spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(head) = spaces.get(space) {
            // Two pushes may come here in another order than they were stored in.
            head.send_if_modified(|head| {
                let rises = number > *head;
                *head = number.max(*head);
                rises
            });
        }
    }
}
