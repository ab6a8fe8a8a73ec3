import { html, nothing, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { KeyFields } from "../api/keys.js";
import type { ApiKey } from "../api/types.js";
import { button } from "../elements.js";
import { isoDay } from "../format.js";
import { View, field } from "./view.js";

const LIMITS = ["requests_per_minute", "tokens_per_minute", "parallel"] as const;

/** The values of a key's `hosted_tools` in `protocol/hosted_tools.py`: types of tools, and what their options may name. */
const HOSTED_TOOLS = [
  "web_search",
  "web_fetch",
  "code_execution",
  "file_search",
  "image_generation",
  "computer_use",
  "mcp",
];
const HOSTED_REFERENCES = ["files", "vector_stores", "containers", "server_url", "authorization"];

/** The form of an API key: a new one, or `key`. Others than administrators set name and labels only. */
@customElement("zai-key-form")
export class KeyForm extends View {
  @property({ attribute: false }) key: ApiKey | null = null;
  @property({ attribute: false }) users: { id: string; name: string }[] = [];
  @property({ attribute: false }) llmApis: { id: string; name: string }[] = [];
  @property({ type: Boolean }) disabled = false;
  /** Called with the fields; resolves to whether they were saved. */
  @property({ attribute: false }) save!: (fields: KeyFields & { name: string }) => Promise<boolean>;
  @property({ attribute: false }) cancel: (() => void) | null = null;

  protected override render(): TemplateResult {
    const { texts, key } = this;
    return html`<form @submit=${(event: SubmitEvent) => this.submit(event)}>
      <div class="row">
        <label
          >${texts("keys.name")}
          <input name="name" required maxlength="100" autocomplete="off" .value=${key?.name ?? ""} />
        </label>
        <label
          >${texts("keys.labels")}
          <input
            name="labels"
            maxlength="520"
            autocomplete="off"
            placeholder=${texts("keys.labels_hint")}
            .value=${key?.labels.join(", ") ?? ""}
          />
        </label>
        ${button(texts(key ? "keys.save" : "keys.create"), { kind: "main", disabled: this.disabled })}
        ${this.cancel ? button(texts("common.cancel"), { press: this.cancel }) : nothing}
        ${key ? nothing : html`<span class="quiet">${texts("keys.name_hint")}</span>`}
      </div>
      ${this.api.isAdmin ? [this.limits(), this.houseTools(), this.hosted()] : nothing}
    </form>`;
  }

  private limits(): TemplateResult {
    const { texts, key, users } = this;
    const budget = monthlyBudget(key);
    return html`<details class="above" ?open=${key !== null}>
      <summary>${texts(users.length ? "keys.owner_and_limits" : "keys.limits")}</summary>
      <div class="row above">
        ${
          users.length === 0
            ? nothing
            : html`<label
                >${texts("keys.owner")}
                <select name="user_id">
                  <option value="">${texts("keys.nobody")}</option>
                  ${users.map(
                    ({ id, name }) => html`<option value=${id} ?selected=${id === key?.user_id}>${name}</option>`,
                  )}
                </select>
              </label>`
        }
        <label
          >${texts("keys.models")}
          <input
            name="models"
            autocomplete="off"
            placeholder=${texts("keys.models_hint")}
            .value=${key?.models.join(", ") ?? ""}
          />
        </label>
        ${LIMITS.map(
          (limit) =>
            html`<label
              >${texts(`keys.${limit}`)}
              <input name=${limit} type="number" min="1" max="1000000000" step="1" .value=${key?.[limit] ?? ""} />
            </label>`,
        )}
        <label
          >${texts("keys.monthly_budget")}
          <input name="monthly_budget" type="number" min="0" max="1000000000" step="any" .value=${budget ?? ""} />
        </label>
        <label
          >${texts("keys.expires")}
          <input name="expires" type="date" min=${isoDay(new Date())} .value=${expiryDay(key)} />
        </label>
        <label class="switch"
          ><input name="background" type="checkbox" .checked=${key?.background ?? false} />
          ${texts("keys.background")}</label
        >
        <label class="switch"
          ><input name="home_only" type="checkbox" .checked=${key?.home_only ?? false} />
          ${texts("keys.home_only")}</label
        >
      </div>
    </details>`;
  }

  /** Switches of one field, which has a list of values. */
  private choices(name: "llm_apis" | "hosted_tools", values: { id: string; name: string }[]): TemplateResult {
    return html`<div class="row">
      ${values.map(
        (value) =>
          html`<label class="switch"
            ><input
              name=${name}
              type="checkbox"
              value=${value.id}
              .checked=${this.key?.[name].includes(value.id) ?? false}
            />
            ${value.name}</label
          >`,
      )}
    </div>`;
  }

  private houseTools(): TemplateResult | typeof nothing {
    const { texts, key } = this;
    if (this.offered().length === 0) return nothing;
    return html`<details class="above" ?open=${(key?.llm_apis.length ?? 0) > 0}>
      <summary>${texts("keys.llm_apis")}</summary>
      <p class="quiet">${texts("keys.llm_apis_hint")}</p>
      ${this.choices("llm_apis", this.offered())}
    </details>`;
  }

  private hosted(): TemplateResult {
    const { texts, key } = this;
    const named = (ids: string[]) => ids.map((id) => ({ id, name: texts(`keys.hosted_${id}`) }));
    return html`<details class="above" ?open=${(key?.hosted_tools.length ?? 0) > 0}>
      <summary>${texts("keys.hosted_tools")}</summary>
      <p class="quiet">${texts("keys.hosted_tools_hint")}</p>
      ${this.choices("hosted_tools", named(HOSTED_TOOLS))}
      <p class="quiet">${texts("keys.hosted_references_hint")}</p>
      ${this.choices("hosted_tools", named(HOSTED_REFERENCES))}
    </details>`;
  }

  /** The LLM APIs that can be chosen, with those that the key may use already and that are unavailable now. */
  private offered(): { id: string; name: string }[] {
    const known = new Set(this.llmApis.map(({ id }) => id));
    const gone = (this.key?.llm_apis ?? []).filter((id) => !known.has(id));
    return [...this.llmApis, ...gone.map((id) => ({ id, name: id }))];
  }

  private async submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const fields = this.changes(new FormData(form));
    if (fields.name && (await this.save(fields)) && this.key === null) form.reset();
  }

  /** The fields of the form; of an existing key, those that differ, so that nothing else is overwritten. */
  private changes(form: FormData): KeyFields & { name: string } {
    const { key } = this;
    const name = field(form, "name");
    const found: KeyFields & { name: string } = { name };
    const labels = listed(form, "labels");
    if (!same(labels, key?.labels)) found.labels = labels;
    if (!this.api.isAdmin) return found;
    const models = listed(form, "models");
    if (!same(models, key?.models)) found.models = models;
    const hosted = form.getAll("hosted_tools").map(String);
    if (!same(hosted, key?.hosted_tools)) found.hosted_tools = hosted;
    if (this.users.length) {
      const owner = field(form, "user_id") || null;
      if (owner !== (key?.user_id ?? null)) found.user_id = owner;
    }
    const apis = form.getAll("llm_apis").map(String);
    if (this.offered().length && !same(apis, key?.llm_apis)) found.llm_apis = apis;
    for (const limit of LIMITS) {
      const value = numbered(form, limit);
      if (value !== (key?.[limit] ?? null)) found[limit] = value;
    }
    const budget = numbered(form, "monthly_budget");
    if (budget !== monthlyBudget(key)) found.monthly_budget = budget;
    const day = field(form, "expires");
    if (day !== expiryDay(key)) found.expires = day ? new Date(`${day}T23:59:59`).getTime() / 1000 : null;
    const background = form.has("background");
    if (background !== (key?.background ?? false)) found.background = background;
    const homeOnly = form.has("home_only");
    if (homeOnly !== (key?.home_only ?? false)) found.home_only = homeOnly;
    return found;
  }
}

/** The amount of a key's monthly budget; null without one. */
export const monthlyBudget = (key: ApiKey | null): number | null =>
  key?.budgets.find((budget) => budget.period === "month")?.amount ?? null;

const expiryDay = (key: ApiKey | null): string => (key?.expires ? isoDay(new Date(key.expires)) : "");

const listed = (form: FormData, name: string): string[] =>
  field(form, name)
    .split(",")
    .map((text) => text.trim())
    .filter(Boolean);

const numbered = (form: FormData, name: string): number | null => {
  const value = field(form, name);
  return value === "" ? null : Number(value);
};

const same = (some: string[], others: string[] = []): boolean =>
  some.length === others.length && [...some].sort().join() === [...others].sort().join();
