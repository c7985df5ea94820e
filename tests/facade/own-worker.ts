/** A worker that brings its definitions along. */
import { serveRebuild } from "../../ts/worker.js";
import * as definitions from "./sums.js";

serveRebuild(definitions);
