import { css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Enrolment, WaitingClient } from "../api/clients.js";
import { copyText } from "../clipboard.js";
import { Clock } from "../clock.js";
import { button, card } from "../elements.js";
import { View, field } from "./view.js";

const LOOK_MS = 4000;

/** Client certificates: a one-time code, and the clients that wait for approval. Nothing where the home gives none. */
@customElement("zai-clients")
export class Clients extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    css`
      .code,
      .digits {
        font-family: monospace;
        font-size: 1.4rem;
        letter-spacing: 0.1em;
        user-select: all;
      }
    `,
  ];

  /** Called when a client has got its certificate. */
  @property({ attribute: false }) enrolled: () => void = () => undefined;
  @state() private found: Enrolment = { offered: false };
  @state() private copied = false;
  @state() private replacing = false;
  private readonly clock = new Clock(this);
  /** When `found` was asked for, by the clock. */
  private since = 0;
  private timer: number | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.run(async () => this.take(await this.api.clients.state()));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  /** Show this state, and look for another one from time to time. */
  take(found: Enrolment): void {
    const used = this.found.code && !found.code && this.left(this.found.code.seconds_left) > LOOK_MS / 1000;
    this.found = found;
    this.since = Date.now() / 1000;
    if (used) this.enrolled();
    clearTimeout(this.timer);
    if (found.offered && this.isConnected) this.timer = window.setTimeout(() => void this.look(), LOOK_MS);
  }

  private async look(): Promise<void> {
    try {
      this.take(await this.api.clients.state());
    } catch {
      this.timer = window.setTimeout(() => void this.look(), LOOK_MS);
    }
  }

  private left(seconds: number): number {
    return Math.max(0, seconds - (this.clock.now - this.since));
  }

  protected override render(): TemplateResult | typeof nothing {
    const { texts, found } = this;
    if (!found.offered) return nothing;
    const pending = found.pending ?? [];
    return card(
      html`<p class="quiet">${texts("clients.hint")}</p>
        ${found.code ? this.code(found.code) : this.form()} ${this.errorLine()}
        ${
          pending.length === 0
            ? nothing
            : html`<h3>${texts("clients.waiting")}</h3>
                <p>${texts("clients.compare")}</p>
                <ul>
                  ${repeat(
                    pending,
                    (client) => client.id,
                    (client) => this.waiting(client),
                  )}
                </ul>`
        }
        ${this.authority()}`,
      texts("clients.title"),
    );
  }

  private form(): TemplateResult {
    const { texts } = this;
    const make = (event: SubmitEvent): void => {
      event.preventDefault();
      const name = field(new FormData(event.target as HTMLFormElement), "name");
      void this.act(() => this.api.clients.makeCode(name));
    };
    return html`<form class="row" @submit=${make}>
      <label
        >${texts("clients.name")} <input name="name" maxlength="100" placeholder=${texts("clients.own_name")}
      /></label>
      ${button(texts("clients.make"), { kind: "main", disabled: this.busy })}
    </form>`;
  }

  private code(code: NonNullable<Enrolment["code"]>): TemplateResult {
    const { texts, found } = this;
    const seconds = Math.round(this.left(code.seconds_left));
    const command = `zeroconf-ai enroll ${found.address} --pin ${found.pin}`;
    return html`<div role="status">
      <p><span class="code">${code.code}</span></p>
      <p>
        ${texts("clients.code_valid", { minutes: Math.floor(seconds / 60), seconds: String(seconds % 60).padStart(2, "0"), tries: code.tries_left })}
      </p>
      <p>${texts("clients.code_use")}</p>
      <pre tabindex="0">${command}</pre>
      <div class="row">
        ${button(texts(this.copied ? "common.copied" : "common.copy"), {
          name: texts("clients.copy"),
          press: () =>
            this.run(async () => {
              await copyText(command, this.renderRoot as ShadowRoot);
              this.copied = true;
            }),
        })}
        ${button(texts("clients.end_code"), { disabled: this.busy, press: () => this.act(() => this.api.clients.closeCode()) })}
      </div>
    </div>`;
  }

  private waiting(client: WaitingClient): TemplateResult {
    const { texts } = this;
    const values = { name: client.name, address: client.address };
    return html`<li>
      <div>${texts("clients.asks", values)}</div>
      <div class="digits">${client.check.slice(0, 3)} ${client.check.slice(3)}</div>
      <div class="row">
        ${button(texts("clients.approve"), {
          kind: "main",
          name: texts("clients.approve_one", values),
          disabled: this.busy,
          press: () =>
            this.act(async () => {
              const found = await this.api.clients.approve(client.id);
              this.enrolled();
              return found;
            }),
        })}
        ${button(texts("clients.refuse"), {
          kind: "danger",
          name: texts("clients.refuse_one", values),
          disabled: this.busy,
          press: () => this.act(() => this.api.clients.refuse(client.id)),
        })}
      </div>
    </li>`;
  }

  private authority(): TemplateResult {
    const { texts, busy: disabled } = this;
    const replace = (): Promise<void> =>
      this.act(async () => {
        this.replacing = false;
        const found = await this.api.clients.replaceAuthority();
        this.enrolled();
        return found;
      });
    return html`<details class="above">
      <summary>${texts("clients.replace")}</summary>
      <p class="quiet">${texts("clients.replace_hint")}</p>
      ${
        this.replacing
          ? html`<div class="row">
              <span>${texts("clients.replace_sure")}</span>
              ${button(texts("clients.replace"), { kind: "danger", disabled, press: replace })}
              ${button(texts("common.cancel"), { disabled, press: () => (this.replacing = false) })}
            </div>`
          : button(texts("clients.replace"), { kind: "danger", disabled, press: () => (this.replacing = true) })
      }
    </details>`;
  }

  private act(action: () => Promise<Enrolment>): Promise<void> {
    this.copied = false;
    return this.run(async () => this.take(await action()));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "zai-clients": Clients;
  }
}
