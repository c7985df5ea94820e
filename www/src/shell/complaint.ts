/** What to tell beside a field when a command was not carried out. */
import { isEverfoldError } from "everfold";
import { type Field, Refusal } from "../ledger.ts";

export interface Complaint {
  readonly field: Field;
  readonly message: string;
}

/** The reason of a refusal; undefined for any other failure. */
export function complaintOf(error: unknown): Complaint | undefined {
  if (!isEverfoldError(error, "refused") || !(error.cause instanceof Refusal)) return undefined;
  return { field: error.cause.field, message: error.cause.message };
}
