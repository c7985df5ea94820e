import { describe, expect, test } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import { defineDecision } from "../../ts/decision.js";
import type { Event } from "../../ts/event.js";
import { defineProjection } from "../../ts/projection.js";
import { account } from "./ledger.js";
import { thrownBy } from "./thrown.js";

const rules = {
  initialState: () => 0,
  decide: (_: { type: "Count" }): Event<"counted"> => ({ type: "counted" }),
  evolve: (state: number) => state + 1,
};

describe("an aggregate", () => {
  test("has its defaults filled in and cannot be changed", () => {
    const counter = defineAggregate({ name: "counter", version: 1, ...rules });

    expect(counter).toMatchObject({ kind: "aggregate", snapshotEvery: 100, keepSnapshots: 2, schemaVersions: {} });
    expect(Object.isFrozen(counter)).toBe(true);
    expect(counter.evolve(1, { type: "counted" })).toBe(2);
  });

  test.each(["", "Account", "1st", "an-account", "é", "a".repeat(101), undefined, 7])("is not named %j", (name) => {
    const error = thrownBy(() => defineAggregate({ name: name as string, version: 1, ...rules }));

    expect(error.code).toBe("invalid-argument");
    expect(error.details).toEqual({ argument: "name" });
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 53, 2 ** 32, "1", undefined])("has no version %s", (version) => {
    expect(thrownBy(() => defineAggregate({ name: "a", version: version as number, ...rules })).details).toEqual({
      argument: "version",
    });
  });

  test("needs its three functions", () => {
    const { decide: _, ...rest } = rules;
    const error = thrownBy(() => defineAggregate({ name: "a", version: 1, ...rest } as never));

    expect(error.message).toBe('aggregate "a": decide must be a function');
  });

  test("takes a snapshot at whole numbers of events", () => {
    const error = thrownBy(() => defineAggregate({ name: "a", version: 1, ...rules, snapshotEvery: 0 }));

    expect(error.message).toBe('aggregate "a": snapshotEvery is 0, must be a whole number from 1');
  });

  test("refuses an upcaster that leads past the current schema version", () => {
    const upcasters = { counted: { 1: (data: unknown) => data } };
    const error = thrownBy(() => defineAggregate({ name: "a", version: 1, ...rules, upcasters }));

    expect(error.message).toBe(
      'aggregate "a": upcasters["counted"] leads from 1 to 2, but schemaVersions says 1: raise it to 2',
    );
  });

  test("refuses a chain of upcasters with a gap", () => {
    const same = (data: unknown) => data;
    const definition = { name: "a", version: 1, ...rules, schemaVersions: { counted: 4 } };
    const error = thrownBy(() => defineAggregate({ ...definition, upcasters: { counted: { 1: same, 3: same } } }));

    expect(error.message).toBe('aggregate "a": upcasters["counted"] has no step from 2 to 3');
    expect(defineAggregate({ ...definition, upcasters: { counted: { 2: same, 3: same } } }).name).toBe("a");
  });

  test("refuses a schema that is no validator", () => {
    const error = thrownBy(() =>
      defineAggregate({ name: "a", version: 1, ...rules, schemas: { counted: {} as never } }),
    );

    expect(error.message).toBe('aggregate "a": schemas["counted"] is not a Standard Schema validator');
  });

  test("leaves out what is undefined of an event type", () => {
    const none = { counted: undefined } as never;
    const given = { schemaVersions: none, upcasters: none, schemas: none };

    expect(defineAggregate({ name: "a", version: 1, ...rules, ...given })).toMatchObject({
      ...{ schemaVersions: {}, upcasters: {}, schemas: {} },
    });
  });

  test.each([null, 5, { first: () => {} }, { 1: "step" }])(
    "refuses upcasters of an event type that are %j",
    (chain) => {
      const upcasters = { counted: chain as never };
      const error = thrownBy(() => defineAggregate({ name: "a", version: 1, ...rules, upcasters }));

      expect(error.message).toBe(
        'aggregate "a": upcasters["counted"] must be functions by the schema version that they start from',
      );
    },
  );

  test.each([null, true, "every"])("refuses an isRefusal that is %j", (isRefusal) => {
    const wrong = { isRefusal: isRefusal as never };

    expect(thrownBy(() => defineAggregate({ name: "a", version: 1, ...rules, ...wrong })).message).toBe(
      'aggregate "a": isRefusal must be a function',
    );
    expect(
      thrownBy(() => defineDecision({ name: "d", version: 1, reads: () => [], decide: () => [], ...wrong })).message,
    ).toBe('decision "d": isRefusal must be a function');
  });

  test("takes every throw for a refusal but those that a bug makes", () => {
    expect(account.isRefusal(new Error("no"))).toBe(true);
    expect(account.isRefusal("no")).toBe(true);
    expect(account.isRefusal(new TypeError("undefined is not a function"))).toBe(false);
    expect(account.isRefusal(new RangeError("invalid array length"))).toBe(false);
  });

  test("finds nothing of Object's under an event type", () => {
    expect(account.schemaVersions["constructor"]).toBeUndefined();
  });

  test("names one aggregate by its id", () => {
    expect(account.ref("ACC-1")).toEqual({ aggregate: account, id: "ACC-1", streamId: "account-ACC-1" });
    expect(thrownBy(() => account.ref("")).message).toBe('the id of "account" must be a text that is not empty');
    expect(thrownBy(() => account.ref("x".repeat(505))).message).toBe(
      "id is 513 bytes long with the name before it, at most 512 are allowed",
    );
  });
});

describe("a decision", () => {
  test("needs reads and decide", () => {
    const error = thrownBy(() => defineDecision({ name: "d", version: 1, decide: () => [] } as never));

    expect(error.message).toBe('decision "d": reads must be a function');
  });
});

describe("a projection", () => {
  const rows = { key: () => "all", evolve: (row: number | undefined) => (row ?? 0) + 1 };

  test("takes every event of every stream unless it says which", () => {
    expect(defineProjection({ name: "p", version: 1, ...rows })).toMatchObject({
      kind: "projection",
      from: undefined,
      events: undefined,
      indexes: {},
    });
  });

  test.each([
    ["an aggregate twice", { from: [account, account] }, 'from holds "account" twice'],
    ["something else than aggregates", { from: ["account"] }, "from holds something that is no aggregate"],
    ["no aggregate", { from: [] }, "from must be a list that is not empty; leave it out for all"],
    ["an event type twice", { events: ["a", "a"] }, 'events holds "a" twice'],
    ["an index that is no function", { indexes: { owner: "owner" } }, 'indexes["owner"] must be a function'],
  ])("refuses %s", (_, options, message) => {
    const error = thrownBy(() => defineProjection({ name: "p", version: 1, ...rows, ...(options as object) }));

    expect(error.code).toBe("invalid-argument");
    expect(error.message).toBe(`projection "p": ${message}`);
  });
});
