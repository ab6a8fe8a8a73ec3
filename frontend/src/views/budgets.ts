import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Currency } from "../api/records.js";
import type { Callers, Named } from "../api/routing.js";
import type { Budget, Period } from "../api/types.js";
import { bar } from "../bar.js";
import { button, card, loading } from "../elements.js";
import { amount, count, day, moment } from "../format.js";
import "./alerts-card.js";
import { budgetFields, readBudget } from "./budget-fields.js";
import { View, field } from "./view.js";

const SCOPES = ["household", "user", "key", "backend"] as const;

/** Budgets with what is spent of them, and where alerts go. */
@customElement("zai-budgets")
export class Budgets extends View {
  @state() private budgets: Budget[] | null = null;
  @state() private callers: Callers = { keys: [], users: [] };
  @state() private currency: Currency | null = null;
  @state() private scope: Budget["scope"] = "household";
  /** The id of the budget that is changed, and what is asked about it. */
  @state() private open: { id: string; what: "change" | "reset" | "remove" } | null = null;

  protected override firstUpdated(): void {
    void this.run(() => this.load());
  }

  private async load(): Promise<void> {
    [this.budgets, this.callers, this.currency] = await Promise.all([
      this.api.budgets(),
      this.api.routing.callers(),
      this.api.records.currency(),
    ]);
  }

  protected override render(): TemplateResult {
    const { texts, budgets } = this;
    if (budgets === null) return this.error ? html`${this.errorLine()}` : loading(texts("common.loading"));
    return html`${this.errorLine()} ${budgets.length === 0 ? card(texts("budgets.empty")) : nothing}
    ${repeat(
      budgets,
      (budget) => budget.budget_id,
      (budget) => this.budget(budget),
    )}
    ${this.oneToOne()} ${this.newBudget()}
    ${
      this.api.alerts
        ? html`<zai-alerts-card .api=${this.api} .texts=${texts} .language=${this.language}></zai-alerts-card>`
        : nothing
    }`;
  }

  /** Which costs are not converted to the currency of budgets. */
  private oneToOne(): TemplateResult | typeof nothing {
    const { currency, texts } = this;
    if (currency === null) return nothing;
    const { currency: budgets, one_to_one, missing } = currency;
    const note = (key: string, names: string[]): TemplateResult | typeof nothing =>
      names.length ? card(texts(key, { currencies: names.join(", "), currency: budgets })) : nothing;
    return html`${note("usage.one_to_one", one_to_one)}${note("usage.no_rate", missing)}`;
  }

  private newBudget(): TemplateResult {
    const { texts } = this;
    const subjects = this.subjects();
    return card(
      html`<form class="row end" @submit=${(event: SubmitEvent) => this.create(event)}>
        <label
          >${texts("budgets.for")}
          <select
            name="scope"
            @change=${(event: Event) => (this.scope = (event.target as HTMLSelectElement).value as Budget["scope"])}
          >
            ${SCOPES.filter((scope) => scope !== "user" || this.callers.users.length > 0).map(
              (scope) =>
                html`<option value=${scope} ?selected=${scope === this.scope}>${texts(`budgets.${scope}`)}</option>`,
            )}
          </select>
        </label>
        ${subjects === null ? nothing : this.subject(subjects)}
        <label
          >${texts("budgets.each")}
          <select name="period">
            ${(["month", "week", "day"] as const).map(
              (period) => html`<option value=${period}>${texts(`common.${period}`)}</option>`,
            )}
          </select>
        </label>
        ${budgetFields(texts, this.currency?.currency ?? "")}
        ${button(texts("budgets.save"), { kind: "main", disabled: this.busy || subjects?.length === 0 })}
      </form>`,
      texts("budgets.new"),
    );
  }

  private subject(subjects: Named[]): TemplateResult {
    const { texts } = this;
    if (subjects.length === 0) return html`<span class="quiet">${texts("budgets.nobody")}</span>`;
    return html`<label
      >${texts(`budgets.${this.scope}`)}
      <select name="subject" required>
        ${subjects.map(({ id, name }) => html`<option value=${id}>${name}</option>`)}
      </select>
    </label>`;
  }

