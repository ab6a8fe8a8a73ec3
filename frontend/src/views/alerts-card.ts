import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { AlertChoice, AlertSettings, Delivery } from "../api/alerts.js";
import { button, card, loading } from "../elements.js";
import { View, field } from "./view.js";

/** Where alerts go, what they are about, and a test. */
@customElement("zai-alerts-card")
export class AlertsCard extends View {
  @state() private settings: AlertSettings | null = null;
  @state() private saved = false;
  @state() private deliveries: Delivery[] = [];

  protected override firstUpdated(): void {
    void this.run(() => this.load());
  }

  private async load(): Promise<void> {
    this.settings = (await this.api.alerts?.settings()) ?? null;
  }

  protected override render(): TemplateResult {
    const { texts, settings } = this;
    const inner = settings === null ? (this.error ? nothing : loading(texts("common.loading"))) : this.form(settings);
    return card(html`${inner} ${this.errorLine()} ${this.results()}`, texts("alerts.title"));
  }

  private form(settings: AlertSettings): TemplateResult {
    const { texts } = this;
    const nothingSet =
      settings.notify_entities.length + settings.notify_actions.length === 0 && settings.webhook_host === null;
    const actions = [...new Set([...settings.actions, ...settings.notify_actions])];
    return html`<form @submit=${(event: SubmitEvent) => this.save(event)} @change=${() => (this.saved = false)}>
      ${nothingSet ? html`<p class="quiet">${texts("alerts.none")}</p>` : nothing}
      ${this.choices("notify_entities", texts("alerts.entities"), settings.entities, settings.notify_entities)}
      ${this.choices(
        "notify_actions",
        texts("alerts.actions"),
        actions.map((name) => ({ id: name, name })),
        settings.notify_actions,
      )}
      ${this.webhook(settings)}
      ${this.choices(
        "alert_kinds",
        texts("alerts.about"),
        settings.kinds.map((kind) => ({ id: kind, name: texts(`alerts.kind_${kind}`) })),
        settings.alert_kinds,
      )}
      <div class="row end above">
        <label
          >${texts("alerts.from")}
          <input name="alert_from" type="number" min="1" max="100" required value=${settings.alert_from} />
        </label>
        <label
          >${texts("alerts.factor")}
          <input name="key_factor" type="number" min="0" max="1000" required value=${settings.key_factor} />
        </label>
        ${button(texts("alerts.save"), { kind: "main", disabled: this.busy })}
        ${button(texts("alerts.test"), { disabled: this.busy, press: () => this.test() })}
      </div>
    </form>`;
  }

  private choices(
    name: string,
    legend: string,
    options: { id: string; name: string }[],
    chosen: string[],
  ): TemplateResult | typeof nothing {
    if (options.length === 0) return nothing;
    return html`<fieldset>
      <legend>${legend}</legend>
      ${options.map(
        (option) =>
          html`<label class="check">
            <input type="checkbox" name=${name} value=${option.id} ?checked=${chosen.includes(option.id)} />
            ${option.name}
          </label>`,
      )}
    </fieldset>`;
  }

  private webhook(settings: AlertSettings): TemplateResult {
    const { texts } = this;
    return html`<div class="row end above">
      <label
        >${texts("alerts.webhook")} <input name="webhook_url" type="url" maxlength="2048" autocomplete="off" />
      </label>
      ${
        settings.webhook_host === null
          ? nothing
          : html`<span>${texts("alerts.webhook_at", { host: settings.webhook_host })}</span>
              <label class="check"
                ><input type="checkbox" name="no_webhook" value="1" /> ${texts("alerts.webhook_remove")}</label
              >`
      }
    </div>`;
  }

  private results(): TemplateResult {
    const { texts } = this;
    return html`<div role="status">
      ${this.saved ? html`<p>${texts("alerts.saved")}</p>` : nothing}
      ${this.deliveries.map(({ sender, error }) =>
        error === null
          ? html`<p>${texts("alerts.delivered", { sender })}</p>`
          : html`<p class="error">${texts("alerts.failed", { sender, error })}</p>`,
      )}
    </div>`;
  }

  private save(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const data = new FormData(form);
    const all = (name: string): string[] => data.getAll(name).filter((value) => typeof value === "string");
    const url = field(data, "webhook_url");
    const choice: AlertChoice = {
      notify_entities: all("notify_entities"),
      notify_actions: all("notify_actions"),
      alert_kinds: all("alert_kinds"),
      alert_from: Number(field(data, "alert_from")),
      key_factor: Number(field(data, "key_factor")),
      ...(url || field(data, "no_webhook") ? { webhook_url: url } : {}),
    };
    this.deliveries = [];
    void this.run(async () => {
      await this.api.alerts?.change(choice);
      await this.load();
      this.saved = true;
      await this.updateComplete;
      form.reset(); // the URL of a webhook does not stay on the screen
    });
  }

  private test(): Promise<void> {
    this.deliveries = [];
    return this.run(async () => {
      this.deliveries = (await this.api.alerts?.test()) ?? [];
    });
  }
}
