import { html, nothing, type TemplateResult } from "lit";
import type { OwnKeys } from "../api/keys.js";
import { card } from "../elements.js";
import { count, moment } from "../format.js";
import type { Texts } from "../texts.js";

/** What a person may not do now: what, why, and whom to ask. */
export function refusals(own: OwnKeys, texts: Texts, language: string): TemplateResult | typeof nothing {
  const spent = own.exhausted.map((budget) =>
    texts(budget.scope === "household" ? "keys.household_spent" : "keys.budget_spent", {
      until: moment(budget.renews, language),
    }),
  );
  const why = own.refusal === null ? [] : [texts(`keys.refused_${own.refusal}`, { limit: own.limit })];
  if (why.length + spent.length === 0) return nothing;
  const ask = own.administrators.length
    ? texts("keys.ask", { names: new Intl.ListFormat(language, { type: "disjunction" }).format(own.administrators) })
    : texts("keys.ask_somebody");
  return card(
    html`${[...spent, ...why].map((sentence) => html`<p>${sentence}</p>`)}
      <p>${ask}</p>`,
    texts(own.refusal === "blocked" ? "keys.blocked" : spent.length ? "keys.stopped" : "keys.no_more"),
  );
}

/** What a person may do: how many keys, for which models, with which limits, and how much of the budgets is spent. */
export function allowance(own: OwnKeys, texts: Texts, language: string): TemplateResult | typeof nothing {
  if (!own.limit || own.refusal === "blocked") return nothing;
  const number = (value: number | null): string => (value === null ? "" : count(value, language));
  const limits: [string, string][] = [
    ["keys.number", texts("keys.used_of", { used: own.used, limit: own.limit })],
    ["keys.models", own.models.join(", ")],
    ["keys.requests_per_minute", number(own.requests_per_minute)],
    ["keys.tokens_per_minute", number(own.tokens_per_minute)],
    ["keys.parallel", number(own.parallel)],
    ["keys.valid_days", number(own.valid_days)],
    ...own.budgets.map((budget): [string, string] => [
      `keys.budget_${budget.period}`,
      texts("keys.spent_of", { spent: plain(budget.spent, language), amount: plain(budget.amount, language) }),
    ]),
  ];
  return card(
    html`<dl>
      ${limits
        .filter(([, value]) => value !== "")
        .map(
          ([name, value]) =>
            html`<dt class="quiet">${texts(name)}</dt>
              <dd>${value}</dd>`,
        )}
    </dl>`,
    texts("keys.allowed"),
  );
}

const plain = (value: number, language: string): string =>
  new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value);
