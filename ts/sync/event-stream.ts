/**
 * Server-sent events, read from `fetch` instead of `EventSource`: that one sends no bearer token, hides why it failed,
 * and reads on however far behind its reader is.
 */

/** One event as the server sent it. */
export interface ServerEvent {
  /** `message` if the server names none. */
  readonly event: string;
  /** Its lines of data, joined by line feeds. */
  readonly data: string;
  /** The last id that was sent, empty before the first. */
  readonly id: string;
}

/** Takes the stream's text in pieces that may end anywhere, and gives the events that each piece completes. */
export function eventParser(): (text: string) => ServerEvent[] {
  // A line is kept in the pieces it came in: a page of a megabyte must not be looked through again with each of them.
  let line: string[] = [];
  let afterReturn = false;
  let event = "";
  let id = "";
  let data: string[] = [];

  function endLine(complete: ServerEvent[]): void {
    const text = line.join("");
    line = [];
    if (text === "") {
      if (data.length > 0) {
        complete.push({ event: event || "message", data: data.join("\n"), id });
      }
      event = "";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      data.push(value);
    } else if (field === "event") {
      event = value;
    } else if (field === "id") {
      id = value;
    }
  }

  return (text) => {
    const complete: ServerEvent[] = [];
    // A line feed that belongs to the carriage return before it, perhaps in the piece before.
    let at = afterReturn && text[0] === "\n" ? 1 : 0;
    afterReturn &&= text === "";
    for (let end = nextEnd(text, at); end >= 0; end = nextEnd(text, at)) {
      line.push(text.slice(at, end));
      endLine(complete);
      at = end + 1;
      if (text[end] === "\r") {
        afterReturn = at === text.length;
        at += text[at] === "\n" ? 1 : 0;
      }
    }
    if (at < text.length) {
      line.push(text.slice(at));
    }
    return complete;
  };
}

const lineEnd = /[\r\n]/g;

function nextEnd(text: string, from: number): number {
  lineEnd.lastIndex = from;
  return lineEnd.exec(text)?.index ?? -1;
}

/**
 * Events of an answer's body, one after the other: the next piece is read when the one before was taken, so that the
 * network waits for its reader. `heard` is called with each piece, of comments too.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
): AsyncGenerator<ServerEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parse = eventParser();
  try {
    for (;;) {
      // A connection that breaks has ended.
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value === undefined) {
        return;
      }
      heard();
      yield* parse(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Whoever stops reading does not want the rest.
    reader.cancel().catch(() => undefined);
  }
}
