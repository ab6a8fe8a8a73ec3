import type { Money } from "./api/types.js";

/** An amount of money with two digits; below ten cents with two that say something, to a nano-unit. */
export function amount(value: number, currency: string, language: string): string {
  const size = Math.abs(value);
  const digits = size > 0 && size < 0.1 ? Math.min(9, Math.max(4, 1 - Math.floor(Math.log10(size)))) : 2;
  try {
    return new Intl.NumberFormat(language, { style: "currency", currency, maximumFractionDigits: digits }).format(
      value,
    );
  } catch {
    return `${value.toFixed(digits)} ${currency}`; // not a currency of ISO 4217
  }
}

/** Amounts by currency; "" if nothing was paid. */
export function money(costs: Money, language: string): string {
  return Object.entries(costs)
    .filter(([, value]) => value !== 0)
    .map(([currency, value]) => amount(value, currency, language))
    .join(" + ");
}

export const count = (value: number, language: string): string => new Intl.NumberFormat(language).format(value);

/** Milliseconds as "340 ms", "1.2 s" or "3 min". */
export function duration(milliseconds: number, language: string): string {
  const [value, unit, digits] =
    milliseconds < 1000
      ? [milliseconds, "millisecond", 0]
      : milliseconds < 120_000
        ? [milliseconds / 1000, "second", 1]
        : [milliseconds / 60_000, "minute", 0];
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit: unit,
    unitDisplay: "short",
    maximumFractionDigits: digits,
  }).format(value);
}

/** Seconds since the epoch, or ISO 8601, as date and time. */
export function moment(time: number | string, language: string): string {
  const date = new Date(typeof time === "number" ? time * 1000 : time);
  return new Intl.DateTimeFormat(language, { dateStyle: "short", timeStyle: "medium" }).format(date);
}

/** ISO 8601 as a day. */
export function day(time: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(new Date(time));
}

/** A day as YYYY-MM-DD in the browser's time zone. */
export function isoDay(date: Date): string {
  const month = String(date.getMonth() + 1).padStart(2, "0");
  return `${date.getFullYear()}-${month}-${String(date.getDate()).padStart(2, "0")}`;
}
