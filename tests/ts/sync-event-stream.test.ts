import fc from "fast-check";
import { expect, test } from "vitest";
import { eventParser, readEvents, type ServerEvent } from "../../ts/sync/event-stream.js";

const parsed = (...pieces: string[]) => {
  const parse = eventParser();
  return pieces.flatMap((piece) => parse(piece));
};

test("an event has its data, its name and the last id", () => {
  expect(parsed('event: commits\nid: e.1.f\ndata: {"a":1}\n\ndata:x\n\n')).toEqual([
    { event: "commits", id: "e.1.f", data: '{"a":1}' },
    { event: "message", id: "e.1.f", data: "x" },
  ]);
});

test("lines of data are joined, one space after the colon is left out, comments and unknown fields are passed over", () => {
  expect(parsed(": hello\nretry: 10\ndata: one\ndata:  two\ndata\n: more\n\n")).toEqual([
    { event: "message", id: "", data: "one\n two\n" },
  ]);
});

test("an event without data is none, and one that does not end is not told", () => {
  expect(parsed("event: commits\n\ndata: half\n")).toEqual([]);
});

test("lines end by line feed, by carriage return or by both", () => {
  const expected = [{ event: "a", id: "1", data: "x\ny" }];

  expect(parsed("event:a\r\nid:1\r\ndata:x\r\ndata:y\r\n\r\n")).toEqual(expected);
  expect(parsed("event:a\rid:1\rdata:x\rdata:y\r\r")).toEqual(expected);
  expect(parsed("event:a\r", "\nid:1\r", "\ndata:x\ndata:y\n", "\n")).toEqual(expected);
});

test("pieces may end anywhere", () => {
  const line = fc.constantFrom("data: x", "data:", "id: 7", "event: commits", ": c", "data: a:b", "", "", "odd");
  const stream = fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r")));

  fc.assert(
    fc.property(stream, fc.infiniteStream(fc.integer({ min: 1, max: 4 })), (lines, lengths) => {
      // A carriage return and then an empty line ended by a line feed are one end of line.
      const text = lines.map(([content, end]) => content + end).join("");
      const pieces: string[] = [];
      for (let at = 0; at < text.length; ) {
        const length = lengths.next().value as number;
        pieces.push(text.slice(at, at + length));
        at += length;
      }

      expect(parsed(...pieces)).toEqual(parsed(text));
      expect(parsed(text)).toEqual(parsed(text.replace(/\r\n?/g, "\n")));
    }),
  );
});

test("a body is read as its events are taken, across the borders of characters", async () => {
  const bytes = new TextEncoder().encode("data: größe\n\n: c\n\ndata: 2\n\n");
  let pulled = 0;
  let heard = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(control) {
        if (pulled === bytes.length) {
          control.close();
        } else {
          control.enqueue(bytes.slice(pulled, pulled + 1));
          pulled += 1;
        }
      },
    },
    { highWaterMark: 0 },
  );
  const found: ServerEvent[] = [];

  for await (const event of readEvents(body, () => void heard++)) {
    found.push(event);
    if (found.length === 1) {
      expect(pulled).toBeLessThan(bytes.length);
    }
  }

  expect(found.map(({ data }) => data)).toEqual(["größe", "2"]);
  expect(heard).toBe(bytes.length);
});

test("who stops reading ends the body", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (control) => control.enqueue(new TextEncoder().encode("data: 1\n\n")),
    cancel() {
      cancelled = true;
    },
  });

  for await (const _ of readEvents(body, () => undefined)) {
    break;
  }

  expect(cancelled).toBe(true);
});
