//! What is seldom needed, or long: a part of the engine, loaded with the first call of it.

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
#[cfg(feature = "parts")]
use wasm_split_helpers::wasm_split;

use super::answer::{Answer, Answering, or_null, parse};
use super::any_storage::AnyStorage;
use super::call::Call;
use super::error::CoreError;
use super::text;
use crate::bulk::Bulk;
use crate::position::Position;
use crate::store::{OnRefused, RowWrite, Store, check_export};
use crate::stream::Version;

/// The one way into the part.
#[cfg_attr(
    feature = "parts",
    wasm_split(tools, fallible, return_wrapper(let answering = _; { answering.await } -> Answer))
)]
pub(super) fn tool_part(store: Rc<Store<AnyStorage>>, call: Call) -> Answering {
    Box::pin(answer(store, call))
}

async fn answer(store: Rc<Store<AnyStorage>>, call: Call) -> Answer {
    let whole = |place| call.number(place) as u64;
    Ok(match &*call.name {
        "ingest" => {
            let bulk = call.text(0);
            let bulk = Bulk::parse(&bulk).map_err(|error| CoreError::argument(&error))?;
            let on_refused = if call.flag(2) {
                OnRefused::PassOver
            } else {
                OnRefused::Stop
            };
            text::ingested(&store.ingest(&bulk, whole(1) as usize, on_refused).await?).into()
        }
        "seal" => store.seal().await?.into(),
        "compact" => store.compact(whole(0) as usize).await?.into(),
        "refusal" => {
            let refusal = store.refusal_of(&call.text(0)).await?;
            or_null(refusal.map(|(_, refusal)| text::refused(&refusal)))
        }
        "putSnapshot" => {
            let (stream_id, definition, state) = (call.text(1), call.text(2), call.text(5));
            let definition = (&*definition, whole(3));
            let at = Version(whole(4));
            let put = store.put_snapshot(whole(0), &stream_id, definition, at, &state, whole(6) as usize);
            put.await?;
            JsValue::UNDEFINED
        }
        "dropSnapshots" => {
            store.drop_snapshots(&call.text(0)).await?;
            JsValue::UNDEFINED
        }
        "countRows" => {
            let count = store.count_rows(whole(0)).await?;
            count.map_or(-1.0, |count| count as f64).into()
        }
        "streamBounds" => text::json(&store.stream_bounds(&call.text(0), whole(1) as usize))?.into(),
        "streams" => text::json(&store.streams(&call.text(0), &call.text(1), whole(2) as usize).await?)?.into(),
        "stageRows" => {
            let write = call.text(0);
            let write: RowWrite<'_> = parse(&write)?;
            store.stage_rows(&write, &call.text(1)).await?.into()
        }
        "flushRows" => store.flush_rows(&call.text(0), whole(1) as u32, whole(2)).await?.into(),
        "beginRebuild" => {
            let (name, indexes) = (call.text(0), call.text(3));
            let begun = store.begin_rebuild(&name, whole(1) as u32, call.flag(2), &indexes);
            text::projection(&begun.await?).into()
        }
        "switchGeneration" => store
            .switch_generation(&call.text(0), whole(1) as u32, whole(2))
            .await?
            .into(),
        "dropGeneration" => store.drop_generation(whole(0), whole(1) as u32).await?.into(),
        "dropOrphans" => store.drop_orphans(whole(0) as u32).await?.into(),
        "stats" => text::json(&store.stats().await?)?.into(),
        "verify" => text::json(&store.verify(Position(whole(0))).await?)?.into(),
        "exportPart" => {
            let bytes = store.export_part(whole(0)).await?;
            bytes.map_or(JsValue::NULL, |bytes| Uint8Array::from(bytes.as_slice()).into())
        }
        "checkImport" => text::json(&check_export(&call.bytes(0))?)?.into(),
        "importAll" => text::json(&store.import(&call.bytes(0), call.flag(1)).await?)?.into(),
        _ => return Err(call.unknown()),
    })
}
