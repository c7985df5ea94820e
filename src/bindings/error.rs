//! Errors as JavaScript gets them: code, message and facts.

use js_sys::JSON;
use serde::Serialize;
use wasm_bindgen::JsValue;

use super::text;
use crate::store::{InvalidCommit, StorageError, StoreError, StoreErrorKind};

/// A `CoreError` of `ts/core.ts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct CoreError {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Details {
    record: String,
}

impl CoreError {
    /// The id of a commit came again with other content.
    pub(super) fn reused() -> Self {
        let message = "the commit id was used before, with other content".to_owned();
        Self {
            code: "commit-id-reused",
            message,
            details: None,
        }
    }

    /// The commit is among the refusals.
    pub(super) fn refused() -> Self {
        Self {
            code: "refused",
            message: "the commit was refused before".to_owned(),
            details: None,
        }
    }

    /// An argument that the core cannot read: a mistake of the TypeScript side.
    pub(super) fn argument(error: &impl ToString) -> Self {
        Self {
            code: "invalid-argument",
            message: error.to_string(),
            details: None,
        }
    }
}

/// A part of the engine could not be loaded.
#[cfg(feature = "parts")]
impl From<wasm_split_helpers::SplitLoaderError> for CoreError {
    fn from(_: wasm_split_helpers::SplitLoaderError) -> Self {
        Self {
            code: "wasm-failed",
            message: "a part of the engine could not be loaded".to_owned(),
            details: None,
        }
    }
}

impl From<StorageError> for CoreError {
    fn from(error: StorageError) -> Self {
        let code = match error {
            StorageError::QuotaExceeded => "quota-exceeded",
            StorageError::Blocked(_) => "store-blocked",
            StorageError::Closed(_) => "store-closed",
            StorageError::Newer { .. } => "storage-newer",
            _ => "storage-unavailable",
        };
        Self {
            code,
            message: error.to_string(),
            details: None,
        }
    }
}

impl From<StoreError> for CoreError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let (code, record) = match error.into_kind() {
            StoreErrorKind::Storage(error) => return error.into(),
            StoreErrorKind::Corrupt { record, .. } | StoreErrorKind::Gap { record, .. } => {
                ("storage-corrupt", Some(record))
            }
            StoreErrorKind::Newer { record, .. } => ("storage-newer", Some(record)),
            StoreErrorKind::UnknownEncoding { position, .. } => ("app-outdated", Some(format!("event {position}"))),
            StoreErrorKind::CommitIdReused(_) => ("commit-id-reused", None),
            StoreErrorKind::Contended(_) => ("store-blocked", None),
            StoreErrorKind::Fenced => ("fenced", None),
            StoreErrorKind::Diverged(_) => ("sync-diverged", None),
            StoreErrorKind::Protocol(_) => ("sync-protocol", None),
            StoreErrorKind::InvalidArgument(_)
            | StoreErrorKind::InvalidId(_)
            | StoreErrorKind::NotEmpty(_)
            | StoreErrorKind::Bound(_) => ("invalid-argument", None),
        };
        Self {
            code,
            message,
            details: record.map(|record| Details { record }),
        }
    }
}

impl From<&InvalidCommit> for CoreError {
    fn from(error: &InvalidCommit) -> Self {
        let code = if matches!(error, InvalidCommit::Id(_)) {
            "invalid-argument"
        } else {
            "invalid-event"
        };
        Self {
            code,
            message: error.to_string(),
            details: None,
        }
    }
}

impl From<CoreError> for JsValue {
    fn from(error: CoreError) -> Self {
        let object = text::json(&error).ok().and_then(|text| JSON::parse(&text).ok());
        object.unwrap_or_else(|| Self::from_str(error.code))
    }
}
