//! Events: facts that happened.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A fact to append. `data` and `metadata` are JSON, kept byte for byte.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewEvent<'a> {
    /// Its type, past tense by custom: `account.opened`.
    #[serde(borrow, rename = "type")]
    pub event_type: Cow<'a, str>,
    /// Version of the shape of `data`.
    pub schema_version: u32,
    /// When it happened, the writer's word: milliseconds since the epoch.
    pub occurred_at: i64,
    /// What happened, in detail.
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
    /// What the app wants to remember about it.
    #[serde(borrow, default)]
    pub metadata: Option<&'a RawValue>,
}
