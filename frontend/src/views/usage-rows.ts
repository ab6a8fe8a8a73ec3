import type { Currency } from "../api/records.js";
import type { Money, UsageGroup, UsageRow } from "../api/types.js";
import type { Texts } from "../texts.js";

/** What the chart shows. */
export const MEASURES = ["requests", "tokens", "cost", "energy"] as const;
export type Measure = (typeof MEASURES)[number];

export type Sort = "name" | "requests" | "tokens" | "heard" | "spoken" | "cost" | "energy_cost" | "energy";

export interface Order {
  sort: Sort;
  down: boolean;
}

export const tokens = (row: UsageRow): number => row.tokens_prompt + row.tokens_completion;

const sum = (costs: Money): number => Object.values(costs).reduce((total, cost) => total + cost, 0);

const VALUES: Record<Exclude<Sort, "name">, (row: UsageRow) => number> = {
  requests: (row) => row.requests,
  tokens,
  heard: (row) => row.audio_seconds,
  spoken: (row) => row.speech_characters,
  cost: (row) => sum(row.cost),
  energy_cost: (row) => sum(row.energy_cost),
  energy: (row) => row.energy_kwh,
};

/** The rows in an order; equal ones by name. */
export function sorted(rows: UsageRow[], { sort, down }: Order, name: (row: UsageRow) => string): UsageRow[] {
  const collator = new Intl.Collator(undefined, { numeric: true });
  const keyed = rows.map((row) => ({ row, name: name(row), value: sort === "name" ? 0 : VALUES[sort](row) }));
  const sign = down ? -1 : 1;
  keyed.sort((a, b) => {
    const byName = collator.compare(a.name, b.name);
    return sort === "name" ? sign * byName : sign * (a.value - b.value) || byName;
  });
  return keyed.map(({ row }) => row);
}

/** Amounts in the currency of budgets; null if they are in it already, or if a rate is missing. */
export function inOne(costs: Money, { currency, rates }: Currency): number | null {
  let total = 0;
  let foreign = false;
  for (const [name, value] of Object.entries(costs)) {
    const rate = name === currency ? 1 : rates[name];
    if (value === 0) continue;
    if (rate === undefined) return null;
    foreign ||= name !== currency;
    total += value * rate;
  }
  return foreign ? total : null;
}

const NAMES: Partial<Record<UsageGroup, string>> = { backend: "backend_name", key: "key_name", user: "user_name" };

/** The name of a row's group. */
export function nameOf(row: UsageRow, group: UsageGroup, texts: Texts): string {
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  const named = text(row[NAMES[group] ?? group]) || text(row[group]);
  if (group === "source" && named) return texts(`sources.${named}`);
  return named || texts(group === "label" ? "usage.no_label" : "usage.unknown");
}
