/**
 * A line over time, with a mark at the moment that is looked at. A click on it picks a moment.
 *
 * The picture is for the eyes; the same facts are in the text and the controls beside it.
 */
import { useEffect, useEffectEvent, useRef, useSyncExternalStore } from "react";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./time-chart.css";

interface TimeChartProps {
  /** Says in a sentence what the picture shows. */
  readonly label: string;
  /** Places on the axis, rising. */
  readonly places: readonly number[];
  readonly values: readonly number[];
  /** Index of the moment that is looked at. */
  readonly marked: number;
  readonly onPick: (index: number) => void;
  readonly formatPlace: (place: number) => string;
  readonly formatValue: (value: number) => string;
  /** A balance stays as it is until the next event. */
  readonly stepped?: boolean;
}

const HEIGHT = 240;
const DARK = "(prefers-color-scheme: dark)";

export function TimeChart({
  label,
  places,
  values,
  marked,
  onPick,
  formatPlace,
  formatValue,
  stepped = false,
}: TimeChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const mark = useRef(marked);
  const dark = useSyncExternalStore(onSchemeChange, () => matchMedia(DARK).matches);
  const placeText = useEffectEvent(formatPlace);
  const valueText = useEffectEvent(formatValue);
  const pick = useEffectEvent(onPick);

  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read from the page anew when the scheme changes
  useEffect(() => {
    const place = frame.current;
    if (!place) return;
    const colour = (name: string): string => getComputedStyle(place).getPropertyValue(name).trim();
    const axis: UPlot.Axis = {
      stroke: colour("--chart-ink"),
      font: "12px 'Inter Variable', system-ui, sans-serif",
      grid: { stroke: colour("--chart-grid"), width: 1 },
      ticks: { show: false },
    };
    const chart = new UPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        padding: [12, 8, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
        scales: {
          x: { time: false, range: ({ data: [drawn] }) => wholeAxis(drawn) },
          y: { range: (_, low, high) => withMargin(low, high) },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            space: 90,
            size: 30,
            values: (drawn, splits) => onceEach(splits.map((split) => (isCut(drawn, split) ? "" : placeText(split)))),
          },
          { ...axis, size: 58, gap: 6, values: (_, splits) => splits.map((split) => valueText(split)) },
        ],
        series: [
          {},
          {
            stroke: colour("--chart-line"),
            width: 1.75,
            fill: colour("--chart-fill"),
            points: { show: false },
            ...(stepped && UPlot.paths.stepped && { paths: UPlot.paths.stepped({ align: 1 }) }),
          },
        ],
        hooks: {
          draw: [(drawn) => drawMark(drawn, mark.current, colour("--chart-mark"))],
          ready: [
            (ready) => {
              ready.over.addEventListener("click", () => {
                if (typeof ready.cursor.idx === "number") pick(ready.cursor.idx);
              });
            },
          ],
        },
      },
      [[], []],
      place,
    );
    plot.current = chart;
    const watcher = new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT }));
    watcher.observe(place);
    return () => {
      watcher.disconnect();
      plot.current = null;
      chart.destroy();
    };
  }, [dark, stepped]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a chart made anew for another scheme needs its data again
  useEffect(() => {
    plot.current?.setData([[...places], [...values]]);
  }, [places, values, dark, stepped]);

  useEffect(() => {
    mark.current = marked;
    plot.current?.redraw(false, false);
  }, [marked]);

  return <div ref={frame} className="time-chart" role="img" aria-label={label} />;
}

/** True where half of a date would stand outside the picture. */
function isCut(chart: UPlot, place: number): boolean {
  const room = chart.bbox.width / devicePixelRatio - chart.valToPos(place, "x");
  return room < 30;
}

/** A day may have room for several places: it is named at the first. */
function onceEach(names: readonly string[]): string[] {
  return names.map((name, index) => (name === names[index - 1] ? "" : name));
}

/** From the first place to the last. Where they are one, a chart left alone would add decades on both sides. */
function wholeAxis(places: ArrayLike<number>): [number, number] {
  const first = places[0] ?? 0;
  return [first, Math.max(places[places.length - 1] ?? 0, first + 1)];
}

/** A line down at the moment, a dot where it meets the curve. */
function drawMark(chart: UPlot, index: number, colour: string): void {
  const place = chart.data[0][index];
  const value = chart.data[1]?.[index];
  if (place === undefined || value === undefined || value === null) return;
  const x = Math.round(chart.valToPos(place, "x", true));
  const y = chart.valToPos(value, "y", true);
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.beginPath();
  ctx.arc(x, y, 4 * devicePixelRatio, 0, 2 * Math.PI);
  ctx.fill();
  ctx.restore();
}

/** Zero is always in the picture: what matters about a balance is how far from nothing it is. */
function withMargin(low: number, high: number): [number, number] {
  const bottom = Math.min(0, low);
  const top = Math.max(0, high);
  const margin = (top - bottom || 100) * 0.06;
  return [bottom < 0 ? bottom - margin : 0, top + margin];
}

function onSchemeChange(changed: () => void): () => void {
  const query = matchMedia(DARK);
  query.addEventListener("change", changed);
  return () => query.removeEventListener("change", changed);
}
