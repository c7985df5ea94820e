/**
 * What is seldom called: loaded with its first call, as the part of the engine that it calls is (`parts.ts`).
 *
 * Nothing of the core imports what is named here; it says `await tools()`.
 */
export { buildRows, dropIdly, dropOrphans } from "./build.js";
export { ingestFacts } from "./ingest.js";
export { projectRows } from "./project.js";
export { rebuildRows } from "./rebuild.js";
export { findFirstStep, replayStream } from "./replay.js";
export { compactStore, exportStore, importStore, statsOf, verifyStore } from "./upkeep.js";
