import { css, html, nothing, svg, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { LiveMember } from "../api/types.js";
import { button, loading } from "../elements.js";
import { count, duration, money } from "../format.js";
import { plainLists } from "../styles.js";
import "./add-ai.js";
import type { AddAi } from "./add-ai.js";
import "./connectors.js";
import "./discovery-check.js";
import "./preparations.js";
import { View } from "./view.js";

const SHOWN_MODELS = 12;
/** Latencies from which on a line tells something. */
const SPARKLINE = 5;

/** One list of providers, backends and agents of the home, in the order in which routing prefers them. */
@customElement("zai-providers")
export class Providers extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    plainLists,
    css`
      li[data-dragged] {
        opacity: 0.4;
      }
      .models span {
        border: 1px solid var(--zai-line);
        border-radius: 12px;
        padding: 2px 10px;
        font-size: 0.85rem;
      }
      .models .warm {
        border-color: var(--zai-good);
      }
      svg {
        width: 120px;
        height: 28px;
      }
      .order button {
        min-width: 40px;
        padding: 4px;
      }
    `,
  ];

  @state() private dragged: string | null = null;
  @state() private checking: string | null = null;

  private get ordered(): LiveMember[] {
    return [...(this.live?.members ?? [])].sort(
      (a, b) =>
        // Routing asks the home's agents after all models.
        Number(a.kind === "agent") - Number(b.kind === "agent") ||
        a.priority - b.priority ||
        a.name.localeCompare(b.name),
    );
  }

  protected override render(): TemplateResult {
    const { texts } = this;
    if (this.live === null) return loading(texts("common.loading"));
    const members = this.ordered;
    return html`<div class="row spread below">
        <span class="quiet">${texts(this.api.can.arrange ? "providers.order" : "providers.order_configured")}</span>
        ${
          this.api.flows === null
            ? nothing
            : button(texts("add.title"), {
                kind: "main",
                press: () => this.renderRoot.querySelector<AddAi>("zai-add-ai")?.open(),
              })
        }
      </div>
      ${this.errorLine()}
      <ul>
        ${repeat(
          members,
          (member) => member.id,
          (member, index) => this.member(member, index, members),
        )}
      </ul>
      <zai-add-ai .api=${this.api} .texts=${texts} .language=${this.language}></zai-add-ai>
      ${
        this.api.connectors === null
          ? nothing
          : html`<zai-connectors .api=${this.api} .texts=${texts} .language=${this.language}></zai-connectors>`
      }
      <zai-discovery-check .api=${this.api} .texts=${texts} .language=${this.language}></zai-discovery-check>`;
  }

  private member(member: LiveMember, index: number, members: LiveMember[]): TemplateResult {
    const { texts, language } = this;
    return html`<li
      class="card"
      draggable=${this.api.can.arrange ? "true" : "false"}
      ?data-dragged=${this.dragged === member.id}
      @dragstart=${() => (this.dragged = member.id)}
      @dragend=${() => (this.dragged = null)}
      @dragover=${(event: DragEvent) => event.preventDefault()}
      @drop=${() => this.drop(index, members)}
    >
      <div class="row spread">
        <div class="row">
          <b>${member.name}</b>
          <span class="badge ${member.state}">${texts(`states.${member.known ? member.state : "unknown"}`)}</span>
          <span class="quiet">${texts(member.kind === "agent" ? "providers.agent" : `costs.${member.cost}`)}</span>
        </div>
        ${this.api.can.arrange ? this.arrows(member, index, members) : nothing}
      </div>
      ${this.live?.home_only && !member.local ? html`<p class="quiet">${texts("providers.outside")}</p>` : nothing}
      ${member.reason ? html`<p class="error">${member.reason}</p>` : nothing}
      <div class="row around">
        <span>
          ${texts("providers.running")}:
          ${count(member.running, language)}${
            member.limit === null ? nothing : html` / ${count(member.limit, language)}`
          }${member.waiting ? `, ${texts("overview.waiting", { count: member.waiting })}` : ""}
        </span>
        ${
          member.latency_ms === null
            ? nothing
            : html`<span>${texts("providers.latency")}: ${duration(member.latency_ms, language)}</span>
                ${sparkline(member.latencies_ms)}`
        }
        <span>${texts("overview.requests_today")}: ${count(member.requests_today, language)}</span>
        ${
          money(member.cost_today, language)
            ? html`<span>${texts("providers.cost_today")}: ${money(member.cost_today, language)}</span>`
            : nothing
        }
      </div>
      ${
        member.preparations.length
          ? html`<zai-preparations
              .items=${member.preparations}
              .texts=${texts}
              .language=${language}
            ></zai-preparations>`
          : nothing
      }
      <div class="row models">${this.models(member)}</div>
      <div class="row above">
        ${
          this.api.can.arrange
            ? button(texts(member.enabled ? "providers.disable" : "providers.enable"), {
                disabled: this.busy,
                press: () => this.run(() => this.api.useProvider(member.id, !member.enabled)),
              })
            : nothing
        }
        ${
          member.kind === "agent"
            ? nothing
            : button(texts(this.checking === member.id ? "providers.checking" : "providers.check"), {
                disabled: this.checking !== null,
                press: () => this.check(member.id),
              })
        }
      </div>
    </li>`;
  }

  private arrows(member: LiveMember, index: number, members: LiveMember[]): TemplateResult {
    const { texts } = this;
    return html`<div class="row order">
      <button
        ?disabled=${members[index - 1]?.kind !== member.kind || this.busy}
        aria-label=${texts("providers.up", { name: member.name })}
        @click=${() => this.move(index, index - 1, members)}
      >
        ↑
      </button>
      <button
        ?disabled=${members[index + 1]?.kind !== member.kind || this.busy}
        aria-label=${texts("providers.down", { name: member.name })}
        @click=${() => this.move(index, index + 1, members)}
      >
        ↓
      </button>
    </div>`;
  }

  private models(member: LiveMember): TemplateResult {
    if (member.models.length === 0) return html`<span class="quiet">${this.texts("providers.no_models")}</span>`;
    const rest = member.models_total - Math.min(SHOWN_MODELS, member.models.length);
    return html`${member.models
      .slice(0, SHOWN_MODELS)
      .map(
        (model) =>
          html`<span class=${model.warm ? "warm" : ""}
            >${model.id}${model.warm ? ` (${this.texts("providers.warm")})` : ""}</span
          >`,
      )}${rest > 0 ? html`<span class="quiet">${this.texts("providers.more_models", { count: rest })}</span>` : nothing}`;
  }

  private async check(id: string): Promise<void> {
    this.checking = id;
    await this.run(() => this.api.checkProvider(id));
    this.checking = null;
  }

  private drop(to: number, members: LiveMember[]): void {
    const from = members.findIndex((member) => member.id === this.dragged);
    this.dragged = null;
    if (from >= 0) void this.move(from, to, members);
  }

  private move(from: number, to: number, members: LiveMember[]): Promise<void> {
    const ids = members.map((member) => member.id);
    const [moved] = ids.splice(from, 1);
    if (moved === undefined || from === to || members[to]?.kind !== members[from]?.kind) return Promise.resolve();
    ids.splice(to, 0, moved);
    return this.run(() => this.api.orderProviders(ids));
  }
}

/** The newest latencies as a line. */
function sparkline(values: number[]): TemplateResult | typeof nothing {
  if (values.length < SPARKLINE) return nothing;
  const most = Math.max(...values, 1);
  const points = values.map((value, at) => `${(at / (values.length - 1)) * 120},${27 - (value / most) * 26}`);
  return html`<svg viewBox="0 0 120 28" aria-hidden="true">
    ${svg`<polyline points=${points.join(" ")} fill="none" stroke="currentColor" stroke-width="1.5" />`}
  </svg>`;
}
