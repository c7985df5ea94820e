/**
 * A readable difference between two values: their JSON line by line, as `diff` shows it.
 */

/** The lines that differ, with the lines around them; undefined if the values are equal as JSON. */
export function difference(expected: unknown, actual: unknown): string | undefined {
  const want = linesOf(expected);
  const have = linesOf(actual);
  if (want.join("\n") === have.join("\n")) {
    return undefined;
  }
  return ["- expected", "+ actual", "", ...merge(want, have)].join("\n");
}

/** Pretty JSON with names in one order; what JSON cannot hold is named in angle brackets. */
function linesOf(value: unknown): string[] {
  const text = JSON.stringify(
    value,
    function (this: unknown, key, converted: unknown) {
      const inner = (this as Record<string, unknown>)[key];
      return isPlainObject(inner) ? sorted(inner) : show(inner, converted);
    },
    2,
  );
  return (text ?? "<undefined>").split("\n");
}

function show(inner: unknown, converted: unknown): unknown {
  if (inner instanceof Date || (typeof inner === "object" && inner !== null && !Array.isArray(inner))) {
    return `<${inner.constructor?.name ?? "object"} ${JSON.stringify(converted) ?? ""}>`;
  }
  if (typeof inner === "bigint" || typeof inner === "function" || typeof inner === "symbol") {
    return `<${typeof inner} ${String(inner)}>`;
  }
  return typeof inner === "number" && !Number.isFinite(inner) ? `<${inner}>` : converted;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  const prototype = typeof value === "object" && value !== null ? Object.getPrototypeOf(value) : undefined;
  return prototype === Object.prototype || prototype === null;
}

function sorted(object: Record<string, unknown>): Record<string, unknown> {
  const names = Object.keys(object).sort();
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

/** Lines common to both once, the others marked by their side: the longest common subsequence. */
function merge(want: readonly string[], have: readonly string[]): string[] {
  const common = Array.from({ length: want.length + 1 }, () => new Array<number>(have.length + 1).fill(0));
  const lengthAt = (i: number, j: number) => common[i]?.[j] ?? 0;
  for (let i = want.length - 1; i >= 0; i--) {
    for (let j = have.length - 1; j >= 0; j--) {
      const length =
        want[i] === have[j] ? lengthAt(i + 1, j + 1) + 1 : Math.max(lengthAt(i + 1, j), lengthAt(i, j + 1));
      (common[i] as number[])[j] = length;
    }
  }
  const lines: string[] = [];
  let i = 0;
  let j = 0;
  while (i < want.length || j < have.length) {
    if (i < want.length && j < have.length && want[i] === have[j]) {
      lines.push(`  ${want[i]}`);
      i++;
      j++;
    } else if (j === have.length || (i < want.length && lengthAt(i + 1, j) >= lengthAt(i, j + 1))) {
      lines.push(`- ${want[i++]}`);
    } else {
      lines.push(`+ ${have[j++]}`);
    }
  }
  return lines;
}
