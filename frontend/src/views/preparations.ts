import { LitElement, css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { Clock } from "../clock.js";
import type { LivePreparation } from "../api/types.js";
import { duration } from "../format.js";
import { styles } from "../styles.js";
import type { Texts } from "../texts.js";

/** A backend that wakes up or loads a model: how long it has taken, of what it usually takes. */
@customElement("zai-preparations")
export class Preparations extends LitElement {
  static override styles: CSSResultGroup = [
    styles,
    css`
      progress {
        width: 100%;
        accent-color: var(--zai-accent);
      }
      p {
        margin: 8px 0 0;
      }
    `,
  ];

  @property({ attribute: false }) items: LivePreparation[] = [];
  @property({ attribute: false }) texts!: Texts;
  @property() language = "en";
  private readonly clock = new Clock(this);

  protected override render(): TemplateResult {
    return html`${repeat(
      this.items,
      (item) => `${item.kind} ${item.model ?? ""}`,
      (item) => this.item(item),
    )}`;
  }

  private item({ kind, model, started, usual }: LivePreparation): TemplateResult {
    const { texts, language } = this;
    const seconds = Math.max(0, this.clock.now - started);
    const values = {
      model: model ?? "",
      time: duration(Math.round(seconds) * 1000, language),
      usual: usual === null ? "" : duration(Math.round(usual) * 1000, language),
    };
    const label = texts(`providers.${kind}${usual === null ? "" : "_of"}`, values);
    // Longer than usual: nothing says how much is left.
    const known = usual !== null && seconds < usual;
    return html`<p>${label}</p>
      <progress
        aria-label=${texts(`providers.${kind}`, values)}
        max=${known ? usual : nothing}
        value=${known ? seconds : nothing}
      ></progress>`;
  }
}
