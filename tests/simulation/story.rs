//! What happened, in words: `account-1@3` is version 3 of a stream, `a:c2?` the second commit of device a while it is pending,
//! `a:c2? => #19` its confirmation as the 19th commit, `a:c2!` its refusal. `a/3` is tab 3 of device a.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

/// The lines of a run, if somebody will read them. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Story {
    lines: Option<Rc<RefCell<Vec<String>>>>,
}

impl Story {
    /// One that is told.
    pub(crate) fn told() -> Self {
        Self {
            lines: Some(Rc::default()),
        }
    }

    pub(crate) fn tell<L: Display>(&self, milliseconds: i64, line: impl FnOnce() -> L) {
        if let Some(lines) = &self.lines {
            let line = format!("{:>9.3} {}", milliseconds as f64 / 1_000.0, line());
            lines.borrow_mut().push(line);
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines
            .as_ref()
            .map_or_else(Vec::new, |lines| lines.borrow().clone())
    }
}
