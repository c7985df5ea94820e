//! Modules: an engine of one's own, with definitions written in Rust.

#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
#[doc(hidden)]
pub use wasm_bindgen;

#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
#[doc(hidden)]
pub use crate::bindings::{Core, Folding, ModuleError, module as exports};

/// Makes a crate an engine of its own: everything that the published one exports, and these definitions.
///
/// The crate is a `cdylib`, depends on `everfold` with the feature `bindings`, and is built by wasm-pack or by
/// `wasm-bindgen --target web`. A page gives it to `openStore` as `engine` and names the definitions by
/// `rustAggregate` and `rustProjection`. On other targets there is only the function `definitions`, for tests.
///
/// ```
/// # mod workflow {
/// # use everfold::decider::Decider;
/// # use everfold::event::RecordedEvent;
/// # use everfold::projection::{Keys, Projection};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # #[serde(tag = "type", content = "data")]
/// # pub enum Ran { Started, Finished }
/// # #[derive(Deserialize)]
/// # #[serde(tag = "type")]
/// # pub enum Run { Start, Finish }
/// # pub struct Workflow;
/// # impl Decider for Workflow {
/// #     const NAME: &'static str = "workflow";
/// #     const VERSION: u32 = 1;
/// #     type State = bool;
/// #     type Command = Run;
/// #     type Event = Ran;
/// #     type Refusal = &'static str;
/// #     fn initial_state() -> bool { false }
/// #     fn decide(command: &Run, running: &bool) -> Result<Vec<Ran>, &'static str> {
/// #         match (command, running) {
/// #             (Run::Start, false) => Ok(vec![Ran::Started]),
/// #             (Run::Finish, true) => Ok(vec![Ran::Finished]),
/// #             (Run::Start, true) => Err("it runs already"),
/// #             (Run::Finish, false) => Err("it does not run"),
/// #         }
/// #     }
/// #     fn evolve(_: bool, event: &Ran) -> bool { matches!(event, Ran::Started) }
/// # }
/// # pub struct Executions;
/// # impl Projection for Executions {
/// #     const NAME: &'static str = "executions";
/// #     const VERSION: u32 = 1;
/// #     type Event = Ran;
/// #     type Row = u32;
/// #     fn keys<'e>(event: &'e RecordedEvent<'_, Ran>) -> Keys<'e> { event.stream_id.into() }
/// #     fn evolve(row: Option<u32>, _: &RecordedEvent<'_, Ran>, _: &str) -> Option<u32> { Some(row.unwrap_or(0) + 1) }
/// # }
/// # }
/// # use workflow::{Executions, Workflow};
/// use everfold::definitions::Decided;
///
/// everfold::module! {
///     aggregates: [Workflow],
///     projections: [Executions],
/// }
///
/// # fn main() {
/// let decided = definitions().decide("workflow", r#"{"type":"Finish"}"#, "false");
///
/// assert_eq!(decided.expect("is JSON"), Decided::Refused(r#""it does not run""#.to_owned()));
/// # }
/// ```
#[macro_export]
macro_rules! module {
    (
        $(aggregates: [$($aggregate:ty),* $(,)?])? $(,)?
        $(projections: [$($projection:ty),* $(,)?])? $(,)?
    ) => {
        /// What this module defines.
        #[must_use]
        pub fn definitions() -> $crate::definitions::Definitions {
            $crate::definitions::Definitions::new()
                $($(.aggregate::<$aggregate>())*)?
                $($(.projection::<$projection>())*)?
        }

        $crate::module_exports!();
    };
}

/// Nothing is exported where there is no JavaScript.
#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
#[macro_export]
macro_rules! module_exports {
    () => {};
}

#[cfg(all(target_arch = "wasm32", not(feature = "bindings")))]
#[doc(hidden)]
#[macro_export]
macro_rules! module_exports {
    () => {
        compile_error!("everfold::module! needs everfold's feature \"bindings\"");
    };
}

