import { commitAndReadBack } from "./ledger.mjs";

commitAndReadBack().then(
  (answer) => (document.title = answer),
  (error) => (document.title = `failed: ${error.stack}`),
);
