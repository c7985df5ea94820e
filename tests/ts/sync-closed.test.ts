/**
 * What sync and refusals say once a store is closed, or is about to be.
 */
import { expect, test } from "vitest";
import { publishedRuntime } from "../../ts/wasm.js";
import { device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { account, deposit, withdraw } from "./ledger.js";
import { thrownBy } from "./thrown.js";
import { wasm } from "./wasm-files.js";

const closed = { code: "store-closed" };

/** A device that has a refusal. */
async function refused() {
  const server = fakeServer();
  server.refuse(({ id }) => (id === "bad" ? { type: "urn:everfold:problem:rule-refused", title: "no" } : undefined));
  const one = await device(server);
  await one.store.execute(account, "a", deposit(1), { commitId: "bad" });
  await one.pass(1_000);
  const [refusal] = await one.store.refusals.list();
  return { one, refusal: refusal as NonNullable<typeof refusal> };
}

test("every call of a closed store's sync and refusals says that it is closed", async () => {
  const { one, refusal } = await refused();
  const { sync, refusals } = one.store;

  await one.store.close();

  expect(thrownBy(() => sync.pause())).toMatchObject(closed);
  expect(thrownBy(() => sync.resume())).toMatchObject(closed);
  expect(thrownBy(() => sync.subscribe(() => undefined))).toMatchObject(closed);
  expect(thrownBy(() => refusals.watch())).toMatchObject(closed);
  await expect(sync.now()).rejects.toMatchObject(closed);
  await expect(refusals.list()).rejects.toMatchObject(closed);
  await expect(refusals.retry("bad")).rejects.toMatchObject(closed);
  await expect(refusals.dismiss("bad")).rejects.toMatchObject(closed);
  await expect(refusal.retry()).rejects.toMatchObject(closed);
  await expect(refusal.dismiss()).rejects.toMatchObject(closed);
});

test("a store that the browser deleted is closed, and what is written into the next one waits for the server", async () => {
  const one = await device(fakeServer(), { online: false });
  await one.store.execute(account, "a", deposit(1));
  await one.pass(1_000);
  one.tab.freeze(true);
  await one.lose();
  await publishedRuntime.ask(
    () => wasm,
    ({ Core }) => Core.deleteStore(one.name, "memory"),
  );

  await expect(one.store.execute(account, "a", deposit(2))).rejects.toMatchObject(closed);

  expect(() => one.engine.check()).toThrow();
  const next = await device(fakeServer(), { of: one, online: false });
  const receipt = await next.store.execute(account, "a", deposit(3));
  expect(receipt).toMatchObject({ version: 1, events: [{ status: "pending" }] });
});

test("closing ends a call of now() that waits, in the tab that leads and in another", async () => {
  const server = fakeServer();
  server.fail("push", "hang");
  const leader = await device(server);
  await leader.pass(1_000);
  const follower = await device(server, { of: leader });
  await follower.store.execute(account, "a", deposit(1));
  await leader.engine.log.catchUp();
  await leader.pass(2_000);

  const calls = [leader, follower].map(({ store }) => store.sync.now());
  const ended = calls.map((call) => expect(call).rejects.toMatchObject(closed));
  await leader.pass(10);
  await follower.store.close();
  await leader.store.close();

  await Promise.all(ended);
});

test("what is said while a store closes is no error of the browser's", async () => {
  const { one } = await refused();
  const { sync } = one.store;
  const closing = one.store.close();
  const said = [thrownBy(() => sync.pause()), thrownBy(() => sync.resume())];
  const now = await sync.now().catch((error: unknown) => error);
  await closing;

  expect(said).toMatchObject([closed, closed]);
  expect(now).toMatchObject(closed);
  await expect(one.store.execute(account, "a", withdraw(1))).rejects.toMatchObject(closed);
});
