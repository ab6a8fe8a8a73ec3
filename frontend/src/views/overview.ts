import { css, html, nothing, type CSSResultGroup, type PropertyValues, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { ifDefined } from "lit/directives/if-defined.js";
import { repeat } from "lit/directives/repeat.js";
import { Clock } from "../clock.js";
import type { Budget, Live, LiveRequest } from "../api/types.js";
import { bar } from "../bar.js";
import { card, loading, toggle } from "../elements.js";
import { count, duration, moment, money } from "../format.js";
import { plainLists } from "../styles.js";
import { View } from "./view.js";

/** One sentence of state, running requests, costs and budgets. */
@customElement("zai-overview")
export class Overview extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    plainLists,
    css`
      ul {
        gap: 12px 32px;
      }
      li + li {
        margin-top: 0;
      }
      li.row {
        gap: 8px;
      }
    `,
  ];

  @state() private budgets: Budget[] = [];
  private counted: number | undefined;
  private readonly clock = new Clock(this);

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("live") && this.live?.requests_today !== this.counted) {
      this.counted = this.live?.requests_today;
      this.loadBudgets();
    }
  }

  private loadBudgets(): void {
    // Without a gateway there are no budgets, which is no error here.
    if (this.api.can.records)
      this.api.budgets().then(
        (budgets) => (this.budgets = budgets),
        () => undefined,
      );
  }

  protected override render(): TemplateResult {
    const { live, texts } = this;
    if (live === null) return loading(texts("common.loading"));
    if (live.members.length === 0)
      return card(
        html`<p>${texts(this.api.settings ? "overview.nobody" : "overview.nobody_served")}</p>
          ${this.api.settings ? html`<a href=${this.api.settings}>${texts("overview.add")}</a>` : nothing}`,
        texts("overview.nobody_title"),
      );
    const more = live.running_total - live.running.length;
    return html`${card(this.state(live))} ${card(this.status(live), texts("overview.status"))}
    ${card(
      html`${this.running(live.running)}
      ${more > 0 ? html`<p class="quiet">${texts("overview.more", { count: more })}</p>` : nothing}`,
      texts("overview.running"),
    )}
    ${card(this.usage(live), texts("overview.costs"))}`;
  }

  private state(live: Live): TemplateResult {
    const { texts } = this;
    const failover = live.last_failover;
    return html`<p role="status" class="sentence">${this.sentence()}</p>
      ${
        failover
          ? html`<p class="quiet">
              ${texts("overview.failover", {
                from: failover.backend,
                to: failover.to,
                when: moment(failover.when, this.language),
                reason: failover.reason,
              })}
            </p>`
          : nothing
      }
      ${toggle(texts("overview.home_only"), live.home_only, (on) => this.keepAtHome(on), {
        disabled: this.busy,
        description: "home-only",
      })}
      <p class="quiet" id="home-only">${texts(live.home_only ? "overview.home_only_on" : "overview.home_only_off")}</p>
      ${this.errorLine()}`;
  }

  /** Each provider that is used, with its state and its load. */
  private status(live: Live): TemplateResult {
    const { texts, language } = this;
    return html`<ul class="row">
      ${live.members
        .filter((member) => member.enabled)
        .map(
          (member) =>
            html`<li class="row" title=${ifDefined(member.reason ?? undefined)}>
              <b>${member.name}</b>
              <span class="badge ${member.state}">${texts(`states.${member.known ? member.state : "unknown"}`)}</span>
              ${
                member.running
                  ? html`<span class="quiet"
                      >${
                        member.limit === null
                          ? texts("overview.load", { running: count(member.running, language) })
                          : texts("overview.load_of", {
                              running: count(member.running, language),
                              limit: count(member.limit, language),
                            })
                      }</span
                    >`
                  : nothing
              }
            </li>`,
        )}
    </ul>`;
  }

  private usage(live: Live): TemplateResult {
    const { texts, language } = this;
    return html`<div class="row">
        <span>${texts("overview.today")}: <b>${this.costs(live.cost_today)}</b></span>
        <span>${texts("overview.month")}: <b>${this.costs(live.cost_month)}</b></span>
        <span>${texts("overview.requests_today")}: <b>${count(live.requests_today, language)}</b></span>
      </div>
      ${this.budgets.map(
        (budget) =>
          html`<p>
              ${texts("overview.budget", { owner: budget.owner, period: texts(`common.${budget.period}`) })}:
              ${count(Math.round(budget.percent), language)} %
            </p>
            ${bar(budget.percent, budget.owner, budget.thresholds)}`,
      )}`;
  }

  private async keepAtHome(on: boolean): Promise<boolean> {
    await this.run(() => this.api.finding.setHomeOnly(on));
    return !this.error;
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
                <td class="number">${duration(Math.max(0, this.clock.now - request.started) * 1000, this.language)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}
