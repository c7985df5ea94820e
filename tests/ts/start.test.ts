import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { freePort } from "../../scripts/server.mjs";

test.each([
  [["--foo"], "Unknown option '--foo'"],
  [["--port", "abc"], "--port is abc, must be a number from 1 to 65535"],
  [["--port", "70000"], "--port is 70000, must be a number from 1 to 65535"],
  [["--port"], "Option '--port <value>' argument missing"],
])("npm start with %j says what is wrong, and what there is, before it builds anything", (words, problem) => {
  const { status, stderr, stdout } = spawnSync("node", ["scripts/start.mjs", ...words], { encoding: "utf8" });

  expect(stderr.trim().split("\n")).toEqual([problem, "npm start -- [--dev] [--port NUMBER]"]);
  expect([status, stdout]).toEqual([1, ""]);
});

const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));

test.each(["127.0.0.1", "::1"].filter((address) => own.includes(address)))(
  "a port that somebody listens on at %s is not free",
  async (address) => {
    const other = createServer().listen(0, address);
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;

    expect(await freePort(port)).not.toBe(port);
    other.close();
  },
);
