import { css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Connector, Relay } from "../api/connectors.js";
import { copyText } from "../clipboard.js";
import { button } from "../elements.js";
import { plainLists } from "../styles.js";
import { View, field } from "./view.js";

const LOOK_MS = 2000;

/** The machines that connect themselves to the server: paired by a one-time code, disconnected and removed. */
@customElement("zai-connectors")
export class ConnectorsView extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    plainLists,
    css`
      li {
        border-top: 1px solid var(--zai-line);
        padding-top: 8px;
      }
      .code {
        font-size: 1.6rem;
        letter-spacing: 0.1em;
        user-select: all;
      }
    `,
  ];

  @state() private relay: Relay | null = null;
  @state() private copied = false;
  /** The id of the connector whose removal is to be confirmed. */
  @state() private removing: string | null = null;
  /** The id of the connector that gets another name. */
  @state() private renaming: string | null = null;
  private timer: number | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.run(() => this.load());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  private async load(): Promise<void> {
    this.relay = (await this.api.connectors?.list()) ?? null;
    clearTimeout(this.timer);
    // While a code is open, its connector may appear; the states of others change, too.
    if (this.relay !== null && this.isConnected)
      this.timer = window.setTimeout(() => void this.load().catch(() => undefined), LOOK_MS);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { texts, relay } = this;
    if (relay === null) return this.error ? html`${this.errorLine()}` : nothing;
    return html`<section class="card" aria-labelledby="connectors">
      <div class="row spread below">
        <h2 id="connectors">${texts("connectors.title")}</h2>
        ${button(texts("connectors.pair"), { disabled: this.busy, press: () => this.pair() })}
      </div>
      <p class="quiet">${texts("connectors.intro")}</p>
      ${this.errorLine()}
      <div role="status">${relay.code === null ? nothing : this.code(relay.code)}</div>
      <ul>
        ${repeat(
          relay.connectors,
          (connector) => connector.id,
          (connector) => this.connector(connector),
        )}
      </ul>
    </section>`;
  }

  private code({ code, command, seconds_left }: NonNullable<Relay["code"]>): TemplateResult {
    const { texts } = this;
    return html`<p>${texts("connectors.run")}</p>
      <div class="row spread">
        <pre tabindex="0">${command}</pre>
        ${button(texts(this.copied ? "common.copied" : "common.copy"), {
          name: texts("connectors.copy"),
          press: () => this.copy(command),
        })}
      </div>
      <p>${texts("connectors.enter", { minutes: Math.ceil(seconds_left / 60) })}</p>
      <div class="row spread">
        <b class="code">${code}</b>
        ${button(texts("common.cancel"), {
          name: texts("connectors.cancel"),
          disabled: this.busy,
          press: () => this.act(() => this.api.connectors?.cancel()),
        })}
      </div>`;
  }

  private connector(one: Connector): TemplateResult {
    const { texts } = this;
    const state = !one.enabled ? "disabled" : one.connected ? "connected" : "away";
    const seen =
      one.last_seen === null || one.connected ? "" : new Date(one.last_seen * 1000).toLocaleString(this.language);
    return html`<li>
      <div class="row spread">
        <div class="row">
          <b>${one.name}</b>
          <span class="badge ${one.connected ? "healthy" : "offline"}">${texts(`connectors.${state}`)}</span>
          ${seen ? html`<span class="quiet">${texts("connectors.seen", { when: seen })}</span>` : nothing}
        </div>
        <div class="row">${this.actions(one)}</div>
      </div>
      ${one.models.length > 0 ? html`<p class="quiet">${one.models.slice(0, 12).join(", ")}</p>` : nothing}
      ${this.renaming === one.id ? this.form(one) : nothing}
    </li>`;
  }

  private actions(one: Connector): TemplateResult {
    const { texts } = this;
    if (this.removing === one.id)
      return html`${button(texts("connectors.remove_sure"), {
        disabled: this.busy,
        press: () => this.act(() => this.api.connectors?.remove(one.id)),
      })}
      ${button(texts("common.cancel"), { press: () => (this.removing = null) })}`;
    const act = one.enabled ? "disable" : "enable";
    return html`${button(texts("connectors.rename"), {
      name: texts("connectors.rename_name", { name: one.name }),
      press: () => (this.renaming = one.id),
    })}
    ${button(texts(`connectors.${act}`), {
      disabled: this.busy,
      name: texts(`connectors.${act}_name`, { name: one.name }),
      press: () => this.act(() => this.api.connectors?.enable(one.id, !one.enabled)),
    })}
    ${button(texts("connectors.remove"), {
      disabled: this.busy,
      name: texts("connectors.remove_name", { name: one.name }),
      press: () => (this.removing = one.id),
    })}`;
  }

  private form(one: Connector): TemplateResult {
    const { texts } = this;
    return html`<form class="row" @submit=${(event: SubmitEvent) => this.rename(event, one)}>
      <label>${texts("connectors.name")} <input name="name" required maxlength="63" .value=${one.name} /></label>
      ${button(texts("connectors.rename"), { disabled: this.busy })}
      ${button(texts("common.cancel"), { press: () => (this.renaming = null) })}
    </form>`;
  }

  private rename(event: SubmitEvent, one: Connector): Promise<void> {
    event.preventDefault();
    const name = field(new FormData(event.target as HTMLFormElement), "name");
    return this.act(() => this.api.connectors?.rename(one.id, name));
  }

  private pair(): Promise<void> {
    this.copied = false;
    return this.act(() => this.api.connectors?.pair());
  }

  private copy(text: string): Promise<void> {
    return this.run(async () => {
      await copyText(text, this.renderRoot as ShadowRoot);
      this.copied = true;
    });
  }

  private act(work: () => Promise<unknown> | undefined): Promise<void> {
    return this.run(async () => {
      await work();
      this.removing = this.renaming = null;
      await this.load();
    });
  }
}
