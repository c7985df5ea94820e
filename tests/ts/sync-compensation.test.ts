/**
 * `onRefused`: called for each refusal until it has done its work once, whatever becomes of the tab.
 */
import { expect, test } from "vitest";
import type { SyncOptions } from "../../ts/types.js";
import { device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { account, deposit } from "./ledger.js";

type OnRefused = NonNullable<SyncOptions["onRefused"]>;

/** A server that takes no commit whose id begins with "bad". */
function strict() {
  const server = fakeServer();
  const no = { type: "urn:everfold:problem:rule-refused", title: "no" };
  server.refuse(({ id }) => (id.startsWith("bad") ? no : undefined));
  return server;
}

/** Opens a device again and again; `heard` are the ids that its hook was given. */
function reopening(server = strict()) {
  const heard: string[] = [];
  let of: Awaited<ReturnType<typeof device>> | undefined;
  return {
    heard,
    server,
    async open(onRefused: OnRefused = () => undefined) {
      const sync: Partial<SyncOptions> = {
        onRefused(refusal, store) {
          heard.push(refusal.commitId);
          return onRefused(refusal, store);
        },
      };
      of = await device(server, of === undefined ? { sync } : { of, sync });
      await of.pass(2_000);
      return of;
    },
  };
}

test("a tab that goes before the hook was done leaves the call to the next that leads, and that is the last", async () => {
  const { open, heard } = reopening();
  const first = await open(() => new Promise(() => undefined));
  await first.store.execute(account, "a", deposit(1), { commitId: "bad" });
  await first.pass(2_000);
  expect(heard).toEqual(["bad"]);
  await first.store.close();

  const second = await open();
  expect(heard).toEqual(["bad", "bad"]);
  await second.store.close();
  const third = await open();

  expect(heard).toEqual(["bad", "bad"]);
  expect(await third.store.refusals.list()).toMatchObject([{ commitId: "bad", kind: "refused" }]);
});

test("a hook that throws keeps nobody else's call, and is called again by the next start", async () => {
  const { open, heard } = reopening();
  const first = await open(({ commitId }) => {
    if (commitId === "bad-1") {
      throw new Error("not now");
    }
  });
  await first.store.execute(account, "a", deposit(1), { commitId: "bad-1" });
  await first.store.execute(account, "b", deposit(2), { commitId: "bad-2" });
  await first.pass(5_000);
  expect(heard).toEqual(["bad-1", "bad-2"]);
  expect(first.problems.map(({ message }) => message)).toContain("not now");
  await first.store.close();

  await open();

  expect(heard).toEqual(["bad-1", "bad-2", "bad-1"]);
});

test("a refusal that was dismissed before the hook was done is not told again", async () => {
  const { open, heard } = reopening();
  const first = await open(() => new Promise(() => undefined));
  await first.store.execute(account, "a", deposit(1), { commitId: "bad" });
  await first.pass(2_000);
  await first.store.refusals.dismiss("bad");
  await first.store.close();

  await open();

  expect(heard).toEqual(["bad"]);
});

test("what a hook does under an id made of the refusal's takes effect once", async () => {
  const { open, server } = reopening();
  const apologise: OnRefused = async ({ commitId }, store) => {
    await store.append("apologies", [{ type: "said", data: commitId }], { commitId: `sorry-${commitId}` });
  };
  const first = await open(async (refusal, store) => {
    await apologise(refusal, store);
    // The tab goes before anybody knows.
    await new Promise(() => undefined);
  });
  await first.store.execute(account, "a", deposit(1), { commitId: "bad" });
  await first.pass(2_000);
  await first.store.close();

  const second = await open(apologise);
  await second.store.sync.now();

  expect(server.commits.map(({ id }) => id)).toEqual(["sorry-bad"]);
});
