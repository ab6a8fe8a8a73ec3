import { css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Scanned, ScannedServer } from "../api/finding.js";
import { button } from "../elements.js";
import { plainLists } from "../styles.js";
import { View } from "./view.js";

/** A server was chosen: `zai-add-ai` adds it. */
export type ServerChosen = ScannedServer;

/** "Search my network": the servers that do not announce themselves, when somebody asks for them. */
@customElement("zai-network-scan")
export class NetworkScan extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    plainLists,
    css`
      li {
        border-top: 1px solid var(--zai-line);
        padding-top: 8px;
      }
      progress {
        width: 100%;
      }
    `,
  ];

  @state() private found: Scanned | null = null;
  @state() private share = 0;
  private ending = new AbortController();

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.ending.abort();
  }

  protected override render(): TemplateResult {
    const { texts, found } = this;
    const percent = Math.round(this.share * 100);
    return html`<section class="card" aria-labelledby="title">
      <div class="row spread below">
        <h2 id="title">${texts("add.scan")}</h2>
        ${button(this.busy ? texts("add.scanning", { percent }) : texts("add.scan"), {
          disabled: this.busy,
          press: () => this.scan(),
        })}
      </div>
      <p class="quiet">${texts("add.scan_intro")}</p>
      ${this.busy ? html`<progress max="1" .value=${this.share} aria-label=${texts("add.scan")}></progress>` : nothing}
      ${this.errorLine()}
      <div role="status">${found === null ? nothing : this.result(found)}</div>
    </section>`;
  }

  private result({ networks, servers, silent }: Scanned): TemplateResult {
    const { texts } = this;
    const where = networks.join(", ") || "–";
    return html`<p>${texts(servers.length === 0 ? "add.scan_nothing" : "add.scan_found", { networks: where })}</p>
      <ul>
        ${repeat(
          servers,
          (server) => server.base_url,
          (server) => this.server(server),
        )}
      </ul>
      ${servers.length > 0 && this.api.flows === null ? html`<p class="quiet">${texts("add.scan_served")}</p>` : nothing}
      ${silent.length > 0 ? html`<p class="quiet">${texts("add.scan_silent", { hosts: silent.join(", ") })}</p>` : nothing}`;
  }

  private server(server: ScannedServer): TemplateResult {
    const { texts, api } = this;
    const isNew = server.state === "new";
    const models = server.models.join(", ");
    return html`<li>
      <div class="row spread">
        <div>
          <b>${server.title}</b> <span class="quiet">${texts(`add.${server.state}`)}</span>
          ${server.locked ? html`<span class="quiet">· ${texts("add.needs_key")}</span>` : nothing}
          <div class="quiet">${server.base_url}${models ? ` · ${models}` : ""}</div>
        </div>
        ${
          isNew && api.flows !== null
            ? button(texts("add.add"), {
                name: texts("add.add_name", { name: server.title }),
                press: () => this.dispatchEvent(new CustomEvent<ServerChosen>("server-chosen", { detail: server })),
              })
            : nothing
        }
      </div>
      ${isNew && api.flows === null ? html`<pre>${`--upstream ${server.type}=${server.base_url}`}</pre>` : nothing}
    </li>`;
  }

  private scan(): Promise<void> {
    this.share = 0;
    this.ending = new AbortController();
    return this.run(async () => {
      this.found = await this.api.finding.scan((share) => (this.share = share), this.ending.signal);
    });
  }
}
