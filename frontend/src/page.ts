import { LitElement, css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { OwnKeys } from "./api/keys.js";
import type { PageApi } from "./api/page-api.js";
import type { Live } from "./api/types.js";
import { alert } from "./elements.js";
import { styles } from "./styles.js";
import type { Texts } from "./texts.js";
import "./views/budgets.js";
import "./views/chat.js";
import "./views/keys.js";
import "./views/models.js";
import { refusals } from "./views/own-keys.js";
import "./views/overview.js";
import "./views/providers.js";
import "./views/requests.js";
import "./views/usage.js";
import "./views/why.js";

const TABS = ["overview", "chat", "providers", "usage", "requests", "keys", "budgets", "models", "why"] as const;
type Tab = (typeof TABS)[number];
/** What people who are no administrators see: their own conversations, usage, requests and keys. */
const OWN_TABS: readonly Tab[] = ["chat", "usage", "requests", "keys"];
/** What a home that keeps no records shows. */
const LOAD_TABS: readonly Tab[] = ["overview", "providers", "models", "why"];

/** The page: its tabs, and the live state that they share. */
@customElement("zai-page")
export class Page extends LitElement {
  static override styles: CSSResultGroup = [
    styles,
    css`
      :host {
        max-width: 1200px;
        margin: 0 auto;
        padding: 16px;
      }
      nav {
        display: flex;
        gap: 4px;
        overflow-x: auto;
        margin-bottom: 16px;
        border-bottom: 1px solid var(--zai-line);
      }
      nav a {
        padding: 12px;
        color: var(--zai-quiet);
        text-decoration: none;
        white-space: nowrap;
        border-bottom: 3px solid transparent;
      }
      nav a[aria-current] {
        color: var(--zai-text);
        border-color: var(--zai-accent);
        font-weight: 500;
      }
      nav a:focus-visible {
        outline-offset: -2px;
      }
    `,
  ];

  @property({ attribute: false }) api!: PageApi;
  @property({ attribute: false }) texts!: Texts;
  @property() language = "en";
  /** The tab of the address, and what is wanted there: `requests/ID`. */
  @property() tab = "";
  @property({ type: Boolean }) narrow = false;
  @state() private live: Live | null = null;
  @state() private connected = true;
  /** What a person who is blocked is told on every tab. */
  @state() private blocked: OwnKeys | null = null;
  private end: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.subscribe();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.end?.();
    this.end = undefined;
  }

  protected override firstUpdated(): void {
    this.subscribe();
    void this.findRefusal();
  }

  private async findRefusal(): Promise<void> {
    if (this.api.isAdmin) return;
    try {
      const { own } = await this.api.keys();
      if (own?.refusal === "blocked") this.blocked = own;
    } catch {
      // The tab that is shown says what is wrong.
    }
  }

  private subscribe(): void {
    if (!this.api.isAdmin) return;
    this.end = this.api.live(
      (state) => (this.live = state),
      (connected) => (this.connected = connected),
    );
  }

  private get tabs(): readonly Tab[] {
    if (!this.api.isAdmin) return OWN_TABS.filter((tab) => tab !== "chat" || this.api.can.chat);
    return this.api.can.records ? TABS : LOAD_TABS;
  }

  protected override render(): TemplateResult {
    const { tabs, texts } = this;
    const [name] = this.tab.split("/");
    const current = tabs.find((tab) => tab === name) ?? tabs[0];
    return html`<nav aria-label=${texts("common.tabs")}>
        ${tabs.map(
          (tab) =>
            html`<a href=${this.api.link(tab)} aria-current=${tab === current ? "page" : nothing}
              >${texts(`tabs.${tab}`)}</a
            >`,
        )}
      </nav>
      <div>${this.connected ? nothing : alert(texts("common.reconnecting"), "warning")}</div>
      ${this.blocked && current !== "keys" ? refusals(this.blocked, texts, this.language) : nothing}
      <main>${this.view(current ?? "usage")}</main>`;
  }

  /** What follows the name of the tab in the address, such as the id of a request. */
  private get wanted(): string {
    const rest = this.tab.slice(this.tab.indexOf("/") + 1 || this.tab.length);
    try {
      return decodeURIComponent(rest);
    } catch {
      return rest; // no valid encoding
    }
  }

  private view(tab: Tab): TemplateResult {
    const { api, texts, live, language, narrow } = this;
    switch (tab) {
      case "overview":
        return html`<zai-overview .api=${api} .texts=${texts} .live=${live} .language=${language}></zai-overview>`;
      case "chat":
        return html`<zai-chat .api=${api} .texts=${texts} .language=${language}></zai-chat>`;
      case "providers":
        return html`<zai-providers .api=${api} .texts=${texts} .live=${live} .language=${language}></zai-providers>`;
      case "usage":
        return html`<zai-usage .api=${api} .texts=${texts} .language=${language} .narrow=${narrow}></zai-usage>`;
      case "requests":
        return html`<zai-requests
          .api=${api}
          .texts=${texts}
          .language=${language}
          .wanted=${this.wanted}
        ></zai-requests>`;
      case "keys":
        return html`<zai-keys .api=${api} .texts=${texts} .language=${language}></zai-keys>`;
      case "budgets":
        return html`<zai-budgets .api=${api} .texts=${texts} .live=${live} .language=${language}></zai-budgets>`;
      case "models":
        return html`<zai-models .api=${api} .texts=${texts} .live=${live} .language=${language}></zai-models>`;
      case "why":
        return html`<zai-why .api=${api} .texts=${texts} .live=${live} .language=${language}></zai-why>`;
    }
  }
}
