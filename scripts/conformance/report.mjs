// Checks one by one, and what each expects.

import { isDeepStrictEqual } from "node:util";

const failures = [];
let passed = 0;
let skipped = 0;

export async function check(sentence, body) {
  try {
    const skip = await body();
    if (typeof skip === "string") {
      skipped += 1;
      process.stdout.write(`  --  ${sentence}: not checked, ${skip}\n`);
      return;
    }
    passed += 1;
    process.stdout.write(`  ok  ${sentence}\n`);
  } catch (error) {
    failures.push(sentence);
    process.stdout.write(`FAIL  ${sentence}: ${error.cause?.message ?? error.message}\n`);
  }
}

export function section(title) {
  process.stdout.write(`\n${title}\n`);
}

export function is(actual, expected, what) {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new Error(`${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
  }
}

export function matches(actual, pattern, what) {
  if (typeof actual !== "string" || !pattern.test(actual)) {
    throw new Error(`${what} is ${JSON.stringify(actual)}, which is not ${pattern}`);
  }
}

export function holds(condition, what) {
  if (!condition) {
    throw new Error(what);
  }
}

/** An answer is a problem document of this kind. */
export function isProblem(answer, status, slug) {
  is(
    `${answer.status} ${answer.json?.type ?? answer.text.slice(0, 200)}`,
    `${status} urn:everfold:problem:${slug}`,
    "the answer",
  );
  matches(answer.type, /^application\/problem\+json\b/, "its content type");
  is(answer.json.status, status, "status in the document");
  matches(answer.json.title, /./, "title");
  matches(answer.json.detail, /./, "detail");
  if (status === 429 || status === 503) {
    matches(answer.headers.get("retry-after"), /^\d+$/, "retry-after");
  }
}

/** Prints how it went. */
export function sum() {
  process.stdout.write(`\n${passed} passed, ${skipped} not checked, ${failures.length} failed\n`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}
