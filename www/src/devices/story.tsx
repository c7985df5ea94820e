/**
 * Plays the story. It goes on by itself after each step, unless it is paused or the person wants less
 * motion; then every step waits for its button. It can be skipped at any time.
 */
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Failure } from "../shell/failure.tsx";
import type { DeviceStore } from "./device-store.ts";
import { endStory, STORY, type Stage } from "./story-steps.ts";
import "./story.css";

interface StoryProps {
  readonly anna: DeviceStore;
  readonly ben: DeviceStore;
  /** False while there is no server to tell it with. */
  readonly ready: boolean;
}

/** How long a step is left to be read before the next begins by itself. */
const READING = 5_000;
const CALM = "(prefers-reduced-motion: reduce)";

export function Story({ anna, ben, ready }: StoryProps) {
  const [stage, setStage] = useState<Stage | null>(null);
  const begin = (): void => setStage({ anna, ben, stop: new AbortController(), props: { amount: 0 } });
  // Left by its button or with the page: nobody stays offline because of it.
  useEffect(() => {
    if (!stage) return;
    return () => {
      stage.stop.abort();
      endStory();
    };
  }, [stage]);
  if (!stage) {
    return (
      <div className="story-offer">
        <button type="button" className="primary" onClick={begin} disabled={!ready}>
          Play the story
        </button>
        <p className="small soft">
          {ready
            ? "Two withdrawals offline that one account cannot pay, in five steps. Or try it yourself: switch a phone offline."
            : "The server does not answer. The devices work on; npm start brings it back."}
        </p>
      </div>
    );
  }
  return <PlayedStory stage={stage} onLeave={() => setStage(null)} />;
}

function PlayedStory({ stage, onLeave }: { readonly stage: Stage; readonly onLeave: () => void }) {
  const calm = useSyncExternalStore(onMotionChange, () => matchMedia(CALM).matches);
  const [done, setDone] = useState(0);
  const [busy, setBusy] = useState(false);
  const [paused, setPaused] = useState(false);
  const [error, setError] = useState<unknown>();
  const next = STORY[done];
  const last = STORY[done - 1];
  const flowing = !calm && !paused && !busy && next !== undefined && error === undefined;

  const go = async (): Promise<void> => {
    if (busy || !next) return;
    setBusy(true);
    setError(undefined);
    try {
      await next.run(stage);
      setDone(done + 1);
    } catch (failure) {
      if (!stage.stop.signal.aborted) setError(failure);
    } finally {
      setBusy(false);
    }
  };

  const goOn = useRef(go);
  useEffect(() => {
    goOn.current = go;
  });
  useEffect(() => {
    if (!flowing) return;
    const timer = setTimeout(() => void goOn.current(), done === 0 ? 0 : READING);
    return () => clearTimeout(timer);
  }, [flowing, done]);

  return (
    <section className="panel story" aria-label="The story">
      <ol className="story-steps" aria-hidden="true">
        {STORY.map(({ does }, index) => (
          <li key={does} className={index < done ? "done" : undefined} />
        ))}
      </ol>
      <p role="status" className="story-text">
        {last ? last.tells(stage.props) : "One account, two phones. First both lose the network."}
      </p>
      <div className="story-buttons">
        {next && (
          <button type="button" className="primary" aria-disabled={busy} onClick={() => void go()}>
            {next.does}
          </button>
        )}
        {next && !calm && (
          <button type="button" onClick={() => setPaused(!paused)}>
            {paused ? "Go on by itself" : "Pause"}
          </button>
        )}
        <button type="button" className={next ? "quiet" : "primary"} onClick={onLeave}>
          {next ? "Skip the story" : "Done"}
        </button>
      </div>
      {error !== undefined && <Failure error={error} />}
    </section>
  );
}

function onMotionChange(changed: () => void): () => void {
  const query = matchMedia(CALM);
  query.addEventListener("change", changed);
  return () => query.removeEventListener("change", changed);
}
