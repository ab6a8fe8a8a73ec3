import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import {
  firstValues,
  menuOf,
  type FlowKind,
  type Flows,
  type FlowStep,
  type Localize,
  type Values,
} from "../api/flows.js";
import type { FormField } from "../api/flows.js";
import { button, homeForm, markdown } from "../elements.js";
import { View } from "./view.js";

/** How a flow ended, as the detail of the event `flow-end`. */
export interface FlowEnd {
  kind: FlowKind;
  /** The last step; null: it was cancelled. */
  step: FlowStep | null;
}

/** The steps of one of Home Assistant's flows, with its own texts and form. */
@customElement("zai-flow")
export class FlowView extends View {
  @property({ attribute: false }) flows!: Flows;
  @property({ attribute: false }) kind!: FlowKind;
  /** The step that is shown first. */
  @property({ attribute: false }) step!: FlowStep;
  @state() private localize: Localize | null = null;
  @state() private values: Values = {};

  override connectedCallback(): void {
    super.connectedCallback();
    void this.run(async () => {
      this.localize = await this.flows.texts();
    });
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("step")) this.values = firstValues(this.step.data_schema ?? []);
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has("step") && this.step.type !== "create_entry") this.renderRoot.querySelector("h2")?.focus();
  }

  protected override render(): TemplateResult {
    const { step, localize, texts } = this;
    if (localize === null)
      return html`${this.errorLine()}
        <p class="quiet">${texts("common.loading")}</p>`;
    const title = this.text(`step.${step.step_id ?? ""}.title`) || texts("add.title");
    return html`<section aria-label=${title}>
      <h2 tabindex="-1">${title}</h2>
      ${this.errorLine()}${this.body()}
    </section>`;
  }

  private body(): TemplateResult {
    const { step, texts } = this;
    switch (step.type) {
      case "menu":
        return html`${this.description(`step.${step.step_id}.description`)}
          <div class="row">
            ${menuOf(step).map((option) =>
              button(this.text(`step.${step.step_id}.menu_options.${option}`) || option, {
                disabled: this.busy,
                press: () => this.send({ next_step_id: option }),
              }),
            )}
          </div>
          <div class="row above">${this.cancelButton()}</div>`;
      case "form":
        return this.form();
      case "abort":
        return html`${this.description(`abort.${step.reason}`, step.reason)}
          <div class="row above">${button(texts("common.done"), { press: () => this.end(step) })}</div>`;
      default:
        return html`<p>${texts("add.elsewhere")}</p>
          <div class="row above">
            ${this.api.settings ? html`<a href=${this.api.settings}>${texts("add.settings")}</a>` : nothing}
            ${this.cancelButton()}
          </div>`;
    }
  }

  private form(): TemplateResult {
    const { step, texts } = this;
    const form = homeForm({
      hass: this.flows.hass,
      schema: step.data_schema ?? [],
      values: this.values,
      errors: step.errors ?? {},
      label: (field, section) =>
        field.type === "expandable"
          ? this.text(`step.${step.step_id}.sections.${field.name}.name`) || field.name
          : this.fieldText("data", field, section) || field.name,
      helper: (field, section) =>
        field.type === "expandable" ? "" : this.fieldText("data_description", field, section),
      error: (error) => this.text(`error.${error}`) || error,
      localizeValue: (key) => this.localize?.(`selector.${key}`) ?? key,
      changed: (values) => (this.values = values),
    });
    if (form === null)
      return html`<p>${texts("add.elsewhere")}</p>
        ${this.api.settings ? html`<a href=${this.api.settings}>${texts("add.settings")}</a>` : nothing}`;
    return html`<form
      @submit=${(event: SubmitEvent) => {
        event.preventDefault();
        void this.send(without(this.values));
      }}
    >
      ${this.description(`step.${step.step_id}.description`)}${form}
      <div class="row above">
        ${button(texts(this.busy ? "add.checking" : "add.submit"), {
          kind: "main",
          disabled: this.busy,
          press: () => this.send(without(this.values)),
        })}
        ${this.cancelButton()}
      </div>
    </form>`;
  }

  private cancelButton(): TemplateResult {
    return button(this.texts("common.cancel"), { press: () => this.cancel() });
  }

  private description(key: string, otherwise = ""): TemplateResult | typeof nothing {
    const text = this.text(key) || otherwise;
    return text ? markdown(text) : nothing;
  }

  private fieldText(kind: string, field: FormField, section: string | undefined): string {
    return this.text(`step.${this.step.step_id}.${section ? `sections.${section}.` : ""}${kind}.${field.name}`);
  }

  private text(key: string): string {
    const base = this.kind.part === null ? "config" : `config_subentries.${this.kind.part}`;
    return this.localize?.(`${base}.${key}`, this.step.description_placeholders ?? {}) ?? "";
  }

  private send(values: Values): Promise<void> {
    return this.run(async () => {
      const next = await this.flows.answer(this.kind, this.step.flow_id, values);
      if (next.type === "create_entry") this.end(next);
      else if (next.step_id === this.step.step_id && next.type === "form") {
        const kept = this.values; // what was entered stays in the form that has an error
        this.step = next;
        await this.updateComplete;
        this.values = kept;
      } else this.step = next;
    });
  }

  private async cancel(): Promise<void> {
    await this.flows.cancel(this.kind, this.step.flow_id);
    this.end(null);
  }

  private end(step: FlowStep | null): void {
    this.dispatchEvent(new CustomEvent<FlowEnd>("flow-end", { detail: { kind: this.kind, step } }));
  }
}

/** The values that have been entered: Home Assistant wants no empty optional ones. */
function without(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}
