//! The page that many tails wait for at the same place, read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use axum::body::Bytes;
use everfold::sync::{Cursor, PageLimit};
use tokio::sync;

use super::App;
use super::problem::Answer;
use super::spaces::{blocking, ready};

/// By space, what its tails share.
#[derive(Debug, Default)]
pub(super) struct Pages {
    spaces: Mutex<HashMap<String, Weak<LastPage>>>,
}

/// The page of a space that was read last. It goes with the last tail that has it.
#[derive(Debug, Default)]
pub(super) struct LastPage(sync::Mutex<Kept>);

/// The place after which it was read, and the page.
type Kept = Option<(Option<Cursor>, Arc<Page>)>;

/// A page for a tail.
#[derive(Debug)]
pub(super) struct Page {
    /// The document of a pull.
    pub(super) text: Bytes,
    /// The place after it.
    pub(super) cursor: Cursor,
    /// How many commits it has.
    pub(super) commits: usize,
    /// Whether there are others after it.
    pub(super) more: bool,
    event: OnceLock<Option<Bytes>>,
}

impl Pages {
    /// That of a space, the same for all who have it at one time.
    pub(super) fn of(&self, space: &str) -> Arc<LastPage> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = spaces.get(space).and_then(Weak::upgrade) {
            return page;
        }
        spaces.retain(|_, page| page.strong_count() > 0);
        let page = Arc::default();
        spaces.insert(space.to_owned(), Arc::downgrade(&page));
        page
    }
}

impl LastPage {
    /// Commits after a place, at least up to number `seen`, which the log has reached; with 0 nobody has seen how far it
    /// has come, and it is asked.
    pub(super) async fn read(
        &self,
        app: &Arc<App>,
        space: &str,
        after: Option<Cursor>,
        seen: u64,
    ) -> Result<Arc<Page>, Answer> {
        let mut kept = self.0.lock().await;
        if let Some((place, page)) = &*kept
            && *place == after
            && (1..=page.cursor.number).contains(&seen)
        {
            return Ok(Arc::clone(page));
        }
        let limit = PageLimit {
            commits: app.limits.page_commits,
            bytes: app.limits.push_bytes,
        };
        let name = space.to_owned();
        let pulled = blocking(app, move |app| {
            app.in_space(&name, |app| ready(app.authority.pull(&name, after.as_ref(), limit)))
        })
        .await?;
        let page = Arc::new(Page {
            text: pulled.text.into(),
            cursor: pulled.cursor,
            commits: pulled.commits,
            more: pulled.more,
            event: OnceLock::new(),
        });
        *kept = (page.commits > 0).then(|| (after, Arc::clone(&page)));
        Ok(page)
    }
}

impl Page {
    /// As an event of a tail. None for a text with a carriage return in it, between the parts of somebody's JSON: lines
    /// of an event stream end there, and readers get another character. Pulled, it is what it was.
    pub(super) fn event(&self) -> Option<Bytes> {
        self.event.get_or_init(|| event(&self.cursor, &self.text)).clone()
    }
}

fn event(cursor: &Cursor, text: &Bytes) -> Option<Bytes> {
    let text = str::from_utf8(text).ok().filter(|text| !text.contains('\r'))?;
    let mut event = format!("event: commits\nid: {cursor}\n");
    for line in text.split('\n') {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Some(event.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_kept_as_long_as_a_tail_of_its_space_is_there() {
        let pages = Pages::default();
        let (first, second) = (pages.of("acme"), pages.of("acme"));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!Arc::ptr_eq(&first, &pages.of("other")));
        let page = Arc::downgrade(&first);

        drop(first);
        assert!(page.upgrade().is_some());
        drop(second);
        assert!(page.upgrade().is_none());

        let _another = pages.of("another");
        assert_eq!(pages.spaces.lock().unwrap().len(), 1);
    }
}
