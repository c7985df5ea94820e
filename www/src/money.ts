/**
 * Money as whole hellers: a safe integer, a hundredth of a Czech crown.
 *
 * No amount is ever a fraction. Text becomes an integer digit by digit and comes back the same way,
 * so that 0.10 and 0.20 are 0.30 and a sum over the whole bank is exact to the heller.
 */

/** An amount in hellers. Always a safe integer. */
export type Hellers = number;

export const CURRENCY = "CZK";

/** Eleven digits of crowns: 900 such amounts still add up to a safe integer. */
const AMOUNT = /^(\d{1,11})(?:\.(\d{1,2}))?$/;

const crownFormat = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

/** Reads `700.00`, `700.5` or `700`: digits, at most two decimals, no sign. Undefined if it is anything else. */
export function parseAmount(text: string): Hellers | undefined {
  const match = AMOUNT.exec(text);
  if (!match) return undefined;
  const [, crowns = "", cents = ""] = match;
  return Number(crowns) * 100 + Number(cents.padEnd(2, "0"));
}

/** Reads what a person types: `1 250,50` and `1,250.50` are both 1250.50. A minus is understood; whether it is allowed is for the rules. */
export function parseTypedAmount(text: string): Hellers | undefined {
  const [, minus, size = ""] = /^(-?)(.*)$/.exec(text.replace(/[\s\u00a0]|CZK$/gi, "")) ?? [];
  const decimalComma = /^\d+,\d{1,2}$/.test(size);
  const grouped = /^[1-9]\d{0,2}(?:,\d{3})+(?:\.\d{1,2})?$/.test(size);
  const amount = parseAmount(decimalComma ? size.replace(",", ".") : grouped ? size.replaceAll(",", "") : size);
  return minus && amount ? -amount : amount;
}

/** `1,234.50`, with a minus sign for what is owed. */
export function formatAmount(amount: Hellers): string {
  const size = Math.abs(amount);
  const text = `${crownFormat.format(Math.floor(size / 100))}.${String(size % 100).padStart(2, "0")}`;
  return amount < 0 ? `-${text}` : text;
}

/** `1,234.50 CZK`. */
export function formatMoney(amount: Hellers): string {
  return `${formatAmount(amount)}\u00a0${CURRENCY}`;
}

/** How many characters the longest of the amounts takes, with a sign: columns of long tables do not follow their content. */
export function longestOf(amounts: readonly Hellers[]): number {
  const size = amounts.reduce((largest, amount) => Math.max(largest, Math.abs(amount)), 0);
  return `-${formatAmount(size)}`.length;
}

/** For axes: `1.2M`, `340k`, `0`. The only place where precision is given away. */
export function formatRoughly(amount: Hellers): string {
  const crowns = amount / 100;
  const size = Math.abs(crowns);
  if (size >= 1_000_000_000) return `${trimmed(crowns / 1_000_000_000)}B`;
  if (size >= 1_000_000) return `${trimmed(crowns / 1_000_000)}M`;
  if (size >= 1_000) return `${trimmed(crowns / 1_000)}k`;
  return trimmed(crowns);
}

function trimmed(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}
