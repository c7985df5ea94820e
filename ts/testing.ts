/**
 * `everfold/testing`: definitions without a store, and a store whose storage fails when it is told.
 * Works with every test runner: what does not hold is thrown as a plain error.
 */
export { type FakeClock, fakeClock, seededIds } from "./testing/clock.js";
export {
  type Decided,
  type DecidedLists,
  type GivenAggregate,
  type GivenDecision,
  type GivenProjection,
  type GivenStream,
  given,
  type Refusal,
} from "./testing/given.js";
export type { GivenEvent } from "./testing/history.js";
export {
  openTestStore,
  type StorageFault,
  type TestStorage,
  type TestStore,
  type TestStoreOptions,
} from "./testing/test-store.js";
