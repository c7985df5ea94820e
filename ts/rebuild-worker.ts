/** The worker file of this package: takes its definitions from the module whose URL it is told. */

import { serve } from "./worker.js";
import type { FoldTask } from "./worker-messages.js";

serve(async ({ module }: FoldTask) => {
  if (module === undefined) {
    throw new TypeError("rebuild with workers needs `module` or `createWorker`");
  }
  // Bundlers cannot know it.
  return import(/* webpackIgnore: true */ /* @vite-ignore */ module);
});
