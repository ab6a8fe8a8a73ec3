import { html, type TemplateResult } from "lit";
import type { NewBudget } from "../api/page-api.js";
import type { Budget } from "../api/types.js";
import type { Texts } from "../texts.js";
import { field } from "./view.js";

/** Amount, action and thresholds of a budget, for a form. `currency`: that of the amount; "" while it is not known. */
export function budgetFields(texts: Texts, currency: string, known?: Budget): TemplateResult {
  return html`<label
      >${currency ? texts("budgets.amount_in", { currency }) : texts("budgets.amount")}
      <input name="amount" type="number" min="0" max="1000000000" step="any" required value=${known?.amount ?? ""} />
    </label>
    <label
      >${texts("budgets.then")}
      <select name="action">
        ${(["free_only", "refuse"] as const).map(
          (action) =>
            html`<option value=${action} ?selected=${known?.action === action}>${texts(`budgets.${action}`)}</option>`,
        )}
      </select>
    </label>
    <label
      >${texts("budgets.thresholds")}
      <input
        name="thresholds"
        inputmode="numeric"
        autocomplete="off"
        placeholder=${texts("budgets.thresholds_hint")}
        value=${(known?.thresholds ?? [80, 100]).join(", ")}
      />
    </label>`;
}

/** What the fields contain; null: the thresholds are no percentages. */
export function readBudget(data: FormData): Pick<NewBudget, "amount" | "action" | "thresholds"> | null {
  const words = field(data, "thresholds")
    .split(/[\s,;%]+/)
    .filter((word) => word !== "");
  const thresholds = [...new Set(words.map(Number))].sort((a, b) => a - b);
  if (thresholds.length > 10 || !thresholds.every((level) => Number.isInteger(level) && level >= 1 && level <= 100))
    return null;
  return { amount: Number(field(data, "amount")), action: field(data, "action") as Budget["action"], thresholds };
}
