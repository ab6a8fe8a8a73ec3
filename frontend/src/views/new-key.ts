import { css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { NewKey } from "../api/types.js";
import { copyText } from "../clipboard.js";
import { button, card } from "../elements.js";
import { View } from "./view.js";

const PROGRAMS = ["curl", "python", "javascript", "opencode", "open_webui", "claude_code", "continue"] as const;
type Program = (typeof PROGRAMS)[number];

/** A new secret, which is shown once, and what to write into programs. */
@customElement("zai-new-key")
export class NewKeyCard extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    css`
      pre {
        user-select: all;
      }
    `,
  ];

  @property({ attribute: false }) created!: NewKey;
  @property() baseUrl = "";
  /** Called when the person has copied the key. */
  @property({ attribute: false }) done!: () => void;
  @state() private copied = "";
  @state() private program: Program = "curl";

  protected override render(): TemplateResult {
    const { texts, created } = this;
    const content = html`<p>${texts("keys.once")}</p>
      ${this.copyable(texts("keys.secret"), created.key)} ${this.copyable(texts("keys.base_url"), this.baseUrl)}
      <label class="above">
        ${texts("keys.program")}
        <select @change=${(event: Event) => (this.program = (event.target as HTMLSelectElement).value as Program)}>
          ${PROGRAMS.map(
            (program) =>
              html`<option value=${program} ?selected=${program === this.program}>
                ${texts(`keys.program_${program}`)}
              </option>`,
          )}
        </select>
      </label>
      <p class="quiet">${texts(`keys.how_${this.program}`)}</p>
      ${this.copyable(texts(`keys.program_${this.program}`), created[this.program])} ${this.errorLine()}
      ${button(texts("common.done"), { kind: "main", press: this.done })}`;
    return html`<div role="status">${card(content, texts("keys.created", { name: created.name }))}</div>`;
  }

  private copyable(name: string, text: string): TemplateResult | typeof nothing {
    if (!text) return nothing;
    const { texts } = this;
    return html`<div class="row spread">
        <b>${name}</b>
        ${button(texts(this.copied === name ? "common.copied" : "common.copy"), {
          name: texts("keys.copy", { what: name }),
          press: () => this.copy(name, text),
        })}
      </div>
      <pre tabindex="0">${text}</pre>`;
  }

  private copy(name: string, text: string): Promise<void> {
    return this.run(async () => {
      await copyText(text, this.renderRoot as ShadowRoot);
      this.copied = name;
    });
  }
}
