/** Takes a file by drop or by choice. */
import { useId, useState } from "react";
import { requiredColumns } from "./transaction.ts";
import "./file-choice.css";

export function FileChoice({ onChoose }: { readonly onChoose: (file: File) => void }) {
  const [over, setOver] = useState(false);
  const id = useId();
  const take = (files: FileList | null): void => {
    const file = files?.[0];
    if (file) onChoose(file);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is an addition to the labelled file input inside
    <div
      className={over ? "file-choice over" : "file-choice"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer.files);
      }}
    >
      <input
        id={id}
        className="visually-hidden"
        type="file"
        accept=".csv,.gz,text/csv,application/gzip"
        onChange={(event) => take(event.target.files)}
      />
      <label htmlFor={id} className="button primary">
        Choose a file
      </label>
      <p>or drop one here: .csv or .csv.gz</p>
      <p className="small soft">
        The first line names the columns. Needed are {requiredColumns.slice(0, -1).join(", ")} and{" "}
        {requiredColumns.at(-1)}. The file stays on this device.
      </p>
    </div>
  );
}
