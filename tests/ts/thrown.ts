/**
 * What a function throws, for claims about errors.
 */
import { type AnyEverfoldError, isEverfoldError } from "../../ts/errors.js";

/** The error of this package that `act` throws. */
export function thrownBy(act: () => unknown): AnyEverfoldError {
  try {
    act();
  } catch (error) {
    if (isEverfoldError(error)) {
      return error;
    }
    throw error;
  }
  throw new Error("nothing was thrown");
}
