// What the server's process holds with 5,000 devices that only listen, each on a connection of its own. Linux only.

import { Agent, request } from "node:http";
import { setTimeout } from "node:timers/promises";

const atOnce = 100;

export const figure = {
  id: "tails-memory",
  what: "memory of the server with 5,000 idle live tails",
  unit: "MiB",
  better: "lower",
  browser: false,
  once: true,
  stores: ["everfold"],
  limit: { atMost: 300 },

  async sample(run) {
    const server = await run.startServer({});
    const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
    try {
      const tails = run.quick ? 500 : 5_000;
      const authorization = `Bearer ${await server.token("tails")}`;
      for (let open = 0; open < tails; open += atOnce) {
        run.progress(`opening tails: ${open} of ${tails}`);
        const few = Array.from({ length: Math.min(atOnce, tails - open) }, (_, place) => open + place);
        await Promise.all(few.map((replica) => openTail(server.address, { agent, authorization, replica })));
      }
      await setTimeout(2_000);
      return { value: server.resident() };
    } finally {
      agent.destroy();
    }
  },
};

/** Resolves when the server has begun to answer. */
function openTail(address, { agent, authorization, replica }) {
  const url = `${address}/v1/spaces/tails/tail?replica=device-${replica}`;
  const headers = { authorization, accept: "text/event-stream" };
  return new Promise((resolve, reject) => {
    const call = request(url, { agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`tail ${replica} was answered ${response.statusCode}`));
      response.once("data", resolve);
      response.on("error", () => undefined);
    });
    call.on("error", reject);
    call.end();
  });
}
