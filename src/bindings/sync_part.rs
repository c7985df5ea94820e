//! What only a store with sync needs: a part of the engine, loaded with the first call of it.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Promise;
use js_sys::futures::JsFuture;
use wasm_bindgen::JsValue;
#[cfg(feature = "parts")]
use wasm_split_helpers::wasm_split;

use super::answer::{Answer, Answering, or_null, parse};
use super::any_storage::AnyStorage;
use super::call::Call;
use super::text;
use crate::json::{self, FromJson};
use crate::store::{Answers, BindOptions, Decision, Recovery, Store, StoreError};
use crate::sync::{Input, Replica};

/// Bytes of an answer that takes milliseconds.
const LONG_ANSWER: usize = 1 << 16;

/// The one way into the part.
#[cfg_attr(
    feature = "parts",
    wasm_split(sync, fallible, return_wrapper(let answering = _; { answering.await } -> Answer))
)]
pub(super) fn sync_part(store: Rc<Store<AnyStorage>>, replica: Rc<RefCell<Replica>>, call: Call) -> Answering {
    Box::pin(answer(store, replica, call))
}

async fn answer(store: Rc<Store<AnyStorage>>, replica: Rc<RefCell<Replica>>, call: Call) -> Answer {
    let whole = |place| call.number(place) as usize;
    Ok(match &*call.name {
        "syncState" => or_null(store.sync_state().await?.map(|state| state.to_json())),
        "bindSync" => {
            let options = call.text(0);
            let options: BindOptions = parse(&options)?;
            or_null(store.bind(&options).await?.map(|state| state.to_json()))
        }
        "lead" => {
            store.lead().await?;
            JsValue::UNDEFINED
        }
        "pushBody" => text::push_body(store.push_body(whole(0), whole(1)).await?),
        "pulled" => {
            let answer = call.bytes(0);
            let text = str::from_utf8(&answer).map_err(|error| StoreError::protocol(error.to_string()))?;
            let answers = Answers::from(vec![of_server(text)?]);
            if answer.len() > LONG_ANSWER
                && let Some(next) = call.answer_of(1)
            {
                // A page that cannot wait for its next task stores it in this one.
                let _ = JsFuture::from(Promise::resolve(&next)).await;
            }
            text::pulled(&store.pulled(&answers).await?).into()
        }
        "rebaseNext" => {
            let decision = call.text(0);
            let decision = match &*decision {
                "" => None,
                decision => Some(parse::<Decision<'_>>(decision)?),
            };
            text::rebase_step(store.rebase_next(decision).await?).into()
        }
        "adoptBody" => text::push_body(store.adopt_request(whole(0), whole(1)).await?),
        "adopted" => {
            let text = call.text(0);
            let answer = of_server(&text)?;
            or_null(store.adopted(&answer).await?.map(|state| state.to_json()))
        }
        "recover" => {
            let problem = call.text(0);
            let changed = of_server(&problem)?;
            let recovery = Recovery::named(&call.text(1)).unwrap_or_default();
            text::progress(&store.recover(&changed, recovery).await?).into()
        }
        "retryOrphan" => text::progress(&store.retry_orphan(&call.text(0)).await?).into(),
        "refusals" => store.refusals().await?.into(),
        "dismissRefusal" => {
            store.dismiss_refusal(&call.text(0)).await?;
            JsValue::UNDEFINED
        }
        "refusalTold" => {
            store.refusal_told(&call.text(0)).await?;
            JsValue::UNDEFINED
        }
        "replica" => {
            let input = call.text(0);
            let input: Input<'_> = parse(&input)?;
            let mut replica = replica.borrow_mut();
            replica.handle(input, call.number(1) as i64, call.number(2));
            replica.outputs().into()
        }
        _ => return Err(call.unknown()),
    })
}

fn of_server<'a, T: FromJson<'a>>(text: &'a str) -> Result<T, StoreError> {
    json::parse(text).map_err(|error| StoreError::protocol(error.to_string()))
}
