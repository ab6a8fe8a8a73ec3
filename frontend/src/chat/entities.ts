import { LitElement, css, html, type CSSResultGroup, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { ChatApi, EntityState } from "../api/chat.js";
import { styles } from "../styles.js";

/** The live states of the entities that a tool touched. */
@customElement("zai-chat-entities")
export class ChatEntities extends LitElement {
  static override styles: CSSResultGroup = [
    styles,
    css`
      ul {
        list-style: none;
        margin: 0 0 10px;
        padding: 0;
      }
      li {
        display: flex;
        justify-content: space-between;
        gap: 16px;
        padding: 8px 12px;
        border: 1px solid var(--zai-line);
        border-radius: 8px;
        background: var(--zai-surface);
      }
      b {
        font-weight: 500;
      }
    `,
  ];

  @property({ attribute: false }) api!: ChatApi;
  @property({ attribute: false }) ids: string[] = [];
  @state() private states: Record<string, EntityState> = {};
  private followed = "";
  private end: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.follow();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.end?.();
    this.end = undefined;
    this.followed = "";
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has("ids")) this.follow();
  }

  private follow(): void {
    const wanted = this.ids.join();
    if (wanted === this.followed) return;
    this.followed = wanted;
    this.end?.();
    this.end = this.api.entities(this.ids, (states) => (this.states = states));
  }

  protected override render(): TemplateResult {
    return html`<ul>
      ${this.ids.map((id) => {
        const known = this.states[id];
        return html`<li>
          <b>${known?.name ?? id}</b>
          <span>${known ? `${known.state}${known.unit ? ` ${known.unit}` : ""}` : "…"}</span>
        </li>`;
      })}
    </ul>`;
  }
}
