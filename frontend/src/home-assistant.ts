import { LitElement, css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { HomeAssistant } from "./api/hass.js";
import { HomeAssistantApi } from "./api/home-assistant.js";
import { menuButton, useHomeElements } from "./elements.js";
import type { Texts } from "./texts.js";
import "./page.js";

/** How long the page waits for Home Assistant's elements, most of which are there before it. */
const ELEMENTS_MS = 300;
const TEXTS = "component.zeroconf_ai.config_panel.";

/** The page in Home Assistant's sidebar. Home Assistant sets `hass`, `narrow` and `route`. */
@customElement("zeroconf-ai-panel")
export class Panel extends LitElement {
  static override styles = css`
    :host {
      display: block;
      height: 100%;
      overflow-y: auto;
      background: var(--primary-background-color);
    }
    header {
      position: sticky;
      top: 0;
      z-index: 1;
      display: flex;
      align-items: center;
      gap: 8px;
      min-height: var(--header-height, 56px);
      padding: 0 12px;
      background: var(--app-header-background-color, var(--primary-color));
      color: var(--app-header-text-color, #fff);
    }
    h1 {
      font-size: 1.25rem;
      font-weight: 400;
      margin: 0;
    }
  `;

  @property({ attribute: false }) hass!: HomeAssistant;
  @property({ attribute: false }) route: { path: string } = { path: "" };
  @property({ type: Boolean }) narrow = false;
  @state() private loaded = "";
  @state() private ready = false;
  private api: HomeAssistantApi | undefined;
  private language = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void useHomeElements(ELEMENTS_MS).then(() => (this.ready = true));
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("hass")) return;
    this.api ??= new HomeAssistantApi(this.hass);
    if (this.language !== this.hass.language) {
      const language = (this.language = this.hass.language);
      void this.hass.loadBackendTranslation("config_panel", "zeroconf_ai").then(() => (this.loaded = language));
    }
  }

  private readonly texts: Texts = (key, values) => this.hass.localize(TEXTS + key, values) || key;

  protected override render(): TemplateResult {
    return html`<header>
        ${this.ready ? menuButton(this.hass, this.narrow, this.texts("common.menu")) : nothing}
        <h1>ZeroConf AI</h1>
      </header>
      ${
        this.loaded && this.ready
          ? html`<zai-page
              .api=${this.api}
              .texts=${this.texts}
              .language=${this.loaded}
              .narrow=${this.narrow}
              .tab=${this.route.path.replace(/^\//, "")}
            ></zai-page>`
          : nothing
      }`;
  }
}
