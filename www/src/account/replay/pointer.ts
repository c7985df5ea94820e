/** JSON Pointers (RFC 6901), the paths of a JSON Patch. */

/** The value that a pointer leads to; undefined if there is none. */
export function valueAt(root: unknown, pointer: string): unknown {
  return namesOf(pointer).reduce<unknown>(
    (value, name) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, name)
        ? (value as Readonly<Record<string, unknown>>)[name]
        : undefined,
    root,
  );
}

/** The names on the way, outermost first. */
export function namesOf(pointer: string): readonly string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}
