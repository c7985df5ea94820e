/** The lines that were not understood, by number, for whoever mends the file. */
import type { Problem } from "./statement.ts";
import "./problem-list.css";

const count = new Intl.NumberFormat("en-GB");

interface ProblemListProps {
  readonly total: number;
  readonly problems: readonly Problem[];
}

export function ProblemList({ total, problems }: ProblemListProps) {
  if (total === 0) return null;
  return (
    <section className="panel problems" aria-label="Lines not understood">
      <h2>{total === 1 ? "1 line is not understood" : `${count.format(total)} lines are not understood`}</h2>
      <p className="soft small">They are left out; everything else is imported.</p>
      <ol>
        {problems.map(({ line, problem }) => (
          <li key={`${line} ${problem}`}>
            <span className="numeral problem-line">Line {count.format(line)}</span>
            <span>{problem}</span>
          </li>
        ))}
      </ol>
      {total > problems.length && <p className="soft small">And {count.format(total - problems.length)} more.</p>}
    </section>
  );
}
