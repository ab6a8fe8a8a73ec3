import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { ApiKey, Budget, Period } from "../api/types.js";
import { count, moment } from "../format.js";
import { View, field } from "./view.js";

/** Budgets with what is spent of them. */
@customElement("zai-budgets")
export class Budgets extends View {
  @state() private budgets: Budget[] | null = null;
  @state() private keys: ApiKey[] = [];
  @state() private scope: Budget["scope"] = "household";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.run(() => this.load());
  }

  private async load(): Promise<void> {
    [this.budgets, { keys: this.keys }] = await Promise.all([this.api.budgets(), this.api.keys()]);
  }

  protected override render(): TemplateResult {
    const { texts } = this;
    return html`<form class="card row" @submit=${(event: SubmitEvent) => this.save(event)}>
        <label
          >${texts("budgets.for")}
          <select
            name="scope"
            @change=${(event: Event) => (this.scope = (event.target as HTMLSelectElement).value as Budget["scope"])}
          >
            ${(["household", "key", "backend"] as const).map(
              (scope) => html`<option value=${scope}>${texts(`budgets.${scope}`)}</option>`,
            )}
          </select>
        </label>
        ${this.subjects()}
        <label>${texts("budgets.amount")} <input name="amount" type="number" min="0" step="0.01" required /></label>
        <label
          >${texts("budgets.each")}
          <select name="period">
            ${(["month", "week", "day"] as const).map(
              (period) => html`<option value=${period}>${texts(`common.${period}`)}</option>`,
            )}
          </select>
        </label>
        <label
          >${texts("budgets.then")}
          <select name="action">
            ${(["free_only", "refuse"] as const).map(
              (action) => html`<option value=${action}>${texts(`budgets.${action}`)}</option>`,
            )}
          </select>
        </label>
        <button class="main" ?disabled=${this.busy}>${texts("budgets.save")}</button>
      </form>
      ${this.errorLine()}
      ${this.budgets?.length === 0 ? html`<div class="card quiet">${texts("budgets.empty")}</div>` : nothing}
      ${this.budgets?.map((budget) => this.budget(budget))}`;
  }

  private subjects(): TemplateResult | typeof nothing {
    if (this.scope === "household") return nothing;
    const subjects =
      this.scope === "key"
        ? this.keys.map(({ key_id, name }) => [key_id, name])
        : (this.live?.members ?? []).filter((member) => member.kind === "backend").map(({ id, name }) => [id, name]);
    return html`<label
      >${this.texts(`budgets.${this.scope}`)}
      <select name="subject" required>
        ${subjects.map(([id, name]) => html`<option value=${id ?? ""}>${name}</option>`)}
      </select>
    </label>`;
  }

  private budget(budget: Budget): TemplateResult {
    const { texts, language } = this;
    return html`<div class="card">
      <div class="row spread">
        <b>${budget.owner}</b>
        <span class="quiet">${texts(`common.${budget.period}`)} · ${texts(`budgets.${budget.action}`)}</span>
      </div>
      <p>
        ${texts("budgets.spent", { spent: budget.spent.toFixed(2), amount: budget.amount.toFixed(2) })}
        (${count(Math.round(budget.percent), language)} %) ·
        ${texts("budgets.renews", { when: moment(budget.renews, language) })}
      </p>
      <div
        class="bar ${budget.percent >= 100 ? "spent" : budget.percent >= Math.min(...budget.thresholds, 100) ? "near" : ""}"
        role="meter"
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${Math.min(100, budget.percent)}
        aria-label=${budget.owner}
      >
        <div .style=${`width: ${Math.min(100, budget.percent)}%`}></div>
      </div>
      <div class="row above">
        <button ?disabled=${this.busy} @click=${() => this.change(() => this.api.resetBudget(budget))}>
          ${texts("budgets.reset")}
        </button>
        <button class="danger" ?disabled=${this.busy} @click=${() => this.change(() => this.api.removeBudget(budget))}>
          ${texts("budgets.remove")}
        </button>
      </div>
    </div>`;
  }

  private save(event: SubmitEvent): void {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    void this.change(() =>
      this.api.setBudget({
        scope: field(data, "scope") as Budget["scope"],
        subject: field(data, "subject"),
        period: field(data, "period") as Period,
        amount: Number(field(data, "amount")),
        action: field(data, "action") as Budget["action"],
      }),
    );
  }

  private change(action: () => Promise<void>): Promise<void> {
    return this.run(async () => {
      await action();
      await this.load();
    });
  }
}
