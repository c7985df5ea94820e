// @vitest-environment happy-dom
import { EverfoldError } from "everfold";
import { expect, test, vi } from "vitest";
import { startOver, switchDevice } from "../../../www/src/devices/arrangement.ts";
import { DEVICES } from "../../../www/src/devices/device.ts";
import { deviceStore } from "../../../www/src/devices/device-store.ts";

const { sync } = vi.hoisted(() => ({ sync: { pause: vi.fn(), resume: vi.fn() } }));
vi.mock(import("everfold"), async (original) => ({
  ...(await original()),
  openStore: (async () => ({ sync })) as never,
}));

test("a device follows its switch, and its tab joins those that have started over", async () => {
  const reload = vi.spyOn(location, "reload").mockImplementation(() => {});
  await deviceStore(DEVICES[0]);
  switchDevice(DEVICES[0], "offline");
  expect([sync.resume.mock.calls.length, sync.pause.mock.calls.length]).toEqual([1, 1]);

  const closed = () => {
    throw new EverfoldError("store-closed", "deleted by another tab", {});
  };
  sync.pause.mockImplementation(closed);
  sync.resume.mockImplementation(closed);
  startOver();

  expect(reload).toHaveBeenCalledTimes(1);
});
