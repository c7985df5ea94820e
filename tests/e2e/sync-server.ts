// The real server, as `npm start` runs it, on a folder of its own: started, killed, started again.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { serverProgram, startServer } from "../../scripts/server.mjs";

export interface ServerOptions {
  /** Where its log is: the same folder is the same log. */
  readonly folder: string;
  /** The page that it serves. */
  readonly site: string;
  readonly flags?: readonly string[];
}

const dataIn = (folder: string) => join(folder, "log.sqlite3");

async function ask(task: string, folder: string, file: string): Promise<void> {
  await promisify(execFile)(serverProgram(), [task, file, "--data", dataIn(folder)]);
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
      data: dataIn(folder),
      site,
      flags: ["--dev", "--log", "error", ...flags],
    });
    return new SyncServer(url, stop);
  }

  /** Copies all spaces into a file, while it runs or not. */
  static async backup(folder: string, file: string): Promise<void> {
    await ask("backup", folder, file);
  }

  /** Puts a backup in the place of what is there, while it does not run. */
  static async restore(folder: string, file: string): Promise<void> {
    await ask("restore", folder, file);
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
