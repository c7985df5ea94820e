//! What is asked of the browser's factory: to open a database, or to delete one.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DomException, IdbOpenDbRequest, IdbVersionChangeEvent};

use super::{error, schema};
use crate::store::StorageError;

/// A question and its answer to come: the database, or why there is none.
pub(super) struct Asked {
    request: IdbOpenDbRequest,
    answer: Rc<Answer>,
    // Attached to the request's events as long as it lives.
    _on_answer: Closure<dyn FnMut()>,
    _on_the_way: Option<OnTheWay>,
}

/// Handlers of what comes before the answer: that another tab is in the way, and the upgrade, which what its handler
/// throws undoes.
type OnTheWay = (
    Closure<dyn FnMut()>,
    Closure<dyn FnMut(IdbVersionChangeEvent) -> Result<(), JsValue>>,
);

/// During an upgrade the request says that it is done, and is not.
#[derive(Default)]
struct Answer {
    came: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

#[wasm_bindgen]
extern "C" {
    // As functions of a name that may be missing: the glue catches that as it catches what they throw.
    #[wasm_bindgen(catch, js_namespace = indexedDB, js_name = open)]
    fn open_version(name: &str, version: u32) -> Result<IdbOpenDbRequest, JsValue>;

    #[wasm_bindgen(catch, js_namespace = indexedDB, js_name = open)]
    fn open_any(name: &str) -> Result<IdbOpenDbRequest, JsValue>;

    #[wasm_bindgen(catch, js_namespace = indexedDB, js_name = deleteDatabase)]
    fn delete_database(name: &str) -> Result<IdbOpenDbRequest, JsValue>;
}

/// Opens the database, upgraded where needed. `on_blocked` hears that another tab is in the way.
pub(super) fn open(name: &str, on_blocked: impl FnMut() + 'static) -> Result<Asked, StorageError> {
    let request = open_version(name, schema::VERSION).map_err(|thrown| error::asking(&thrown))?;
    let upgraded = request.clone();
    let on_upgrade =
        Closure::<dyn FnMut(IdbVersionChangeEvent) -> Result<(), JsValue>>::new(move |event: IdbVersionChangeEvent| {
            schema::migrate(event.old_version(), upgraded.result()?.unchecked_ref())
        });
    let on_blocked = Closure::<dyn FnMut()>::new(on_blocked);
    request.set_onupgradeneeded(Some(on_upgrade.as_ref().unchecked_ref()));
    request.set_onblocked(Some(on_blocked.as_ref().unchecked_ref()));
    Ok(Asked::of(request, Some((on_blocked, on_upgrade))))
}

/// Opens the database in whatever version it has.
pub(super) fn open_as_it_is(name: &str) -> Result<Asked, StorageError> {
    asked(open_any(name))
}

/// Deletes the database, once nobody holds it open.
pub(super) fn delete(name: &str) -> Result<Asked, StorageError> {
    asked(delete_database(name))
}

fn asked(request: Result<IdbOpenDbRequest, JsValue>) -> Result<Asked, StorageError> {
    let request = request.map_err(|thrown| error::asking(&thrown))?;
    Ok(Asked::of(request, None))
}

impl Asked {
    fn of(request: IdbOpenDbRequest, on_the_way: Option<OnTheWay>) -> Self {
        let answer = Rc::<Answer>::default();
        let answered = Rc::clone(&answer);
        let on_answer = Closure::<dyn FnMut()>::new(move || {
            answered.came.set(true);
            if let Some(waker) = answered.waker.take() {
                waker.wake();
            }
        });
        request.set_onsuccess(Some(on_answer.as_ref().unchecked_ref()));
        request.set_onerror(Some(on_answer.as_ref().unchecked_ref()));
        Self {
            request,
            answer,
            _on_answer: on_answer,
            _on_the_way: on_the_way,
        }
    }
}

impl Future for Asked {
    type Output = Result<JsValue, Option<DomException>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.answer.came.get() {
            let error = self.request.error().ok().flatten();
            return Poll::Ready(match error {
                None => self.request.result().map_err(|_| None),
                error => Err(error),
            });
        }
        self.answer.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let request = &self.request;
        request.set_onsuccess(None);
        request.set_onerror(None);
        request.set_onblocked(None);
        request.set_onupgradeneeded(None);
    }
}
