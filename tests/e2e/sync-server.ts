// The real server, as `npm start` runs it, on a folder of its own: started, killed, started again.

import { join } from "node:path";
import { serverProgram, startServer } from "../../scripts/server.mjs";

export interface ServerOptions {
  /** Where its log is: the same folder is the same log. */
  readonly folder: string;
  /** The page that it serves. */
  readonly site: string;
  readonly flags?: readonly string[];
}

export class SyncServer {
  readonly url: string;
  readonly #end: (signal: NodeJS.Signals) => Promise<void>;

  private constructor(url: string, end: (signal: NodeJS.Signals) => Promise<void>) {
    this.url = url;
    this.#end = end;
  }

  /** Resolves when it listens. `scripts/test.mjs` has built it. */
  static async start({ folder, site, flags = [] }: ServerOptions): Promise<SyncServer> {
    const { url, stop } = await startServer(serverProgram(), {
      data: join(folder, "log.sqlite3"),
      site,
      flags: ["--dev", "--log", "error", ...flags],
    });
    return new SyncServer(url, stop);
  }

  /** As by a power switch. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** A token as the page gets it. */
  async token(subject: string, space: string, ttl = 3_600): Promise<string> {
    const answer = await fetch(new URL("dev/token", this.url), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ subject, space, ttl }),
    });
    return ((await answer.json()) as { token: string }).token;
  }

  /** Where the space's log ends. */
  async head(space: string): Promise<{ readonly number: number; readonly hash: string }> {
    const answer = await fetch(new URL(`v1/spaces/${space}`, this.url), {
      headers: { Authorization: `Bearer ${await this.token("watcher", space)}` },
    });
    return ((await answer.json()) as { head: { number: number; hash: string } }).head;
  }
}
