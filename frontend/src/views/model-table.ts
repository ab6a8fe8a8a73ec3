import { LitElement, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Models, ServedModel } from "../api/routing.js";
import { amount, count } from "../format.js";
import { blockRows, styles } from "../styles.js";
import type { Texts } from "../texts.js";

/** Rows at first; a cloud lists hundreds of models. */
const ROWS = 50;

/** All models of the home: where they are, what they can, and what they cost. */
@customElement("zai-model-table")
export class ModelTable extends LitElement {
  static override styles: CSSResultGroup = [styles, blockRows];

  @property({ attribute: false }) models!: Models;
  @property({ attribute: false }) texts!: Texts;
  @property() language = "en";
  @state() private wanted = "";
  @state() private rows = ROWS;

  protected override render(): TemplateResult {
    const { texts, language } = this;
    const words = this.wanted.toLowerCase().split(/\s+/);
    const found = this.models.models.flatMap(({ id, providers }) =>
      providers
        .filter((one) => {
          const text = `${id} ${one.backend} ${one.capabilities?.join(" ") ?? ""}`.toLowerCase();
          return words.every((word) => text.includes(word));
        })
        .map((provider) => ({ id, provider })),
    );
    return html`<div class="card">
      <div class="row spread below">
        <h2>${texts("models.all", { count: count(this.models.models_total, language) })}</h2>
        <label
          >${texts("models.find")}
          <input
            type="search"
            @input=${(event: Event) => {
              this.wanted = (event.target as HTMLInputElement).value.trim();
              this.rows = ROWS;
            }}
          />
        </label>
      </div>
      ${
        found.length === 0
          ? html`<p class="quiet">${texts(this.models.models_total === 0 ? "models.none" : "models.none_found")}</p>`
          : this.table(found)
      }
      ${
        found.length > this.rows
          ? html`<button class="above" @click=${() => (this.rows += 4 * ROWS)}>${texts("requests.more")}</button>`
          : nothing
      }
    </div>`;
  }

  private table(found: { id: string; provider: ServedModel }[]): TemplateResult {
    const { texts, language } = this;
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${texts("tabs.models")}>
      <table class="blocks">
        <thead>
          <tr>
            <th>${texts("requests.model")}</th>
            <th>${texts("requests.provider")}</th>
            <th class="number">${texts("models.window")}</th>
            <th>${texts("models.can")}</th>
            <th>${texts("models.price")}</th>
          </tr>
        </thead>
        <tbody>
          ${found.slice(0, this.rows).map(
            ({ id, provider }) =>
              html`<tr class=${provider.online ? "" : "quiet"}>
                <td>${id}</td>
                <td data-label=${texts("requests.provider")}>
                  ${provider.backend}${provider.warm ? ` (${texts("providers.warm")})` : ""}${
                    provider.online ? "" : ` (${texts("states.offline")})`
                  }
                </td>
                <td class="number" data-label=${texts("models.window")}>
                  ${provider.context_window === null ? "–" : count(provider.context_window, language)}
                </td>
                <td data-label=${texts("models.can")}>
                  ${provider.capabilities === null ? "–" : provider.capabilities.map((one) => texts(`needs.${one}`)).join(", ")}
                </td>
                <td data-label=${texts("models.price")}>${this.price(provider)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  private price(provider: ServedModel): string {
    const { price_prompt: prompt, price_completion: completion, currency } = provider;
    if (prompt === null || completion === null || currency === null) return this.texts(`costs.${provider.cost}`);
    return this.texts("models.prices", {
      prompt: amount(prompt, currency, this.language),
      completion: amount(completion, currency, this.language),
    });
  }
}
