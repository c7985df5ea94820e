// The sync server under load: commits a second that it accepts, how long one commit takes, how fast the log is pulled, and
// what idle tails cost.
//
//   node bench/server.mjs [--commits 10000] [--batch 2000] [--tails 5000] [--profile server]

import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { main } from "../scripts/command.mjs";
import { buildServer, startServer } from "../scripts/server.mjs";

const { values } = parseArgs({
  options: {
    commits: { type: "string", default: "10000" },
    batch: { type: "string", default: "2000" },
    tails: { type: "string", default: "5000" },
    profile: { type: "string", default: "server" },
  },
});

const replica = randomUUID();

/** What the ledger's device sends for one withdrawal. */
function commit(index) {
  const amount = 100 + index;
  const data = { amount, note: "groceries", operation: "VYBER", reportedBalance: amount * 7 };
  return {
    ...{ id: randomUUID(), attempt: 1, mode: "intent", command: { type: "Deposit", data: { amount } } },
    ...{ definition: { name: "account", version: 1 }, subject: "ann", replica, recordedAt: Date.now() },
    content: randomBytes(16).toString("hex"),
    streams: [
      {
        streamId: `account-${index % 1000}`,
        expectedVersion: Math.floor(index / 1000),
        events: [
          {
            ...{ type: "account.money_deposited", schemaVersion: 1, occurredAt: Date.now() },
            ...{ salt: randomBytes(16).toString("hex"), data },
          },
        ],
      },
    ],
  };
}

/** Megabytes of the process that are in memory, where the system tells. */
function memory(pid) {
  const file = `/proc/${pid}/status`;
  const found = existsSync(file) ? /VmRSS:\s+(\d+) kB/.exec(readFileSync(file, "utf8")) : null;
  return found === null ? undefined : Number(found[1]) / 1024;
}

function tell(name, value, unit) {
  process.stdout.write(`${name.padEnd(44)} ${value === undefined ? "?" : Math.round(value * 10) / 10} ${unit}\n`);
}

async function pushes(call, base, count, batch) {
  const bodies = [];
  for (let from = 0; from < count; from += batch) {
    const commits = Array.from({ length: Math.min(batch, count - from) }, (_, index) => commit(from + index));
    bodies.push({ protocol: 1, replica, commits });
  }
  const took = [];
  let cursor = base;
  for (const body of bodies) {
    const text = JSON.stringify({ ...body, base: cursor });
    const started = performance.now();
    const answer = await call("push", text);
    took.push(performance.now() - started);
    if (!answer.results.every(({ status }) => status === "accepted")) {
      throw new Error(`not all were accepted: ${JSON.stringify(answer.results[0])}`);
    }
    cursor = answer.cursor;
  }
  return { cursor, took };
}

async function openTails(url, headers, cursor, count) {
  const sockets = [];
  for (let index = 0; index < count; index += 1) {
    const socket = connect(Number(url.port), url.hostname);
    socket.write(
      `GET /v1/spaces/bench/tail?after=${cursor}&replica=${index} HTTP/1.1\r\nhost: here\r\n${headers}\r\n\r\n`,
    );
    await new Promise((resolve, reject) => socket.once("data", resolve).once("error", reject));
    sockets.push(socket);
  }
  return sockets;
}

async function bench() {
  const program = await buildServer(values.profile);
  const folder = mkdtempSync(join(tmpdir(), "everfold-bench-"));
  const server = await startServer(program, { data: join(folder, "data.sqlite3") });
  try {
    const url = new URL(server.url);
    const json = { "content-type": "application/json" };
    const wish = JSON.stringify({ subject: "ann", space: "bench" });
    const asked = await fetch(new URL("dev/token", url), { method: "POST", headers: json, body: wish });
    const authorization = `Bearer ${(await asked.json()).token}`;
    const space = new URL("v1/spaces/bench/", url);
    const call = async (path, body) => {
      const options = body === undefined ? {} : { method: "POST", body };
      const answer = await fetch(new URL(path, space), { ...options, headers: { ...json, authorization } });
      return answer.json();
    };
    const { cursor: start } = await call("../bench");
    const count = Number(values.commits);
    const { cursor, took } = await pushes(call, start, count, Number(values.batch));
    tell("push, commits/s accepted", (count / took.reduce((sum, time) => sum + time, 0)) * 1000, "");
    tell(`a push of ${values.batch}, slowest`, Math.max(...took), "ms");
    await new Promise((resolve) => setTimeout(resolve, 1_000));

    const singles = [];
    let at = cursor;
    for (let index = count; index < count + 200; index += 1) {
      const text = JSON.stringify({ protocol: 1, base: at, replica, commits: [commit(index)] });
      const started = performance.now();
      at = (await call("push", text)).cursor;
      singles.push(performance.now() - started);
    }
    tell("one commit, median", singles.sort((a, b) => a - b)[100], "ms");

    const started = performance.now();
    let page = { cursor: start, more: true };
    let bytes = 0;
    while (page.more) {
      const path = `pull?after=${page.cursor}&limit=10000&maxBytes=8388608`;
      const text = await (await fetch(new URL(path, space), { headers: { authorization } })).text();
      bytes += text.length;
      page = { cursor: /"cursor":"([^"]+)"/.exec(text.slice(-200))[1], more: text.endsWith('"more":true}') };
    }
    const seconds = (performance.now() - started) / 1000;
    tell("pull, commits/s", (count + 200) / seconds, "");
    tell("pull, MiB/s", bytes / seconds / 2 ** 20, "");

    const before = memory(server.pid);
    const sockets = await openTails(url, `authorization: ${authorization}`, at, Number(values.tails));
    const after = memory(server.pid);
    tell(`memory with ${values.tails} idle tails`, after, "MiB");
    tell("memory before", before, "MiB");
    const woken = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once("data", resolve))));
    const waking = performance.now();
    await call("push", JSON.stringify({ protocol: 1, base: at, replica, commits: [commit(count + 200)] }));
    await woken;
    tell("one commit to all of them", performance.now() - waking, "ms");
    for (const socket of sockets) {
      socket.destroy();
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main(bench);
