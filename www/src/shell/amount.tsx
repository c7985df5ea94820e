/** An amount as it is read by people and, to the heller, by programs. */
import { formatAmount, formatMoney, type Hellers } from "../money.ts";

interface AmountProps {
  readonly value: Hellers;
  /** Leaves the currency out, where a heading names it. */
  readonly bare?: boolean;
  /** Marks what came in with a plus. */
  readonly signed?: boolean;
}

export function Amount({ value, bare = false, signed = false }: AmountProps) {
  const text = bare ? formatAmount(value) : formatMoney(value);
  return (
    <data value={value} className={value < 0 && !signed ? "numeral owed" : "numeral"}>
      {signed && value > 0 ? `+${text}` : text}
    </data>
  );
}
