/** A worker that brings an engine along: its glue is bundled, its wasm lies beside. Asked for, it panics when it shall fold. */
import * as engine from "../../examples/rust-module/pkg/rust_module.js";
import { serveRebuild } from "../../ts/worker.js";

class PanickingDefinitions extends engine.Definitions {
  static fold() {
    const deposit = { type: "account.money_deposited", data: { amount: 5e18 } };
    const state = { owner: null, balance: 5e18 };
    engine.Definitions.evolve("account", JSON.stringify(state), JSON.stringify(deposit));
  }
}

serveRebuild(location.search === "?panics" ? { ...engine, Definitions: PanickingDefinitions } : engine);
