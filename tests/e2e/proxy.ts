// A bad network between a browser and the server: each request meets the fate that the test gives it.

import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of a request. By default it goes through, and its answer comes back at once. */
export interface Fate {
  /** False: the server never hears of it. */
  readonly forward?: boolean;
  /** `"lost"`: the server has done it, and the browser never hears. */
  readonly answer?: "given" | "lost";
  /** The answer waits for this. */
  readonly until?: Promise<unknown>;
}

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Resolves once the server has been sent all of it. */
  readonly forwarded: Promise<void>;
  /** The status of the server's answer, before the browser gets it. */
  readonly answered: Promise<number>;
}

export class CuttingProxy {
  /** Where requests go to: a server that was started again has another port. */
  target: string;
  /** Gives each request its fate. */
  fate: (asked: Asked) => Fate = () => ({});
  /** Every request so far, `POST /v1/…`. */
  readonly seen: string[] = [];
  readonly url: string;
  readonly close: () => Promise<void>;

  private constructor(target: string, url: string, close: () => Promise<void>) {
    this.target = target;
    this.url = url;
    this.close = close;
  }

  /** Listens on a free port of this machine. */
  static async before(target: string): Promise<CuttingProxy> {
    const server = createServer((incoming, outgoing) => pass(proxy, incoming, outgoing));
    await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
    const close = () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    const proxy: CuttingProxy = new CuttingProxy(
      target,
      `http://localhost:${(server.address() as AddressInfo).port}/`,
      close,
    );
    return proxy;
  }
}

function pass(proxy: CuttingProxy, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method = "GET", url = "/", headers } = incoming;
  proxy.seen.push(`${method} ${url}`);
  const forwarded = new Promise<void>((resolve) => incoming.on("end", () => setImmediate(resolve)));
  let hasAnswered = (_: number): void => undefined;
  const answered = new Promise<number>((resolve) => {
    hasAnswered = resolve;
  });
  const { forward = true, answer = "given", until } = proxy.fate({ method, path: url, forwarded, answered });
  const cut = (): void => {
    outgoing.destroy();
  };
  if (!forward) {
    cut();
    return;
  }
  const onward = request(new URL(url, proxy.target), { method, headers, agent: false }, (reply) => {
    reply.on("error", cut);
    hasAnswered(reply.statusCode ?? 502);
    if (answer === "lost") {
      reply.on("end", cut).resume();
      return;
    }
    const give = (): void => {
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
      outgoing.flushHeaders();
      reply.pipe(outgoing);
    };
    if (until === undefined) give();
    else void until.then(give, cut);
  });
  onward.on("error", cut);
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}
