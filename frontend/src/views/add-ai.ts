import { css, html, nothing, type CSSResultGroup, type PropertyValues, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { BackendKind, Discovered, DiscoveredProvider } from "../api/finding.js";
import { menuOf, type FlowKind, type FlowStep } from "../api/flows.js";
import { sentence } from "../api/errors.js";
import { button } from "../elements.js";
import { plainLists } from "../styles.js";
import type { FlowEnd } from "./flow.js";
import "./flow.js";
import type { ServerChosen } from "./network-scan.js";
import "./network-scan.js";
import { View } from "./view.js";

interface Running {
  kind: FlowKind;
  step: FlowStep;
  /** What is added after it: the gateway comes first for what needs it. */
  next?: (gateway: string) => Promise<Running>;
}

const ADDABLE = ["new", "changed", "unanswered"];

/** "Add AI": everything that can be added in one list, the flow of what is chosen, and what is discovered. */
@customElement("zai-add-ai")
export class AddAi extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    plainLists,
    css`
      .choices {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 200px), 1fr));
        gap: 8px;
      }
      .choices li {
        margin: 0;
        display: grid;
      }
      .found li {
        border-top: 1px solid var(--zai-line);
        padding-top: 8px;
      }
    `,
  ];

  @state() private found: Discovered | null = null;
  @state() private choosing = false;
  @state() private running: Running | null = null;
  @state() private notice = "";
  private stop: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) void this.search();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop?.();
    this.stop = undefined;
  }

  protected override firstUpdated(): void {
    void this.search();
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("choosing") && this.choosing) this.renderRoot.querySelector<HTMLElement>("#choose")?.focus();
  }

  /** Show everything that can be added. */
  open(): void {
    this.choosing = this.running === null;
    this.renderRoot.querySelector<HTMLElement>("#choose")?.focus();
  }

  private search(): Promise<void> {
    return this.run(async () => {
      this.stop?.();
      this.stop = undefined;
      const stop = await this.api.finding.discovered((found) => (this.found = found));
      if (this.isConnected) this.stop = stop;
      else stop();
    });
  }

  protected override render(): TemplateResult {
    const { texts, running, api } = this;
    return html`${this.errorLine()}
      <p role="status">${this.notice}</p>
      ${
        running !== null && api.flows !== null
          ? html`<div class="card">
              ${running.next ? html`<p class="quiet">${texts("add.gateway_first")}</p>` : nothing}
              <zai-flow
                .api=${api}
                .texts=${texts}
                .flows=${api.flows}
                .kind=${running.kind}
                .step=${running.step}
                @flow-end=${(event: CustomEvent<FlowEnd>) => this.ended(event.detail)}
              ></zai-flow>
            </div>`
          : this.choosing
            ? this.choices()
            : nothing
      }
      <section class="card" aria-labelledby="discovered">
        <div class="row spread below">
          <h2 id="discovered">${texts("add.discovered")}</h2>
          ${button(texts(this.busy ? "add.searching" : "add.search"), {
            disabled: this.busy,
            press: () => this.search(),
          })}
        </div>
        ${this.discovered()}
      </section>
      <zai-network-scan
        .api=${api}
        .texts=${texts}
        @server-chosen=${(event: CustomEvent<ServerChosen>) => this.addServer(event.detail)}
      ></zai-network-scan>`;
  }

  private choices(): TemplateResult {
    const { texts, found } = this;
    const waiting = (found?.providers ?? []).filter(({ state }) => state === "new" || state === "changed");
    return html`<section class="card" aria-labelledby="choose">
      <h2 id="choose" tabindex="-1">${texts("add.choose")}</h2>
      <ul class="choices">
        ${waiting.map(
          (provider) =>
            html`<li>
              ${button(texts("add.found", { name: provider.name }), {
                disabled: this.busy,
                press: () => this.addDiscovered(provider),
              })}
            </li>`,
        )}
        ${(found?.kinds ?? []).map(
          (kind) =>
            html`<li>
              ${button(this.nameOf(kind), { disabled: this.busy, press: () => this.addPart("backend", kind.name) })}
            </li>`,
        )}
        <li>${button(texts("add.agent"), { disabled: this.busy, press: () => this.addPart("home_agent") })}</li>
        <li>
          ${button(texts("add.by_address"), { disabled: this.busy, press: () => this.begin(() => this.ofEntry("provider")) })}
        </li>
      </ul>
      <div class="row above">${button(texts("common.cancel"), { press: () => (this.choosing = false) })}</div>
    </section>`;
  }

  private nameOf(kind: BackendKind): string {
    if (kind.name === "openai_compatible") return this.texts("add.other");
    return kind.cloud ? this.texts("add.cloud", { name: kind.title }) : kind.title;
  }

  private discovered(): TemplateResult {
    const { texts, found } = this;
    if (found === null) return html`<p class="quiet">${texts("common.loading")}</p>`;
    if (found.providers.length === 0) return html`<p class="quiet">${texts("add.nothing")}</p>`;
    return html`<ul class="found">
        ${repeat(
          found.providers,
          (provider) => provider.id,
          (provider) => this.provider(provider),
        )}
      </ul>
      ${this.api.flows === null ? html`<p class="quiet">${texts("add.served")}</p>` : nothing}`;
  }

  private provider(provider: DiscoveredProvider): TemplateResult {
    const { texts, api } = this;
    const rest = provider.models_total - provider.models.length;
    const models = provider.models.join(", ") + (rest > 0 ? ` ${texts("providers.more_models", { count: rest })}` : "");
    const addable = ADDABLE.includes(provider.state);
    return html`<li>
      <div class="row spread">
        <div>
          <b>${provider.name}</b> <span class="quiet">${texts(`add.${provider.state}`)}</span>
          ${provider.needs_key ? html`<span class="quiet">· ${texts("add.needs_key")}</span>` : nothing}
          ${provider.needs_certificate ? html`<span class="quiet">· ${texts("add.needs_certificate")}</span>` : nothing}
          <div class="quiet">${provider.base_url}${models ? ` · ${models}` : ""}</div>
        </div>
        ${
          addable && api.flows !== null
            ? button(texts("add.add"), {
                disabled: this.busy || this.running !== null,
                name: texts("add.add_name", { name: provider.name }),
                press: () => this.addDiscovered(provider),
              })
            : nothing
        }
      </div>
      ${addable && api.flows === null ? html`<pre>--upstream zeroconfai=${provider.base_url}</pre>` : nothing}
    </li>`;
  }

  private addDiscovered(provider: DiscoveredProvider): Promise<void> {
    return this.begin(async () => {
      if (provider.flow_id !== null) {
        const kind: FlowKind = { part: null };
        return { kind, step: await this.flows.resume(kind, provider.flow_id) };
      }
      const running = await this.ofEntry("provider");
      if (running.step.step_id === "found")
        running.step = await this.flows.answer(running.kind, running.step.flow_id, { provider: provider.id });
      return running;
    });
  }

  /** Add a server that was found by its address. */
  private addServer({ base_url }: ServerChosen): Promise<void> {
    return this.begin(async () => {
      const { kind, step: first } = await this.ofEntry("provider");
      const asksWhich = first.step_id === "found";
      const step = asksWhich ? await this.flows.answer(kind, first.flow_id, { provider: "enter_address" }) : first;
      const advanced = { ssl: false, verify_ssl: true };
      return { kind, step: await this.flows.answer(kind, step.flow_id, { host: base_url, advanced }) };
    });
  }

  private addPart(part: "backend" | "home_agent", type?: string): Promise<void> {
    const start = async (entry: string): Promise<Running> => {
      const kind: FlowKind = { part, entry };
      const step = await this.flows.start(kind);
      if (type === undefined || !menuOf(step).includes(type)) return { kind, step };
      return { kind, step: await this.flows.answer(kind, step.flow_id, { next_step_id: type }) };
    };
    return this.begin(async () => {
      const gateway = this.found?.gateway ?? null;
      return gateway === null ? { ...(await this.ofEntry("gateway")), next: start } : start(gateway);
    });
  }

  /** The flow of an entry: without a gateway, it begins with a choice. */
  private async ofEntry(what: "provider" | "gateway"): Promise<Running> {
    const kind: FlowKind = { part: null };
    const step = await this.flows.start(kind);
    if (step.type !== "menu") return { kind, step };
    return { kind, step: await this.flows.answer(kind, step.flow_id, { next_step_id: what }) };
  }

  private get flows(): NonNullable<typeof this.api.flows> {
    if (this.api.flows === null) throw new Error("A configuration file adds providers.");
    return this.api.flows;
  }

  private begin(start: () => Promise<Running>): Promise<void> {
    this.notice = "";
    return this.run(async () => {
      this.running = await start();
      this.choosing = false;
    });
  }

  private ended({ step }: FlowEnd): void {
    const next = this.running?.next;
    this.running = null;
    if (step === null || step.type !== "create_entry") return;
    const entry = step.result?.entry_id;
    if (next && entry !== undefined)
      this.begin(() => next(entry)).catch((error: unknown) => (this.error = sentence(error)));
    this.notice = this.texts("add.done", { name: step.title ?? "" });
  }
}
