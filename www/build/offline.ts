/**
 * Writes the service worker beside the built page: the text of `service-worker.js` under a list of
 * every file of this build. A changed build has a changed list, and so a changed worker.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

export function offline(): Plugin {
  let publicFolder = "";
  return {
    name: "offline",
    apply: "build",
    configResolved(config) {
      publicFolder = config.publicDir;
    },
    generateBundle: {
      // After the page's own text, which is part of a release too.
      order: "post",
      handler(_, bundle) {
        const hash = createHash("sha256");
        const files = ["./"];
        for (const [name, output] of Object.entries(bundle)) {
          hash.update(name).update(output.type === "chunk" ? output.code : output.source);
          if (name !== "index.html" && !name.endsWith(".map")) files.push(`./${name}`);
        }
        for (const name of readdirSync(publicFolder)) {
          hash.update(name).update(readFileSync(join(publicFolder, name)));
          files.push(`./${name}`);
        }
        const release = JSON.stringify(hash.digest("hex").slice(0, 16));
        const worker = readFileSync(new URL("service-worker.js", import.meta.url), "utf8");
        const source = `const RELEASE = ${release};\nconst FILES = ${JSON.stringify(files)};\n\n${worker}`;
        this.emitFile({ type: "asset", fileName: "service-worker.js", source });
      },
    },
  };
}
