import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Budget, LiveRequest } from "../api/types.js";
import { count, duration, moment, money } from "../format.js";
import { View } from "./view.js";

/** One sentence of state, running requests, costs and budgets. */
@customElement("zai-overview")
export class Overview extends View {
  @state() private budgets: Budget[] = [];
  @state() private now = Date.now() / 1000;
  private clock?: ReturnType<typeof setInterval>;

  override connectedCallback(): void {
    super.connectedCallback();
    this.clock = setInterval(() => (this.now = Date.now() / 1000), 1000);
    // Without a gateway there are no budgets, which is no error here.
    if (this.api.can.records)
      this.api.budgets().then(
        (budgets) => (this.budgets = budgets),
        () => undefined,
      );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.clock);
  }

  protected override render(): TemplateResult {
    const { live, texts } = this;
    if (live === null) return html`<p class="quiet">${texts("common.loading")}</p>`;
    if (live.members.length === 0)
      return html`<div class="card">
        <h2>${texts("overview.nobody_title")}</h2>
        <p>${texts(this.api.settings ? "overview.nobody" : "overview.nobody_served")}</p>
        ${this.api.settings ? html`<a href=${this.api.settings}>${texts("overview.add")}</a>` : nothing}
      </div>`;
    return html`<div class="card">
        <p role="status" class="sentence">${this.sentence()}</p>
        ${
          live.last_failover
            ? html`<p class="quiet">
                ${texts("overview.failover", {
                  from: live.last_failover.backend,
                  to: live.last_failover.to,
                  when: moment(live.last_failover.when, this.language),
                  reason: live.last_failover.reason,
                })}
              </p>`
            : nothing
        }
        <label class="switch">
          <input
            type="checkbox"
            role="switch"
            aria-describedby="home-only"
            .checked=${live.home_only}
            ?disabled=${this.busy}
            @change=${(event: Event) => this.keepAtHome(event.target as HTMLInputElement)}
          />
          ${texts("overview.home_only")}
        </label>
        <p class="quiet" id="home-only">
          ${texts(live.home_only ? "overview.home_only_on" : "overview.home_only_off")}
        </p>
        ${this.errorLine()}
      </div>
      <div class="card">
        <h2>${texts("overview.running")}</h2>
        ${this.running(live.running)}
        ${
          live.running_total > live.running.length
            ? html`<p class="quiet">${texts("overview.more", { count: live.running_total - live.running.length })}</p>`
            : nothing
        }
      </div>
      <div class="card">
        <h2>${texts("overview.costs")}</h2>
        <div class="row">
          <span>${texts("overview.today")}: <b>${this.costs(live.cost_today)}</b></span>
          <span>${texts("overview.month")}: <b>${this.costs(live.cost_month)}</b></span>
          <span>${texts("overview.requests_today")}: <b>${count(live.requests_today, this.language)}</b></span>
        </div>
        ${this.budgets.map(
          (budget) =>
            html`<p>
                ${texts("overview.budget", { owner: budget.owner, period: texts(`common.${budget.period}`) })}:
                ${count(Math.round(budget.percent), this.language)} %
              </p>
              <div
                class="bar ${budget.percent >= 100 ? "spent" : budget.percent >= 80 ? "near" : ""}"
                role="meter"
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=${Math.min(100, budget.percent)}
                aria-label=${budget.owner}
              >
                <div .style=${`width: ${Math.min(100, budget.percent)}%`}></div>
              </div>`,
        )}
      </div>`;
  }

  private async keepAtHome(input: HTMLInputElement): Promise<void> {
    await this.run(() => this.api.finding.setHomeOnly(input.checked));
    if (this.error) input.checked = !input.checked;
  }

  private costs(costs: Record<string, number>): string {
    return money(costs, this.language) || this.texts("common.nothing");
  }

  /** "Attic answers with qwen3:8b; nothing waits; $0.42 today". */
  private sentence(): string {
    const { live, texts } = this;
    if (live === null) return "";
    const online = live.members.filter((member) => member.enabled && ["healthy", "degraded"].includes(member.state));
    const first =
      online.length === 0
        ? texts("overview.none_answers")
        : live.last_answer
          ? texts("overview.answers", live.last_answer)
          : texts("overview.ready", { count: online.length });
    const waits = live.waiting ? texts("overview.waiting", { count: live.waiting }) : texts("overview.nothing_waits");
    return `${first}; ${waits}; ${texts("overview.costs_today", { cost: this.costs(live.cost_today) })}`;
  }

  private running(requests: LiveRequest[]): TemplateResult {
    const { texts } = this;
    if (requests.length === 0) return html`<p class="quiet">${texts("overview.idle")}</p>`;
    return html`<div class="scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">${texts("requests.who")}</th>
            <th scope="col">${texts("requests.model")}</th>
            <th scope="col">${texts("requests.provider")}</th>
            <th scope="col" class="number">${texts("overview.since")}</th>
          </tr>
        </thead>
        <tbody>
          ${repeat(
            requests,
            (request) => request.id,
            (request) =>
              html`<tr>
                <td>${request.who || texts(`sources.${request.source}`)}</td>
                <td>${request.model ?? request.requested_model}</td>
                <td>${request.backend_name ?? texts("overview.waits")}</td>
                <td class="number">${duration(Math.max(0, this.now - request.started) * 1000, this.language)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}
