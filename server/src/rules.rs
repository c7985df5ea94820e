//! The rules of a server that has none of its own.

use everfold::sync::Rules;

/// Allows what the token allows.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRules;

impl Rules for NoRules {
    fn may_write(&self, _actor: &str, _stream_id: &str, _event_type: &str) -> bool {
        true
    }
}
