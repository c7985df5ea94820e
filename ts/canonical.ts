/**
 * One text for one JSON value, whatever the order of its properties.
 *
 * Says whether a commit that comes again has the same content, and whether two states are equal.
 * Takes only what `json.ts` has passed.
 */

/** JSON with the names of each object sorted, `undefined` properties left out. */
export function canonicalText(value: unknown): string {
  if (typeof value !== "object" || value === null) {
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    let list = "[";
    for (const [index, item] of value.entries()) {
      list += index === 0 ? canonicalText(item) : `,${canonicalText(item)}`;
    }
    return `${list}]`;
  }
  let object = "{";
  for (const name of Object.keys(value).sort()) {
    const property = (value as Record<string, unknown>)[name];
    if (property !== undefined) {
      object += `${object === "{" ? "" : ","}${JSON.stringify(name)}:${canonicalText(property)}`;
    }
  }
  return `${object}}`;
}
