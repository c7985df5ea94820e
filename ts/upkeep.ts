/**
 * Looking after a store: its numbers, checking it, merging what is small, taking it along.
 */
import type { CoreState } from "./core.js";
import type { Engine } from "./engine.js";
import { invalidArgument, isEverfoldError } from "./errors.js";
import type { AnyProjection } from "./projection.js";
import { isPersisted, quotaOfOrigin } from "./quota.js";
import { checkAborted } from "./read.js";
import type { Abortable, ImportReport, StoreStats, VerifyReport } from "./types.js";

/** What the core counts. */
type CoreStats = Pick<StoreStats, "events" | "streams" | "segments" | "bytes" | "snapshots">;

/** Numbers about the store; `projections` are those of the handle that asks. */
export async function statsOf(engine: Engine, projections: readonly AnyProjection[]): Promise<StoreStats> {
  const [counted, quota, persisted] = await Promise.all([
    engine.connection.ask<CoreStats>((core) => core.tool("stats", [])),
    quotaOfOrigin(),
    isPersisted(),
  ]);
  const { events, streams, segments, bytes, snapshots } = counted;
  const { log } = engine;
  return {
    events,
    streams,
    segments,
    bytes,
    snapshots,
    withoutSnapshots: engine.snapshots.without(),
    projections: projections.map((projection) => {
      const projector = engine.projectorBy(projection);
      const checkpoint = projector?.checkpoint() ?? 0;
      const { name, version } = projector?.projection ?? projection;
      return {
        name,
        version,
        checkpoint,
        lag: Math.max(0, log.position() - checkpoint),
        failed: projector?.failure() ?? null,
      };
    }),
    pending: log.pending(),
    quota,
    persisted,
  };
}

/** The last export and the last check of each store that were begun. */
const exporting = new WeakMap<Engine, Promise<unknown>>();
const checking = new WeakMap<Engine, Promise<unknown>>();

/** Does `work` after what was begun before it: the core keeps where one of a kind is. */
function inTurn<T>(turns: WeakMap<Engine, Promise<unknown>>, engine: Engine, work: () => Promise<T>): Promise<T> {
  const done = (turns.get(engine) ?? Promise.resolve()).then(work, work);
  turns.set(engine, done);
  return done;
}

/** Checks every record, one segment after the other. */
export function verifyStore(engine: Engine, options: Abortable): Promise<VerifyReport> {
  return inTurn(checking, engine, () => verifyAlone(engine, options));
}

async function verifyAlone(engine: Engine, { signal }: Abortable): Promise<VerifyReport> {
  let problems: VerifyReport["problems"] = [];
  let after: number | null = 0;
  while (after !== null) {
    checkAborted(signal);
    const from: number = after;
    const step: { readonly next: number | null; readonly problems: typeof problems } = await engine.connection.ask(
      (core) => core.tool("verify", [from]),
    );
    problems = from === 0 ? step.problems : [...problems, ...step.problems];
    after = step.next;
  }
  return { ok: problems.length === 0, problems };
}

/** Only two small segments make a merge worth while when it is asked for. */
const askedRun = 2;

/** Merges whatever is small. */
export async function compactStore({ connection }: Engine, { signal }: Abortable): Promise<void> {
  checkAborted(signal);
  await connection.call((core) => core.seal(1));
  do {
    checkAborted(signal);
  } while (await connection.call((core) => core.tool("compact", [askedRun])));
}

/** The log as one file. */
export function exportStore(engine: Engine, options: Abortable): Promise<Blob> {
  return inTurn(exporting, engine, () => exportAlone(engine, options));
}

async function exportAlone(engine: Engine, { signal }: Abortable): Promise<Blob> {
  const parts: BlobPart[] = [];
  for (;;) {
    checkAborted(signal);
    const part = await engine.connection.call((core) => core.tool("exportPart", [parts.length]));
    if (part == null) {
      return new Blob(parts, { type: "application/octet-stream" });
    }
    parts.push(part as Uint8Array<ArrayBuffer>);
  }
}

/** Writes an exported file: all of it or nothing. */
export async function importStore(
  engine: Engine,
  file: Blob | BufferSource,
  { merge = false, signal }: Abortable & { readonly merge?: boolean | undefined },
): Promise<ImportReport> {
  const bytes = await bytesOf(file);
  checkAborted(signal);
  engine.check();
  return engine.commits.alongside(importBytes(engine, bytes, merge));
}

async function importBytes({ connection, log }: Engine, bytes: Uint8Array, merge: boolean): Promise<ImportReport> {
  const { events, commits } = await connection
    .ask<ImportReport>((core) => core.tool("importAll", [bytes, merge]))
    .catch((error) => {
      throw !merge && isEverfoldError(error, "invalid-argument") ? invalidArgument("merge", error.message) : error;
    });
  log.restart(await connection.ask<CoreState>(async (core) => core.state()));
  return { events, commits };
}

async function bytesOf(file: Blob | BufferSource): Promise<Uint8Array> {
  if (file instanceof Blob) {
    return new Uint8Array(await file.arrayBuffer());
  }
  if (file instanceof ArrayBuffer) {
    return new Uint8Array(file);
  }
  if (ArrayBuffer.isView(file)) {
    return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  }
  throw invalidArgument("file", "file must be a Blob or bytes");
}
