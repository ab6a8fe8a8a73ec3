import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { Callers, Named, Why } from "../api/routing.js";
import { button } from "../elements.js";
import { amount, count } from "../format.js";
import { View, field } from "./view.js";

/** Why a request would go where: candidates, order, reasons and the most that each may charge. Nothing is sent. */
@customElement("zai-why")
export class WhyView extends View {
  @state() private plan: Why | null = null;
  @state() private callers: Callers = { keys: [], users: [] };

  protected override firstUpdated(): void {
    void this.run(async () => {
      if (this.api.can.records) this.callers = await this.api.routing.callers();
    });
  }

  protected override render(): TemplateResult {
    const { texts } = this;
    const models = [...new Set((this.live?.members ?? []).flatMap((member) => member.models.map((model) => model.id)))];
    return html`<form class="card" @submit=${(event: SubmitEvent) => this.ask(event)}>
        <h2>${texts("why.title")}</h2>
        <p class="quiet" id="hint">${texts("why.hint")}</p>
        <label class="wide"
          >${texts("why.text")}
          <textarea name="text" rows="5" required aria-describedby="hint" spellcheck="false"></textarea>
        </label>
        <div class="row above end">
          <label
            >${texts("requests.model")}
            <input name="model" list="models" placeholder="auto" autocomplete="off" />
            <datalist id="models">${models.map((model) => html`<option value=${model}></option>`)}</datalist>
          </label>
          ${this.askers()} ${button(texts("why.ask"), { kind: "main", disabled: this.busy })}
        </div>
      </form>
      ${this.errorLine()} ${this.plan ? this.answer(this.plan) : nothing}`;
  }

  private askers(): TemplateResult | typeof nothing {
    const { texts } = this;
    const { keys, users } = this.callers;
    if (keys.length + users.length === 0) return nothing;
    const group = (kind: "key" | "user", named: Named[]): TemplateResult | typeof nothing =>
      named.length === 0
        ? nothing
        : html`<optgroup label=${texts(`why.${kind}s`)}>
            ${named.map(({ id, name }) => html`<option value=${`${kind}_id:${id}`}>${name}</option>`)}
          </optgroup>`;
    return html`<label
      >${texts("why.as")}
      <select name="asker">
        <option value="">${texts("why.anybody")}</option>
        ${group("key", keys)} ${group("user", users)}
      </select>
    </label>`;
  }

  private answer(plan: Why): TemplateResult {
    const { texts } = this;
    return html`<div class="card" role="status">
      <p class="quiet">
        ${texts(`why.form_${plan.form}`, { model: plan.requested_model })}
        ${plan.asker ? texts("why.asked_as", { name: plan.asker }) : nothing}
        ${plan.needs.length > 0 ? texts("why.needs", { needs: plan.needs.map((need) => texts(`needs.${need}`)).join(", ") }) : nothing}
      </p>
      ${plan.error ? html`<p class="error">${plan.error}</p>` : nothing} ${this.candidates(plan)}
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

  private candidates(plan: Why): TemplateResult | typeof nothing {
    const { texts, language } = this;
    if (plan.candidates.length === 0) return nothing;
    return html`<p>
        ${texts("why.order", { strategy: texts(`strategies.${plan.strategy}`), tokens: count(plan.prompt_tokens, language) })}
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
                ${count(one.running, language)}${one.limit === null ? nothing : html` / ${count(one.limit, language)}`}
                ${one.now ? nothing : html` · ${texts("why.last_resort")}`}
              </span>
            </li>`,
        )}
      </ol>`;
  }

  private ask(event: SubmitEvent): void {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const model = field(data, "model");
    const [kind, id] = field(data, "asker").split(/:(.*)/s);
    void this.run(async () => {
      this.plan = null;
      this.plan = await this.api.routing.why({
        text: field(data, "text"),
        ...(model && { model }),
        ...(kind && id ? { [kind]: id } : {}),
      });
    });
  }
}