// Classes are exported by every crate that links the one that defines them. Those below must not be in the published
// engine, so they are defined by the module itself.
#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
#[doc(hidden)]
#[macro_export]
macro_rules! module_exports {
    () => {
        const _: () = {
            use $crate::module::wasm_bindgen::{self, prelude::JsValue, prelude::wasm_bindgen};
            use $crate::module::{Core, ModuleError, exports};

            thread_local! {
                static DEFINITIONS: std::rc::Rc<$crate::definitions::Definitions> = std::rc::Rc::new(definitions());
            }

            /// What this module defines. See `ts/core.ts` of everfold.
            #[wasm_bindgen(wasm_bindgen = $crate::module::wasm_bindgen)]
            #[derive(Debug)]
            pub struct Definitions;

            #[wasm_bindgen(wasm_bindgen = $crate::module::wasm_bindgen)]
            impl Definitions {
                /// `CoreDefinitionList`.
                pub fn describe() -> String {
                    DEFINITIONS.with(|definitions| definitions.describe())
                }

                /// The state before anything happened.
                #[wasm_bindgen(js_name = initialState)]
                pub fn initial_state(aggregate: &str) -> Result<String, ModuleError> {
                    DEFINITIONS.with(|definitions| exports::initial_state(definitions, aggregate))
                }

                /// `CoreDecided`.
                pub fn decide(aggregate: &str, command: &str, state: &str) -> Result<String, ModuleError> {
                    DEFINITIONS.with(|definitions| exports::decide(definitions, aggregate, command, state))
                }

                /// The state after an event.
                pub fn evolve(aggregate: &str, state: &str, event: &str) -> Result<String, ModuleError> {
                    DEFINITIONS.with(|definitions| exports::evolve(definitions, aggregate, state, event))
                }

                /// What a row has in an index.
                #[wasm_bindgen(js_name = indexValue)]
                pub fn index_value(projection: &str, index: u32, row: &str) -> Result<String, ModuleError> {
                    DEFINITIONS.with(|definitions| exports::index_value(definitions, projection, index, row))
                }

                /// `CoreFolded`.
                pub fn load(
                    core: &Core,
                    aggregate: &str,
                    version: u32,
                    stream_id: String,
                    at_version: f64,
                    at: f64,
                    clock: &str,
                ) -> JsValue {
                    DEFINITIONS.with(|definitions| {
                        let past = (at_version, at, clock);
                        exports::load(definitions, core, aggregate, version, stream_id, past)
                    })
                }

                /// Begins to fold what is in `core` into rows that are in `target`.
                pub fn fold(
                    core: &Core,
                    target: &Core,
                    projection: &str,
                    generation: f64,
                    checkpoint: f64,
                    revision: f64,
                ) -> Result<Folding, ModuleError> {
                    DEFINITIONS.with(|definitions| {
                        let stored = (generation, checkpoint, revision);
                        exports::fold(definitions, core, target, projection, stored).map(Folding)
                    })
                }
            }

            /// One projection on its way through the log.
            #[wasm_bindgen(wasm_bindgen = $crate::module::wasm_bindgen)]
            #[derive(Debug)]
            pub struct Folding($crate::module::Folding);

            #[wasm_bindgen(wasm_bindgen = $crate::module::wasm_bindgen)]
            impl Folding {
                /// Folds on. `CoreAdvanced`.
                pub fn advance(&self, query: String, budget: u32) -> JsValue {
                    self.0.advance(query, budget)
                }

                /// Keys of rows that have changed and are not written.
                pub fn changed(&self) -> String {
                    self.0.changed()
                }

                /// Writes what has changed; false if it may not be.
                pub fn write(&self, failed_at: f64) -> JsValue {
                    self.0.write(failed_at)
                }

                /// What has changed, as `Core.stageRows` takes it.
                pub fn parts(&self) -> JsValue {
                    self.0.parts()
                }

                /// What has changed is where readers find it.
                pub fn forget(&self) {
                    self.0.forget();
                }

                /// Lets go of its rows: `free` must not be called on what an instance that trapped has left.
                pub fn end(&self) {
                    self.0.end();
                }
            }
        };
    };
}
