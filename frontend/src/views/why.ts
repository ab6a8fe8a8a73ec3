import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { Why } from "../api/types.js";
import { amount, count } from "../format.js";
import { View, field } from "./view.js";

/** Why a request would go where: candidates, order, reasons and the most that each may charge. Nothing is sent. */
@customElement("zai-why")
export class WhyView extends View {
  @state() private plan: Why | null = null;

  protected override render(): TemplateResult {
    const { texts } = this;
    const models = [...new Set((this.live?.members ?? []).flatMap((member) => member.models.map((model) => model.id)))];
    return html`<form class="card" @submit=${(event: SubmitEvent) => this.ask(event)}>
        <h2>${texts("why.title")}</h2>
        <p class="quiet">${texts("why.hint")}</p>
        <label class="wide">${texts("why.text")} <textarea name="text" rows="3" required></textarea></label>
        <div class="row above">
          <label
            >${texts("requests.model")}
            <input name="model" list="models" value="auto" autocomplete="off" />
            <datalist id="models">${models.map((model) => html`<option value=${model}></option>`)}</datalist>
          </label>
          <button class="main" ?disabled=${this.busy}>${texts("why.ask")}</button>
        </div>
      </form>
      ${this.errorLine()} ${this.plan ? this.answer(this.plan) : nothing}`;
  }

  private answer(plan: Why): TemplateResult {
    const { texts, language } = this;
    return html`<div class="card" role="status">
      ${plan.error ? html`<p class="error">${plan.error}</p>` : nothing}
      ${
        plan.candidates.length
          ? html`<p>
                ${texts("why.order", { strategy: texts(`strategies.${plan.strategy}`), tokens: plan.prompt_tokens })}
              </p>
              <ol>
                ${plan.candidates.map(
                  (one) =>
                    html`<li>
                      <b>${one.backend}</b> · ${one.model}
                      <span class="quiet">
                        ${
                          one.most === null || one.currency === null
                            ? texts(`costs.${one.cost}`)
                            : texts("why.most", { cost: amount(one.most, one.currency, language) })
                        }
                        · ${texts("providers.running")}:
                        ${count(one.running, language)}${
                          one.limit === null ? nothing : html` / ${count(one.limit, language)}`
                        }
                        ${one.now ? nothing : html` · ${texts("why.last_resort")}`}
                      </span>
                    </li>`,
                )}
              </ol>`
          : nothing
      }
      ${
        plan.rejections.length
          ? html`<h2>${texts("why.not")}</h2>
              <ul>
                ${plan.rejections.map(
                  (one) => html`<li>${one.backend ? html`<b>${one.backend}</b>: ` : nothing}${one.reason}</li>`,
                )}
              </ul>`
          : nothing
      }
    </div>`;
  }

  private ask(event: SubmitEvent): void {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const model = field(data, "model") || "auto";
    void this.run(async () => {
      this.plan = await this.api.why({ model, messages: [{ role: "user", content: field(data, "text") }] });
    });
  }
}
