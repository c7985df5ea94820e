/** The lines that do it, taken from the demo's own source between two region marks. */
import { Sideways } from "../shell/sideways.tsx";
import "./code-sample.css";

interface CodeSampleProps {
  /** The whole file as text. */
  readonly source: string;
  readonly region: string;
  readonly file: string;
}

export function CodeSample({ source, region, file }: CodeSampleProps) {
  return (
    <figure className="code-sample">
      <figcaption className="small soft">
        From <code>{file}</code>
      </figcaption>
      <Sideways label={`Lines of ${file}`}>
        <pre>
          <code>{linesOfRegion(source, region)}</code>
        </pre>
      </Sideways>
    </figure>
  );
}

/** The lines between `// #region name` and the next `// #endregion`, moved to the left margin. */
export function linesOfRegion(source: string, region: string): string {
  const lines = source.split("\n");
  const start = lines.findIndex((line) => line.trim() === `// #region ${region}`);
  const end = lines.findIndex((line, index) => index > start && line.trim() === "// #endregion");
  if (start < 0 || end < 0) throw new Error(`the source has no region ${region}`);
  const inside = lines.slice(start + 1, end);
  const margin = Math.min(...inside.filter((line) => line.trim() !== "").map((line) => line.search(/\S/)));
  return inside.map((line) => line.slice(margin)).join("\n");
}
