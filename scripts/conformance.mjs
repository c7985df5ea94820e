// Whether a server speaks the sync protocol, as docs/protocol.md has it. It needs nothing but Node and an address.
//
//   node scripts/conformance.mjs ADDRESS [--token TOKEN] [--space SPACE]
//
// It writes: take a space that nobody else uses, or let it name one if the server makes spaces as they are asked for. What
// needs a second, empty space (adoption) or a token (401) is passed over where there is none, and says so.

import { checkAdoption } from "./conformance/checks/adoption.mjs";
import { checkBodies } from "./conformance/checks/bodies.mjs";
import { checkCapabilities } from "./conformance/checks/capabilities.mjs";
import { checkChain } from "./conformance/checks/chain.mjs";
import { checkCursors } from "./conformance/checks/cursors.mjs";
import { checkJudgement } from "./conformance/checks/judgement.mjs";
import { checkLimits } from "./conformance/checks/limits.mjs";
import { checkMalformed } from "./conformance/checks/malformed.mjs";
import { checkOutcome } from "./conformance/checks/outcome.mjs";
import { checkPages } from "./conformance/checks/pages.mjs";
import { checkPush } from "./conformance/checks/push.mjs";
import { checkRaces } from "./conformance/checks/races.mjs";
import { checkTail } from "./conformance/checks/tail.mjs";
import { sum } from "./conformance/report.mjs";
import { cursor } from "./conformance/server.mjs";

const { limits } = await checkCapabilities();
const told = { limits, beginning: await cursor() };
await checkPush(told);
await checkJudgement(told);
await checkMalformed();
await checkLimits(told);
await checkBodies(told);
await checkCursors();
await checkPages();
await checkTail();
await checkOutcome();
await checkRaces();
await checkAdoption();
await checkChain(told);

sum();
