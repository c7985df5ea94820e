/** Builds the demo: relative addresses, so that it can be served from any folder, and nothing inlined, so that the policy can be strict. */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { offline } from "./build/offline.ts";
import { strictPolicy } from "./build/strict-policy.ts";

export default defineConfig({
  base: "./",
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
