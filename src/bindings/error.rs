//! Errors as JavaScript gets them: code, message and facts.

use js_sys::JSON;
use wasm_bindgen::JsValue;

use crate::json::ObjectWriter;
use crate::store::{InvalidCommit, StorageError, StoreError, StoreErrorKind};

/// A `CoreError` of `ts/core.ts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CoreError {
    code: &'static str,
    message: String,
    /// The name of what it is about, and which one that is.
    about: Option<(&'static str, String)>,
}

impl CoreError {
    /// The id of a commit came again with other content.
    pub(super) fn reused() -> Self {
        let message = "the commit id was used before, with other content".to_owned();
        Self {
            code: "commit-id-reused",
            message,
            about: None,
        }
    }

    /// The commit is among the refusals.
    pub(super) fn refused() -> Self {
        Self {
            code: "refused",
            message: "the commit was refused before".to_owned(),
            about: None,
        }
    }

    /// Writes it as JSON.
    pub(super) fn put(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        object.text("code", self.code);
        object.text("message", &self.message);
        if let Some((name, about)) = &self.about {
            let mut details = ObjectWriter::new(object.field("details"));
            details.text(name, about);
            details.end();
        }
        object.end();
    }

    /// An argument that the core cannot read: a mistake of the TypeScript side.
    pub(super) fn argument(error: &impl ToString) -> Self {
        Self {
            code: "invalid-argument",
            message: error.to_string(),
            about: None,
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
            about: None,
        }
    }
}

impl From<StorageError> for CoreError {
    fn from(error: StorageError) -> Self {
        let (code, about) = match error {
            StorageError::QuotaExceeded => ("quota-exceeded", None),
            StorageError::Blocked(_) => ("store-blocked", None),
            StorageError::Closed(_) => ("store-closed", None),
            StorageError::Newer { .. } => ("storage-newer", None),
            StorageError::Foreign(_) => ("storage-corrupt", Some(("record", "the database".to_owned()))),
            _ => ("storage-unavailable", None),
        };
        Self {
            code,
            message: error.to_string(),
            about,
        }
    }
}

impl From<StoreError> for CoreError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let (code, about) = match error.into_kind() {
            StoreErrorKind::Storage(error) => return error.into(),
            StoreErrorKind::Corrupt { record, .. } | StoreErrorKind::Gap { record, .. } => {
                ("storage-corrupt", Some(("record", record)))
            }
            StoreErrorKind::Newer { record, .. } => ("storage-newer", Some(("record", record))),
            StoreErrorKind::UnknownEncoding { position, .. } => {
                ("app-outdated", Some(("record", format!("event {position}"))))
            }
            StoreErrorKind::CommitIdReused(id) => ("commit-id-reused", Some(("commitId", id))),
            StoreErrorKind::Contended(_) | StoreErrorKind::Interrupted(_) => ("store-blocked", None),
            StoreErrorKind::Fenced => ("fenced", None),
            StoreErrorKind::Diverged(_) => ("sync-diverged", None),
            StoreErrorKind::Protocol(_) => ("sync-protocol", None),
            StoreErrorKind::InvalidArgument(_)
            | StoreErrorKind::InvalidId(_)
            | StoreErrorKind::NotEmpty(_)
            | StoreErrorKind::Bound(_) => ("invalid-argument", None),
        };
        Self { code, message, about }
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
            about: None,
        }
    }
}

impl From<CoreError> for JsValue {
    fn from(error: CoreError) -> Self {
        let mut text = String::new();
        error.put(&mut text);
        JSON::parse(&text).unwrap_or_else(|_| Self::from_str(error.code))
    }
}
