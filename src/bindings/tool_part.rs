//! What is seldom needed, or long: a part of the engine, loaded with the first call of it.

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
#[cfg(feature = "parts")]
use wasm_split_helpers::wasm_split;

use super::answer::{Answer, Answering, or_null, parse};
use super::any_storage::AnyStorage;
use super::error::CoreError;
use super::text;
use crate::bulk::Bulk;
use crate::position::Position;
use crate::store::{OnRefused, RowWrite, Store, check_export};
use crate::stream::Version;

/// A seldom call, with what it takes. See `ts/core.ts` for each.
pub(super) enum ToolCall {
    Ingest {
        bulk: String,
        from: u32,
        pass_over: bool,
    },
    Seal,
    Compact {
        run: u32,
    },
    Refusal {
        commit_id: String,
    },
    PutSnapshot {
        merges: f64,
        stream_id: String,
        definition: String,
        version: f64,
        stream_version: f64,
        state: String,
        keep: u32,
    },
    DropSnapshots {
        stream_id: String,
    },
    CountRows {
        generation: f64,
    },
    StreamBounds {
        prefix: String,
        count: u32,
    },
    Streams {
        prefix: String,
        after: String,
        limit: u32,
    },
    StageRows {
        write: String,
        parts: String,
    },
    FlushRows {
        name: String,
        version: u32,
        generation: f64,
    },
    BeginRebuild {
        name: String,
        version: u32,
        resume: bool,
        indexes: String,
    },
    SwitchGeneration {
        name: String,
        version: u32,
        generation: f64,
    },
    DropGeneration {
        generation: f64,
        limit: u32,
    },
    Stats,
    Verify {
        after_position: f64,
    },
    ExportPart {
        part: u32,
    },
    CheckImport {
        bytes: Vec<u8>,
    },
    ImportAll {
        bytes: Vec<u8>,
        merge: bool,
    },
}

/// The one way into the part.
#[cfg_attr(
    feature = "parts",
    wasm_split(tools, fallible, return_wrapper(let answering = _; { answering.await } -> Answer))
)]
pub(super) fn tool_part(store: Rc<Store<AnyStorage>>, call: ToolCall) -> Answering {
    Box::pin(answer(store, call))
}

async fn answer(store: Rc<Store<AnyStorage>>, call: ToolCall) -> Answer {
    Ok(match call {
        ToolCall::Ingest { bulk, from, pass_over } => {
            let bulk = Bulk::parse(&bulk).map_err(|error| CoreError::argument(&error))?;
            let on_refused = if pass_over {
                OnRefused::PassOver
            } else {
                OnRefused::Stop
            };
            text::ingested(&store.ingest(&bulk, from as usize, on_refused).await?).into()
        }
        ToolCall::Seal => store.seal().await?.into(),
        ToolCall::Refusal { commit_id } => {
            let refusal = store.refusal_of(&commit_id).await?;
            or_null(refusal.map(|(_, refusal)| text::refused(&refusal)))
        }
        ToolCall::PutSnapshot {
            merges,
            stream_id,
            definition,
            version,
            stream_version,
            state,
            keep,
        } => {
            let definition = (&*definition, version as u64);
            let at = Version(stream_version as u64);
            let put = store.put_snapshot(merges as u64, &stream_id, definition, at, &state, keep as usize);
            put.await?;
            JsValue::UNDEFINED
        }
        ToolCall::Compact { run } => store.compact(run as usize).await?.into(),
        ToolCall::DropSnapshots { stream_id } => {
            store.drop_snapshots(&stream_id).await?;
            JsValue::UNDEFINED
        }
        ToolCall::CountRows { generation } => {
            let count = store.count_rows(generation as u64).await?;
            count.map_or(-1.0, |count| count as f64).into()
        }
        ToolCall::StreamBounds { prefix, count } => text::json(&store.stream_bounds(&prefix, count as usize))?.into(),
        ToolCall::Streams { prefix, after, limit } => {
            text::json(&store.streams(&prefix, &after, limit as usize).await?)?.into()
        }
        ToolCall::StageRows { write, parts } => {
            let write: RowWrite<'_> = parse(&write)?;
            store.stage_rows(&write, &parts).await?.into()
        }
        ToolCall::FlushRows {
            name,
            version,
            generation,
        } => store.flush_rows(&name, version, generation as u64).await?.into(),
        ToolCall::BeginRebuild {
            name,
            version,
            resume,
            indexes,
        } => {
            let begun = store.begin_rebuild(&name, version, resume, &indexes);
            text::projection(&begun.await?).into()
        }
        ToolCall::SwitchGeneration {
            name,
            version,
            generation,
        } => store.switch_generation(&name, version, generation as u64).await?.into(),
        ToolCall::DropGeneration { generation, limit } => store.drop_generation(generation as u64, limit).await?.into(),
        ToolCall::Stats => text::json(&store.stats().await?)?.into(),
        ToolCall::Verify { after_position } => {
            text::json(&store.verify(Position(after_position as u64)).await?)?.into()
        }
        ToolCall::ExportPart { part } => {
            let bytes = store.export_part(u64::from(part)).await?;
            bytes.map_or(JsValue::NULL, |bytes| Uint8Array::from(bytes.as_slice()).into())
        }
        ToolCall::CheckImport { bytes } => text::json(&check_export(&bytes)?)?.into(),
        ToolCall::ImportAll { bytes, merge } => text::json(&store.import(&bytes, merge).await?)?.into(),
    })
}
