//! What only a store with sync needs: a part of the engine, loaded with the first call of it.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::futures::JsFuture;
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
#[cfg(feature = "parts")]
use wasm_split_helpers::wasm_split;

use super::answer::{Answer, Answering, or_null, parse};
use super::any_storage::AnyStorage;
use super::text;
use crate::json::{self, FromJson};
use crate::store::{Answers, BindOptions, Decision, Recovery, Store, StoreError};
use crate::sync::{Input, Replica};

/// Bytes of an answer that takes milliseconds.
const LONG_ANSWER: usize = 1 << 16;

/// A call of sync, with what it takes. See `ts/core.ts` for each.
pub(super) enum SyncCall {
    State,
    Bind(String),
    Lead,
    PushBody { max_commits: u32, max_bytes: u32 },
    Pulled { answer: Vec<u8>, turn: Function },
    RebaseNext(String),
    AdoptBody { max_commits: u32, max_bytes: u32 },
    Adopted(String),
    Recover { problem: String, policy: String },
    RetryOrphan(String),
    Refusals,
    DismissRefusal(String),
    RefusalTold(String),
    Replica { input: String, now: f64, random: f64 },
}

/// The one way into the part.
#[cfg_attr(
    feature = "parts",
    wasm_split(sync, fallible, return_wrapper(let answering = _; { answering.await } -> Answer))
)]
pub(super) fn sync_part(store: Rc<Store<AnyStorage>>, replica: Rc<RefCell<Replica>>, call: SyncCall) -> Answering {
    Box::pin(answer(store, replica, call))
}

async fn answer(store: Rc<Store<AnyStorage>>, replica: Rc<RefCell<Replica>>, call: SyncCall) -> Answer {
    Ok(match call {
        SyncCall::State => or_null(store.sync_state().await?.map(|state| state.to_json())),
        SyncCall::Bind(options) => {
            let options: BindOptions = parse(&options)?;
            or_null(store.bind(&options).await?.map(|state| state.to_json()))
        }
        SyncCall::Lead => {
            store.lead().await?;
            JsValue::UNDEFINED
        }
        SyncCall::PushBody { max_commits, max_bytes } => {
            let body = store.push_body(max_commits as usize, max_bytes as usize).await?;
            text::push_body(body)
        }
        SyncCall::Pulled { answer, turn } => {
            let text = str::from_utf8(&answer).map_err(|error| StoreError::protocol(error.to_string()))?;
            let answers = Answers::from(vec![of_server(text)?]);
            if answer.len() > LONG_ANSWER
                && let Ok(next) = turn.call0(&JsValue::UNDEFINED)
            {
                // A page that cannot wait for its next task stores it in this one.
                let _ = JsFuture::from(Promise::resolve(&next)).await;
            }
            text::pulled(&store.pulled(&answers).await?).into()
        }
        SyncCall::RebaseNext(decision) => {
            let decision = match &*decision {
                "" => None,
                decision => Some(parse::<Decision<'_>>(decision)?),
            };
            text::rebase_step(store.rebase_next(decision).await?).into()
        }
        SyncCall::AdoptBody { max_commits, max_bytes } => {
            let body = store.adopt_request(max_commits as usize, max_bytes as usize).await?;
            text::push_body(body)
        }
        SyncCall::Adopted(text) => {
            let answer = of_server(&text)?;
            or_null(store.adopted(&answer).await?.map(|state| state.to_json()))
        }
        SyncCall::Recover { problem, policy } => {
            let changed = of_server(&problem)?;
            let recovery = Recovery::named(&policy).unwrap_or_default();
            text::progress(&store.recover(&changed, recovery).await?).into()
        }
        SyncCall::RetryOrphan(commit_id) => text::progress(&store.retry_orphan(&commit_id).await?).into(),
        SyncCall::Refusals => store.refusals().await?.into(),
        SyncCall::DismissRefusal(commit_id) => {
            store.dismiss_refusal(&commit_id).await?;
            JsValue::UNDEFINED
        }
        SyncCall::RefusalTold(commit_id) => {
            store.refusal_told(&commit_id).await?;
            JsValue::UNDEFINED
        }
        SyncCall::Replica { input, now, random } => {
            let input: Input<'_> = parse(&input)?;
            let mut replica = replica.borrow_mut();
            replica.handle(input, now as i64, random);
            replica.outputs().into()
        }
    })
}

fn of_server<'a, T: FromJson<'a>>(text: &'a str) -> Result<T, StoreError> {
    json::parse(text).map_err(|error| StoreError::protocol(error.to_string()))
}
