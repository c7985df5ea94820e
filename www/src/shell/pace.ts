/** How fast the work goes, measured by whoever does it. */
export interface Pace {
  readonly perSecond: number;
  readonly secondsLeft: number | undefined;
}

/** The pace of work that began at `startedAt`, from what is done at `now`. */
export function paceOf(done: number, total: number, startedAt: number, now: number): Pace {
  const seconds = (now - startedAt) / 1000;
  // The first moments say nothing about the rest.
  if (seconds < 0.2 || done === 0) return { perSecond: 0, secondsLeft: undefined };
  const perSecond = Math.round(done / seconds);
  return { perSecond, secondsLeft: Math.max(0, Math.ceil((total - done) / (done / seconds))) };
}
