import type { PageApi } from "../api/page-api.js";
import type { UsageGroup, UsageRow } from "../api/types.js";
import { isoDay } from "../format.js";

/** Days whose records are kept. */
export const KEPT_DAYS = 7;

export interface Choice {
  id: string;
  name: string;
}

/** What the records of the last days can be filtered by: what there is among them, the most used first. */
export interface Choices {
  models: Choice[];
  backends: Choice[];
  keys: Choice[];
  users: Choice[];
  labels: Choice[];
  addresses: Choice[];
}

export const noChoices: Choices = { models: [], backends: [], keys: [], users: [], labels: [], addresses: [] };

/** The longest list of a filter: a longer one is no help to anybody. */
const LONGEST = 300;

/** The choices of the records that the person may see; a choice that cannot be read is left out. */
export async function recordChoices(api: PageApi): Promise<Choices> {
  const end = isoDay(new Date());
  const start = isoDay(new Date(Date.now() - (KEPT_DAYS - 1) * 86_400_000));
  const read = async (group: UsageGroup): Promise<Choice[]> => {
    const { rows } = await api.usage(start, end, [group]).catch(() => ({ rows: [] as UsageRow[] }));
    return rows
      .sort((a, b) => b.requests - a.requests)
      .map((row) => ({ id: text(row[group]), name: text(row[`${group}_name`]) || text(row[group]) }))
      .filter(({ id }) => id !== "")
      .slice(0, LONGEST);
  };
  const [models, backends, keys, users, labels, addresses] = await Promise.all([
    read("model"),
    read("backend"),
    read("key"),
    read("user"),
    read("label"),
    read("address"),
  ]);
  return { models, backends, keys, users, labels, addresses };
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
