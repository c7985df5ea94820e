/** Builds the demo: relative addresses, so that it can be served from any folder, and nothing inlined, so that the policy can be strict. */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { offline } from "./build/offline.ts";
import { strictPolicy } from "./build/strict-policy.ts";

/** Where `npm start -- --dev` has the sync server: the page finds it at its own address, as it does where it is published. */
const syncServer = process.env.EVERFOLD_SYNC_SERVER;
const calls = syncServer === undefined ? [] : ["/v1", "/dev/token", "/healthz"];

export default defineConfig({
  base: "./",
  server: { proxy: Object.fromEntries(calls.map((path) => [path, syncServer as string])) },
  plugins: [react(), strictPolicy(), offline()],
  worker: { format: "es" },
  build: {
    target: ["chrome120", "firefox121", "safari17"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // One page whose parts are all kept offline: cutting it up would save nobody anything.
    chunkSizeWarningLimit: 700,
  },
});
