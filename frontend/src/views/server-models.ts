import { css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { ModelServer, Pull, ServerModel } from "../api/server-models.js";
import { button } from "../elements.js";
import { blockRows } from "../styles.js";
import { View, field } from "./view.js";

const LOOK_MS = 1000;

/** The models that servers hold: loaded, unloaded, downloaded with progress, and deleted. */
@customElement("zai-server-models")
export class ServerModelsView extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    blockRows,
    css`
      progress {
        width: 100%;
      }
    `,
  ];

  @state() private servers: ModelServer[] = [];
  /** The model whose deletion is to be confirmed: server and name. */
  @state() private deleting: [string, string] | null = null;
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
    this.servers = await this.api.serverModels.list();
    clearTimeout(this.timer);
    const running = this.servers.some(({ pulls }) => pulls.some((pull) => pull.state === "running"));
    if (running && this.isConnected)
      this.timer = window.setTimeout(() => void this.load().catch(() => undefined), LOOK_MS);
  }

  protected override render(): TemplateResult | typeof nothing {
    if (this.servers.length === 0) return this.error ? html`${this.errorLine()}` : nothing;
    return html`${this.errorLine()}
    ${repeat(
      this.servers,
      (server) => server.backend_id,
      (server) => this.server(server),
    )}`;
  }

  private server(server: ModelServer): TemplateResult {
    const { texts } = this;
    return html`<section class="card" aria-label=${texts("server_models.of", { name: server.name })}>
      <h2>${texts("server_models.of", { name: server.name })}</h2>
      ${server.error === null ? nothing : html`<p class="quiet">${server.error}</p>`}
      ${
        server.models.length === 0
          ? nothing
          : html`<div class="scroll" tabindex="0">
              <table class="blocks">
                <thead>
                  <tr>
                    <th scope="col">${texts("server_models.model")}</th>
                    <th scope="col">${texts("server_models.size")}</th>
                    <th scope="col">${texts("server_models.memory")}</th>
                    <th scope="col">${texts("server_models.actions")}</th>
                  </tr>
                </thead>
                <tbody>
                  ${repeat(
                    server.models,
                    (model) => model.name,
                    (model) => this.model(server, model),
                  )}
                </tbody>
              </table>
            </div>`
      }
      ${server.pulls.map((pull) => this.pull(server, pull))}
      ${server.can.includes("pull") ? this.download(server) : nothing}
    </section>`;
  }

  private model(server: ModelServer, model: ServerModel): TemplateResult {
    const { texts } = this;
    const act = model.loaded ? "unload" : "load";
    const asks = this.deleting?.[0] === server.backend_id && this.deleting[1] === model.name;
    return html`<tr>
      <td>
        ${model.name} ${model.loaded ? html`<span class="quiet">${texts("server_models.loaded")}</span>` : nothing}
      </td>
      <td data-label=${texts("server_models.size")}>${this.bytes(model.size)}</td>
      <td data-label=${texts("server_models.memory")}>${this.bytes(model.memory)}</td>
      <td>
        <div class="row">
          ${
            server.can.includes(act)
              ? button(texts(`server_models.${act}`), {
                  disabled: this.busy,
                  name: texts(`server_models.${act}_name`, { name: model.name }),
                  press: () => this.act(() => this.api.serverModels[act](server.backend_id, model.name)),
                })
              : nothing
          }
          ${
            server.can.includes("delete")
              ? asks
                ? html`${button(texts("server_models.delete_sure"), {
                    disabled: this.busy,
                    press: () => this.act(() => this.api.serverModels.remove(server.backend_id, model.name)),
                  })}
                  ${button(texts("common.cancel"), { press: () => (this.deleting = null) })}`
                : button(texts("server_models.delete"), {
                    disabled: this.busy,
                    name: texts("server_models.delete_name", { name: model.name }),
                    press: () => (this.deleting = [server.backend_id, model.name]),
                  })
              : nothing
          }
        </div>
      </td>
    </tr>`;
  }

  private pull(server: ModelServer, pull: Pull): TemplateResult {
    const { texts } = this;
    const share = pull.completed === null || pull.total === null ? null : pull.completed / pull.total;
    const running = pull.state === "running";
    return html`<div role="status">
      <div class="row spread">
        <span
          >${texts(`server_models.pull_${pull.state}`, { name: pull.model, status: pull.error ?? pull.status })}</span
        >
        ${
          running
            ? button(texts("server_models.stop"), {
                name: texts("server_models.stop_name", { name: pull.model }),
                press: () => this.act(() => this.api.serverModels.cancel(server.backend_id, pull.model)),
              })
            : nothing
        }
      </div>
      ${
        running
          ? share === null
            ? html`<progress aria-label=${pull.model}></progress>`
            : html`<progress max="1" .value=${share} aria-label=${pull.model}></progress>
                <span class="quiet">${this.bytes(pull.completed)} / ${this.bytes(pull.total)}</span>`
          : nothing
      }
    </div>`;
  }

  private download(server: ModelServer): TemplateResult {
    const { texts } = this;
    return html`<form class="row end" @submit=${(event: SubmitEvent) => this.start(event, server)}>
      <label
        >${texts("server_models.download")}
        <input name="model" required maxlength="256" autocomplete="off" placeholder="qwen3:8b" />
      </label>
      ${button(texts("server_models.pull"), { kind: "main", disabled: this.busy })}
    </form>`;
  }

  private start(event: SubmitEvent, server: ModelServer): void {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    void this.act(async () => {
      await this.api.serverModels.pull(server.backend_id, field(new FormData(form), "model"));
      form.reset();
    });
  }

  private act(action: () => Promise<void>): Promise<void> {
    return this.run(async () => {
      try {
        await action();
      } finally {
        this.deleting = null;
        await this.load();
      }
    });
  }

  private bytes(number: number | null): string {
    if (number === null) return "–";
    const format = { style: "unit", unit: "gigabyte", maximumFractionDigits: 1 } as const;
    return new Intl.NumberFormat(this.language, format).format(number / 1e9);
  }
}
