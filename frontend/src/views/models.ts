import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Models } from "../api/routing.js";
import { button } from "../elements.js";
import type { AliasChange } from "./alias-card.js";
import "./alias-card.js";
import "./model-table.js";
import "./server-models.js";
import { View, field } from "./view.js";

/** Names for chains of models, the strategy in words, and all models of the home. */
@customElement("zai-models")
export class ModelsView extends View {
  @state() private models: Models | null = null;
  private seen = "";

  protected override updated(changed: PropertyValues<this>): void {
    if (!changed.has("live") && this.seen) return;
    // What an alias means changes with the providers, not with each request.
    const members = this.live?.members ?? [];
    const now = JSON.stringify(
      members.map((one) => [
        one.id,
        one.state,
        one.enabled,
        one.priority,
        one.models_total,
        one.models.map((model) => model.warm),
      ]),
    );
    if (now === this.seen) return;
    this.seen = now;
    void this.run(() => this.load());
  }

  private async load(): Promise<void> {
    this.models = await this.api.routing.models();
  }

  protected override render(): TemplateResult {
    const { texts, models } = this;
    if (models === null)
      return html`${this.errorLine()}
        <p class="quiet">${texts("common.loading")}</p>`;
    const known = [...models.aliases.map((alias) => alias.name), ...models.models.map((model) => model.id)];
    return html`${this.errorLine()}
      <div class="card">
        <h2>${texts("models.strategy")}</h2>
        ${this.strategy(models)}
        ${models.editable ? nothing : html`<p class="quiet">${texts(this.api.settings ? "models.no_gateway" : "models.configured")}</p>`}
      </div>
      ${repeat(
        models.aliases,
        (alias) => alias.name,
        (alias) =>
          html`<zai-alias-card
            .alias=${alias}
            .texts=${texts}
            .known=${known}
            .strategies=${models.strategies}
            .editable=${models.editable}
            .busy=${this.busy}
            @change-alias=${(event: AliasChange) => this.change(event)}
          ></zai-alias-card>`,
      )}
      ${models.editable ? this.newAlias(known) : nothing}
      <zai-model-table .models=${models} .texts=${texts} .language=${this.language}></zai-model-table>
      <zai-server-models .api=${this.api} .texts=${texts} .language=${this.language}></zai-server-models>`;
  }

  private strategy(models: Models): TemplateResult {
    const { texts } = this;
    if (!models.editable) return html`<p>${texts(`strategy_sentences.${models.strategy}`)}</p>`;
    return html`<label class="wide"
      >${texts("models.strategy_for_all")}
      <select
        ?disabled=${this.busy}
        @change=${(event: Event) => {
          const { value } = event.target as HTMLSelectElement;
          void this.save(() => this.api.routing.setStrategy(value));
        }}
      >
        ${models.strategies.map(
          (strategy) =>
            html`<option value=${strategy} ?selected=${strategy === models.strategy}>
              ${texts(`strategy_sentences.${strategy}`)}
            </option>`,
        )}
      </select>
    </label>`;
  }

  private newAlias(known: string[]): TemplateResult {
    const { texts } = this;
    return html`<form class="card" @submit=${(event: SubmitEvent) => this.create(event)}>
      <h2>${texts("models.new")}</h2>
      <p class="quiet">${texts("models.new_hint")}</p>
      <div class="row end">
        <label>${texts("models.name")} <input name="name" required maxlength="256" autocomplete="off" /></label>
        <label
          >${texts("models.first")}
          <input name="target" list="targets" required maxlength="256" autocomplete="off" />
          <datalist id="targets">${known.map((name) => html`<option value=${name}></option>`)}</datalist>
        </label>
        ${button(texts("models.create"), { kind: "main", disabled: this.busy })}
      </div>
    </form>`;
  }

  private create(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const data = new FormData(form);
    const alias = { name: field(data, "name"), targets: [field(data, "target")], strategy: null };
    void this.save(async () => {
      await this.api.routing.setAlias(alias, true);
      form.reset();
    });
  }

  private async change(event: AliasChange): Promise<void> {
    const { detail, target: card } = event;
    await this.save(() =>
      "remove" in detail ? this.api.routing.removeAlias(detail.remove) : this.api.routing.setAlias(detail.alias),
    );
    await this.updateComplete;
    card?.dispatchEvent(new Event("saved"));
  }

  private save(action: () => Promise<void>): Promise<void> {
    return this.run(async () => {
      await action();
      await this.load();
    });
  }
}
