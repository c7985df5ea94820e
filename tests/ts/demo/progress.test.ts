// @vitest-environment happy-dom
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { Progress } from "../../../www/src/shell/progress.tsx";

const pace = { perSecond: 0, secondsLeft: undefined };
const shown = (done: number, total: number) =>
  renderToStaticMarkup(createElement(Progress, { label: "Rebuilding", done, total, unit: "events", pace }));

test("work whose size is not known yet has no figures and no end in sight", () => {
  expect(shown(0, 0)).toContain("Counting…");
  expect(shown(0, 0)).not.toMatch(/of 0|value=/);
  expect(shown(0, 5)).toMatch(/<strong>0<\/strong> of 5 events/);
  expect(shown(0, 5)).toContain('value="0"');
});
