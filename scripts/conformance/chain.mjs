// Digests and hashes, worked out from docs/protocol.md by nothing of ours.

import { createHash } from "node:crypto";

export const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
export const bytes = (text) => Buffer.from(text ?? "", "utf8");
function number(value) {
  const out = Buffer.alloc(8);
  out.writeBigInt64BE(BigInt(value ?? 0));
  return out;
}
const sized = (value) => Buffer.concat([number(value.length), value]);
const json = (value, texts) => bytes(value === undefined ? "" : (texts ?? JSON.stringify(value)));

/** `data` is the exact text of the payloads, if it is not what JSON.stringify makes. */
export function digest(c, data) {
  const streams = c.streams.map((stream) => {
    const events = stream.events.map((e) => {
      const salt = Buffer.from(e.salt ?? "", "hex");
      return Buffer.concat([
        ...[sized(bytes(e.type)), number(e.schemaVersion), number(e.occurredAt), sized(json(e.metadata)), sized(salt)],
        sha256(salt, json(e.data, data)),
      ]);
    });
    return Buffer.concat([sized(bytes(stream.streamId)), number(events.length), ...events]);
  });
  return sha256(
    ...[bytes("everfold commit 1\0"), sized(bytes(c.id)), sized(bytes(c.mode)), sized(json(c.command))],
    ...[sized(bytes(c.definition?.name)), number(c.definition?.version), sized(bytes(c.subject))],
    ...[sized(bytes(c.replica)), number(c.recordedAt), sized(bytes(c.causationId)), sized(bytes(c.correlationId))],
    ...[sized(bytes(c.content)), number(streams.length), ...streams],
  );
}

export function nextHash(hash, c, data) {
  const reads = c.reads ?? [];
  return sha256(
    ...[hash, number(c.number), number(c.attempt), sized(bytes(c.actor)), number(c.receivedAt), number(reads.length)],
    ...reads.flatMap((read) => [sized(bytes(read.streamId)), number(read.version)]),
    ...[number(c.streams.length), ...c.streams.map((stream) => number(stream.firstVersion)), digest(c, data)],
  );
}

/** Texts of payloads that are not what JSON.stringify makes, by the id of their commit. */
export const exact = new Map();
