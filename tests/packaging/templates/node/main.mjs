import { commitAndReadBack } from "./ledger.mjs";

// On a server every entry can be imported, and a store has to ask for memory by name.
await import("everfold/testing");
console.log(await commitAndReadBack({ storage: "memory" }));
