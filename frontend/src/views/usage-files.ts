import type { UsageRow } from "../api/types.js";

/** Rows as CSV (RFC 4180). Texts that a spreadsheet would take for a formula are quoted by an apostrophe. */
export function csv(rows: UsageRow[]): string {
  const named = (name: string, amounts: Record<string, number>): Record<string, number> =>
    Object.fromEntries(Object.entries(amounts).map(([currency, value]) => [`${name}_${currency}`, value]));
  const flat = rows.map(({ cost, energy_cost, ...row }) => ({
    ...row,
    ...named("cost", cost),
    ...named("energy_cost", energy_cost),
  }));
  const columns = [...new Set(flat.flatMap((row) => Object.keys(row)))];
  const cell = (value: unknown): string => {
    const plain = typeof value === "number" ? decimal(value) : typeof value === "string" ? value : "";
    const safe = /^[=+\-@\t\r\n]/.test(plain) && !/^-?[\d.]+$/.test(plain) ? `'${plain}` : plain;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [columns, ...flat.map((row) => columns.map((column) => (row as Record<string, unknown>)[column]))]
    .map((line) => line.map(cell).join(","))
    .join("\r\n");
}

/** A number without an exponent, which spreadsheets of some languages do not read. */
function decimal(value: number): string {
  const text = value.toString();
  return text.includes("e") ? value.toFixed(12).replace(/\.?0+$/, "") : text;
}

/** Let the browser save a text as a file. */
export function save(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