  /** What a budget of the chosen scope can be for; null: the household needs no choice. */
  private subjects(): Named[] | null {
    switch (this.scope) {
      case "household":
        return null;
      case "key":
        return this.callers.keys;
      case "user":
        return this.callers.users;
      case "backend":
        return (this.live?.members ?? []).filter((member) => member.kind === "backend");
    }
  }

  private budget(budget: Budget): TemplateResult {
    const { texts, language, open } = this;
    const what = open?.id === budget.budget_id ? open.what : null;
    return card(
      html`<div class="row spread">
          <b>${budget.owner}</b>
          <span class="quiet">${texts(`common.${budget.period}`)} · ${texts(`budgets.${budget.action}`)}</span>
        </div>
        <p>
          ${texts("budgets.spent", {
            spent: amount(budget.spent, budget.currency, language),
            amount: amount(budget.amount, budget.currency, language),
          })}
          (${count(Math.round(budget.percent), language)} %) ·
          ${texts("budgets.renews", { when: moment(budget.renews, language) })}
        </p>
        ${bar(budget.percent, budget.owner, budget.thresholds, budget.thresholds)}
        <p class="quiet">
          ${budget.thresholds.length ? texts("budgets.marks", { levels: budget.thresholds.join(", ") }) : nothing}
          ${budget.spent_on ? texts("budgets.forecast", { when: day(budget.spent_on, language) }) : nothing}
        </p>
        ${what === "change" ? this.changing(budget) : what === null ? this.choices(budget) : this.sure(budget, what)}`,
    );
  }

  private choices(budget: Budget): TemplateResult {
    const ask = (what: "change" | "reset" | "remove") => (): void => {
      this.open = { id: budget.budget_id, what };
    };
    const named = (what: string): string => `${this.texts(`budgets.${what}`)}: ${budget.owner}`;
    return html`<div class="row above">
      ${button(this.texts("budgets.change"), { disabled: this.busy, name: named("change"), press: ask("change") })}
      ${button(this.texts("budgets.reset"), { disabled: this.busy, name: named("reset"), press: ask("reset") })}
      ${button(this.texts("budgets.remove"), {
        kind: "danger",
        disabled: this.busy,
        name: named("remove"),
        press: ask("remove"),
      })}
    </div>`;
  }

  private changing(budget: Budget): TemplateResult {
    return html`<form class="row end above" @submit=${(event: SubmitEvent) => this.change(event, budget)}>
      ${budgetFields(this.texts, budget.currency, budget)}
      ${button(this.texts("budgets.save"), { kind: "main", disabled: this.busy })} ${this.cancel()}
    </form>`;
  }

  private sure(budget: Budget, what: "reset" | "remove"): TemplateResult {
    const { texts, api } = this;
    const act = (): Promise<void> => (what === "reset" ? api.resetBudget(budget) : api.removeBudget(budget));
    return html`<div class="row above" role="alert">
      ${texts(`budgets.${what}_sure`, { name: budget.owner })}
      ${button(texts(`budgets.${what}`), { kind: "danger", disabled: this.busy, press: () => this.save(act) })}
      ${this.cancel()}
    </div>`;
  }

  private cancel(): TemplateResult {
    return button(this.texts("common.cancel"), { press: () => (this.open = null) });
  }

  private create(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const data = new FormData(form);
    const found = this.read(data);
    if (found === null) return;
    const budget = {
      scope: this.scope,
      subject: field(data, "subject"),
      period: field(data, "period") as Period,
      ...found,
    };
    void this.save(async () => {
      await this.api.setBudget(budget);
      form.reset();
      this.scope = "household";
    });
  }

  private change(event: SubmitEvent, budget: Budget): void {
    event.preventDefault();
    const found = this.read(new FormData(event.target as HTMLFormElement));
    if (found !== null) void this.save(() => this.api.setBudget({ ...budget, ...found }));
  }

  private read(data: FormData): ReturnType<typeof readBudget> {
    const found = readBudget(data);
    this.error = found === null ? this.texts("budgets.thresholds_invalid") : "";
    return found;
  }

  private save(action: () => Promise<void>): Promise<void> {
    return this.run(async () => {
      await action();
      this.open = null;
      await this.load();
    });
  }
}
