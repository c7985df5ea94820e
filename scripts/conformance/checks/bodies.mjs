// In which forms bodies come and go.

import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { address, authorization, patience, space } from "../arguments.mjs";
import { check, is, isProblem, matches, section } from "../report.mjs";
import { call, commit, cursor, fresh, nothingStored, pushBody, statuses } from "../server.mjs";

export async function checkBodies({ beginning, limits }) {
  section("bodies");
  const zipped = (body, headers = {}) =>
    call("POST", "push", { body, headers: { "content-encoding": "gzip", ...headers } });
  await check("are read when they are gzipped", async () => {
    const body = JSON.stringify(pushBody([commit(fresh("s"), 0)], await cursor()));
    const answer = await zipped(gzipSync(body));
    is(answer.status, 200, `status: ${answer.text}`);
    is(statuses(answer.json), ["accepted"], "statuses");
  });
  await check("that inflate beyond the limit are payload-too-large", () =>
    nothingStored(async () => {
      const body = JSON.stringify({ ...pushBody([], beginning), padding: "x".repeat(2 * limits.pushBytes) });
      isProblem(await zipped(gzipSync(body)), 413, "payload-too-large");
      isProblem(await zipped(gzipSync(Buffer.alloc(64 << 20))), 413, "payload-too-large");
    }),
  );
  await check("that are not gzip though they say so are malformed", () =>
    nothingStored(async () => {
      const body = JSON.stringify(pushBody([commit(fresh("s"), 0)], beginning));
      isProblem(await zipped(Buffer.from(body)), 400, "malformed");
      isProblem(await zipped(gzipSync(body).subarray(0, -12)), 400, "malformed");
    }),
  );
  await check("in another encoding or of another type are not read", () =>
    nothingStored(async () => {
      const body = JSON.stringify(pushBody([commit(fresh("s"), 0)], beginning));
      isProblem(await zipped(body, { "content-encoding": "compress" }), 415, "encoding");
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
        isProblem(await call("POST", "push", { body, headers: { "content-type": type } }), 415, "encoding");
      }
    }),
  );
  await check("are JSON with a charset too", async () => {
    const body = JSON.stringify(pushBody([], await cursor()));
    const headers = { "content-type": "application/json; charset=utf-8" };
    is((await call("POST", "push", { body, headers })).status, 200, "status");
  });
  await check("that are cut store nothing", async () => {
    const { protocol, hostname, port } = new URL(address);
    if (protocol !== "http:") {
      return "the address is not plain HTTP";
    }
    await nothingStored(async () => {
      const body = JSON.stringify(pushBody([commit(fresh("s"), 0)], await cursor()));
      const head = [
        ...[`POST /v1/spaces/${space}/push HTTP/1.1`, `Host: ${hostname}`, "Content-Type: application/json"],
        ...Object.entries(authorization).map(([name, value]) => `${name}: ${value}`),
        `Content-Length: ${body.length + 100}`,
      ];
      await new Promise((resolve, reject) => {
        const socket = connect({ host: hostname, port: Number(port || 80) }, () => {
          socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
        });
        socket.on("error", reject);
        socket.on("close", resolve);
        socket.resume();
        socket.setTimeout(patience, () => socket.destroy());
      });
    });
  });
  await check("of answers are gzipped only for whoever takes that", async () => {
    const path = `pull?after=${beginning}`;
    const packed = await call("GET", path, { headers: { "accept-encoding": "gzip" } });
    matches(packed.headers.get("content-encoding") ?? "gzip", /^gzip$/, "content-encoding");
    const plain = await call("GET", path, { headers: { "accept-encoding": "identity" } });
    is(plain.headers.get("content-encoding"), null, "content-encoding");
    is(plain.json.commits, packed.json.commits, "commits");
  });
}
