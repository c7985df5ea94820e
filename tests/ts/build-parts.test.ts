/** What the build finds in the parts that it cuts the engine into. */
import { expect, test } from "vitest";
import { refuseVariables } from "../../scripts/parts.mjs";

/** A data segment as wasm-dis writes it. */
const shared = (segment: string) => `(module\n (memory $0 1)\n (data ${segment})\n (func $0 (nop))\n)\n`;

test.each(['$.data.cell (i32.const 1048576) "\\01\\00"', '$.bss.cell (i32.const 1048576) "\\00"'])(
  "parts that share a variable are refused: %s",
  (segment) => {
    expect(() => refuseVariables(shared(segment))).toThrow("the parts share a variable");
  },
);

test.each(['$.rodata.text (i32.const 1048576) "a text"', '$.data.empty (i32.const 1048576) ""'])(
  "what never changes is shared: %s",
  (segment) => {
    expect(() => refuseVariables(shared(segment))).not.toThrow();
  },
);
