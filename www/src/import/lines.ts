/**
 * A file as numbered lines of text, whatever its size: read, unpacked and cut as a stream.
 *
 * A statement has one transaction a line. Cutting at line ends before any quotes are looked at means
 * that one unclosed quote breaks one line, not the rest of the file.
 */

export interface Line {
  /** As an editor counts: the header is line 1. */
  readonly number: number;
  readonly text: string;
}

/** A carriage return that ends what has been read may be half of a pair. */
const LINE_END = /\r\n|\n|\r(?!$)/;

/** The lines of a plain or gzipped text file, without empty ones. */
export async function* linesOf(file: Blob): AsyncGenerator<Line> {
  const reader = (await unpacked(file)).pipeThrough(new TextDecoderStream()).getReader();
  let number = 0;
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (rest + (value ?? "")).split(LINE_END);
      rest = done ? "" : (lines.pop() ?? "");
      for (const line of lines) {
        number += 1;
        const text = line.endsWith("\r") ? line.slice(0, -1) : line;
        if (text.trim() !== "") yield { number, text };
      }
      if (done) return;
    }
  } finally {
    await reader.cancel();
  }
}

/** Told by its first two bytes, because a download may have lost the end of its name. */
async function unpacked(file: Blob): Promise<ReadableStream<BufferSource>> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const isGzip = first === 0x1f && second === 0x8b;
  return isGzip ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
}
