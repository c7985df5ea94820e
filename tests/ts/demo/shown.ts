import { act } from "react";
import { vi } from "vitest";

/**
 * Waits until `look` finds what it expects. React has done by then what there was to do: an expectation that fails inside of
 * `act` would keep it from that, for ever.
 */
export function untilShown(look: () => void): Promise<void> {
  const lookAfterReact = async () => {
    await act(async () => {});
    look();
  };
  return vi.waitFor(lookAfterReact, { timeout: 20_000 });
}
