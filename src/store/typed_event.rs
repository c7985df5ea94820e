//! Events as the types that definitions in Rust have for them.

use serde::de::DeserializeOwned;

use super::StoreError;
use super::fold_error::{EventPlace, FoldError};
use crate::log::block::Recorded;
use crate::log::event::{ENCODING_JSON, EventFields};
use crate::log::typed::read_typed;

/// An event as the type that a definition has for it, which knows schemas up to `known`.
pub(crate) fn typed_event<E: DeserializeOwned>(
    definition: &'static str,
    known: u64,
    event: &Recorded<'_>,
    fields: &EventFields<'_>,
) -> Result<E, FoldError> {
    let place = || Box::new(EventPlace::of(event, fields));
    if fields.encoding != ENCODING_JSON {
        return Err(FoldError::Store(StoreError::unknown_encoding(
            event.position,
            event.stream,
            fields.encoding,
        )));
    }
    if fields.schema_version > known {
        return Err(FoldError::Outdated {
            definition,
            place: place(),
            found: fields.schema_version,
            known,
        });
    }
    let event_type = fields.event_type().map_err(|reason| FoldError::format(event, reason))?;
    read_typed(event_type, fields.data).map_err(|error| FoldError::Event {
        definition,
        place: place(),
        reason: error.to_string(),
    })
}
