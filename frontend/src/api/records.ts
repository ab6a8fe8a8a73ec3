import type { Ask } from "./routing.js";

/** The stored prompt and answer of a request, each at most 65,536 characters; "" for what is unknown. */
export interface Words {
  request: string;
  answer: string;
}

/** The currency of budgets, and how costs in other currencies count in them. */
export interface Currency {
  currency: string;
  /** Units of `currency` for one unit of each other currency; empty: none is set. */
  rates: Record<string, number>;
  /** Currencies in use that count one to one, because no rates are set. */
  one_to_one: string[];
  /** Currencies in use without a rate, although others have one. */
  missing: string[];
}

/** What is known of single requests, and of money. */
export interface RecordsApi {
  /** The words of a request; null if they were not stored. */
  words(requestId: string): Promise<Words | null>;
  currency(): Promise<Currency>;
}

export const recordsApi = (ask: Ask): RecordsApi => ({
  words: async (requestId) => (await ask<{ words: Words | null }>("requests/words", { request_id: requestId })).words,
  currency: () => ask("currency"),
});
