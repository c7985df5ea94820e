/**
 * The part of the Standard Schema interface (standardschema.dev, version 1) that is needed to ask a
 * validator of any library whether a value will do. Declared here, so that no package is needed.
 */

/** A validator that follows Standard Schema: zod, valibot, arktype and others. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown, ...rest: never[]) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a validator answers. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that is wrong, and where. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a validator finds wrong, paths as text; undefined if nothing. One that throws or answers later counts as wrong. */
export function schemaIssues(
  schema: StandardSchema,
  value: unknown,
): readonly { readonly message: string; readonly path: string }[] | undefined {
  let result: StandardResult<unknown> | Promise<StandardResult<unknown>>;
  try {
    result = schema["~standard"].validate(value);
  } catch (cause) {
    return [{ message: `the schema threw: ${cause instanceof Error ? cause.message : String(cause)}`, path: "" }];
  }
  if (result instanceof Promise) {
    // Nobody else will look at how it ends.
    result.catch(() => undefined);
    return [{ message: "the schema answers with a promise; use one that answers at once", path: "" }];
  }
  return result.issues?.map(({ message, path = [] }) => ({
    message,
    path: path
      .map((step) => (typeof step === "object" ? step.key : step))
      .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
      .join(""),
  }));
}
