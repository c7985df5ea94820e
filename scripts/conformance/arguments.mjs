// Which server is checked, and as whom.

import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";

const { values, positionals } = read();
export const address = positionals[0].replace(/\/+$/, "");
export const run = randomBytes(4).toString("hex");
export const space = values.space ?? `conformance-${run}`;
export const authorization = values.token === undefined ? {} : { authorization: `Bearer ${values.token}` };
export const patience = 10_000;
export const token = values.token;
/** Whom the token is of, if it is a JWT that says so. */
export const subject = subjectOf(token);

function subjectOf(jwt) {
  try {
    return JSON.parse(Buffer.from(jwt.split(".")[1], "base64url").toString("utf8")).sub;
  } catch {
    return undefined;
  }
}

function read() {
  try {
    const found = parseArgs({
      allowPositionals: true,
      options: { token: { type: "string" }, space: { type: "string" } },
    });
    const [given, ...more] = found.positionals;
    if (given === undefined || more.length > 0 || !/^https?:$/.test(new URL(given).protocol)) {
      throw new Error("one address of a server is needed, with http:// or https://");
    }
    return found;
  } catch (error) {
    process.stderr.write(`${error.message}\nnode scripts/conformance.mjs ADDRESS [--token TOKEN] [--space SPACE]\n`);
    process.exit(2);
  }
}
