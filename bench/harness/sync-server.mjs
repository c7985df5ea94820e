// The sync server that the figures of sync talk to: built for speed, on a file of its own on disk, with its default limits
// if no other ones are given, its journal flushed at every push.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildServer, startServer } from "../../scripts/server.mjs";

let program;

/** Resolves to the running server. Pages of `origins` may call it; `flags` are further ones. */
export async function startSyncServer({ bench, origins = [], flags = [] }) {
  program ??= await buildServer("server");
  const folder = mkdtempSync(join(bench, ".server-"));
  const { url, pid, stop } = await startServer(program, {
    data: join(folder, "log.sqlite3"),
    flags: ["--dev", "--log", "error", ...(origins.length > 0 ? ["--origins", origins.join(",")] : []), ...flags],
  });
  return {
    address: new URL(url).origin,
    token: (space) => tokenFor(url, space),
    /** MiB that its process holds, as Linux tells. */
    resident: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024,
    async close() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function tokenFor(url, space) {
  const response = await fetch(new URL("dev/token", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject: "bench", space, ttl: 3_600 }),
  });
  if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
  return (await response.json()).token;
}
