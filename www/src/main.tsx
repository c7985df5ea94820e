/** Starts the page, and keeps it on the device for when there is no network. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { followErased } from "./storage/erased.ts";
import "./style/fonts.css";
import "./style/tokens.css";
import "./style/base.css";
import "./style/field.css";
import "./style/table.css";
import "./style/dialog.css";

const place = document.getElementById("app");
if (!place) throw new Error("the page has no place for the app");

createRoot(place).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

followErased();

if (import.meta.env.PROD && "serviceWorker" in navigator) {
  navigator.serviceWorker.register("./service-worker.js").catch((error: unknown) => {
    console.warn("the page will not open offline:", error);
  });
}
