import { css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { KeyFields, KeyList } from "../api/keys.js";
import type { ApiKey, NewKey } from "../api/types.js";
import { button, card, loading, type ButtonKind } from "../elements.js";
import { count, moment, money } from "../format.js";
import { blockRows } from "../styles.js";
import "./authority.js";
import { monthlyBudget } from "./key-form.js";
import "./clients.js";
import "./key-form.js";
import "./new-key.js";
import { allowance, refusals } from "./own-keys.js";
import { View } from "./view.js";

/** Rows shown at once: a row has buttons, and a table of hundreds of them makes a phone slow. */
const PAGE = 25;

/** API keys: all of them for an administrator, for others their own. */
@customElement("zai-keys")
export class Keys extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    blockRows,
    css`
      .label {
        border: 1px solid var(--zai-line);
        border-radius: 12px;
        padding: 0 8px;
        font-size: 0.85rem;
      }
    `,
  ];

  @state() private list: KeyList | null = null;
  @state() private created: NewKey | null = null;
  @state() private asked: string | null = null;
  @state() private edited: string | null = null;
  @state() private search = "";
  @state() private label = "";
  @state() private shown = PAGE;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.run(() => this.load());
  }

  private async load(): Promise<void> {
    this.list = await this.api.keys();
  }

  protected override render(): TemplateResult {
    const { texts, language, list } = this;
    if (list === null)
      return html`${this.errorLine() === nothing ? loading(texts("common.loading")) : this.errorLine()}`;
    const { own } = list;
    return html`${own ? refusals(own, texts, language) : nothing}
    ${own === null || own.refusal === null ? card(this.form(null)) : nothing} ${this.errorLine()}
    ${
      this.created
        ? html`<zai-new-key
            .api=${this.api}
            .texts=${texts}
            .created=${this.created}
            .baseUrl=${list.base_url}
            .done=${() => (this.created = null)}
          ></zai-new-key>`
        : nothing
    }
    ${
      list.authority
        ? html`<zai-authority
            .api=${this.api}
            .texts=${texts}
            .authority=${list.authority}
            .baseUrl=${list.base_url}
          ></zai-authority>`
        : nothing
    }
    ${
      own === null && this.api.isAdmin
        ? html`<zai-clients
            .api=${this.api}
            .texts=${texts}
            .enrolled=${() => void this.run(() => this.load())}
          ></zai-clients>`
        : nothing
    }
    ${own ? allowance(own, texts, language) : nothing}
    ${
      list.keys.length === 0
        ? card(html`<span class="quiet">${texts(own ? "keys.none_of_yours" : "keys.empty")}</span>`)
        : this.found(list.keys)
    }`;
  }

  private form(key: ApiKey | null): TemplateResult {
    return html`<zai-key-form
      .api=${this.api}
      .texts=${this.texts}
      .language=${this.language}
      .key=${key}
      .users=${this.list?.users ?? []}
      .llmApis=${this.list?.llm_apis ?? []}
      .disabled=${this.busy}
      .save=${(fields: KeyFields & { name: string }) => (key ? this.save(key, fields) : this.create(fields))}
      .cancel=${key ? () => (this.edited = null) : null}
    ></zai-key-form>`;
  }

  private found(keys: ApiKey[]): TemplateResult {
    const { texts } = this;
    const labels = [...new Set(keys.flatMap((key) => key.labels))].sort((a, b) => a.localeCompare(b));
    const wanted = this.search.toLocaleLowerCase();
    const found = keys.filter(
      (key) =>
        (!this.label || key.labels.includes(this.label)) &&
        [key.name, key.prefix, key.user_name ?? "", ...key.labels].some((text) =>
          text.toLocaleLowerCase().includes(wanted),
        ),
    );
    const filters = html`<div class="row below">
      <label
        >${texts("keys.search")}
        <input
          type="search"
          @input=${(event: Event) => {
            this.search = (event.target as HTMLInputElement).value.trim();
            this.shown = PAGE;
          }}
        />
      </label>
      ${
        labels.length === 0
          ? nothing
          : html`<label
              >${texts("keys.label")}
              <select
                @change=${(event: Event) => {
                  this.label = (event.target as HTMLSelectElement).value;
                  this.shown = PAGE;
                }}
              >
                <option value="">${texts("keys.any")}</option>
                ${labels.map((label) => html`<option value=${label} ?selected=${label === this.label}>${label}</option>`)}
              </select>
            </label>`
      }
      <span class="quiet" role="status">${texts("keys.found", { shown: found.length, all: keys.length })}</span>
    </div>`;
    const more = found.length > this.shown;
    return card(
      html`${keys.length > 5 || labels.length ? filters : nothing}
        <div class="scroll" tabindex="0">${this.table(found.slice(0, this.shown))}</div>
        ${more ? html`<p>${button(texts("keys.more"), { press: () => (this.shown += PAGE) })}</p>` : nothing}`,
    );
  }

  private table(keys: ApiKey[]): TemplateResult {
    const { texts } = this;
    return html`<table class="blocks">
      <thead>
        <tr>
          <th scope="col">${texts("keys.name")}</th>
          <th scope="col">${texts("keys.secret")}</th>
          <th scope="col">${texts("keys.last_used")}</th>
          <th scope="col" class="number">${texts("keys.today")}</th>
          <th scope="col" class="number">${texts("keys.month")}</th>
          <th scope="col"><span class="visually-hidden">${texts("keys.actions")}</span></th>
        </tr>
      </thead>
      <tbody>
        ${repeat(
          keys,
          (key) => key.key_id,
          (key) => this.row(key),
        )}
      </tbody>
    </table>`;
  }

  private row(key: ApiKey): TemplateResult {
    const { texts, language } = this;
    const used = (requests: number, tokens: number, costs: ApiKey["cost_today"]): TemplateResult =>
      html`${texts("keys.requests", { count: count(requests, language) })}
        <div class="quiet">${texts("keys.tokens", { count: count(tokens, language) })}</div>
        <div>${money(costs, language)}</div>`;
    return html`<tr>
        <td>
          ${key.name} ${key.user_name ? html`<div class="quiet">${key.user_name}</div>` : nothing}
          <div class="row">${key.labels.map((label) => html`<span class="label">${label}</span>`)}</div>
          ${this.states(key).map((sentence) => html`<div class="error">${sentence}</div>`)}
          ${this.limits(key).map((limit) => html`<div class="quiet">${limit}</div>`)}
        </td>
        <td data-label=${texts("keys.secret")}>
          ${key.certificate_expires ? texts("keys.certificate") : nothing} <code>${key.prefix}…</code>
        </td>
        <td data-label=${texts("keys.last_used")}>
          ${key.last_used ? moment(key.last_used, language) : texts("keys.never")}
        </td>
        <td class="number" data-label=${texts("keys.today")}>
          ${used(key.requests_today, key.tokens_today, key.cost_today)}
        </td>
        <td class="number" data-label=${texts("keys.month")}>
          ${used(key.requests_month, key.tokens_month, key.cost_month)}
        </td>
        <td><div class="row">${this.actions(key)}</div></td>
      </tr>
      ${
        this.edited === key.key_id
          ? html`<tr>
              <td colspan="6">${this.form(key)}</td>
            </tr>`
          : nothing
      }`;
  }

  private states(key: ApiKey): string[] {
    const { texts } = this;
    const found: string[] = [];
    if (!key.enabled) {
      const own = this.list?.own;
      found.push(texts(own && !key.disabled_by_owner ? "keys.disabled_by_administrator" : "keys.disabled"));
    }
    const ends = [key.expires, key.certificate_expires].filter((end) => end !== null);
    if (ends.some((end) => new Date(end).getTime() <= Date.now())) found.push(texts("keys.expired"));
    return found;
  }

  private limits(key: ApiKey): string[] {
    const { texts, language } = this;
    const budget = monthlyBudget(key);
    const limits = (["requests_per_minute", "tokens_per_minute", "parallel"] as const).flatMap((limit) => {
      const value = key[limit];
      return value === null
        ? []
        : [texts("keys.limit", { what: texts(`keys.${limit}`), value: count(value, language) })];
    });
    if (budget !== null)
      limits.push(texts("keys.limit", { what: texts("keys.monthly_budget"), value: budget.toLocaleString(language) }));
    if (key.models.length)
      limits.push(texts("keys.limit", { what: texts("keys.models"), value: key.models.join(", ") }));
    if (key.expires)
      limits.push(texts("keys.limit", { what: texts("keys.expires"), value: moment(key.expires, language) }));
    if (key.certificate_expires)
      limits.push(
        texts("keys.limit", {
          what: texts("keys.certificate_until"),
          value: moment(key.certificate_expires, language),
        }),
      );
    return limits;
  }

  private actions(key: ApiKey): TemplateResult {
    const { texts, busy: disabled } = this;
    const action = (label: string, press: () => unknown, kind: ButtonKind = "usual"): TemplateResult =>
      button(texts(label), { kind, disabled, press });
    if (this.asked === key.key_id)
      return html`<span>${texts("keys.sure", { name: key.name })}</span>
        ${action("keys.revoke", () => this.revoke(key), "danger")} ${action("common.cancel", () => (this.asked = null))}`;
    const fixed = this.list?.own && !key.enabled && !key.disabled_by_owner;
    return html`${action("keys.edit", () => (this.edited = this.edited === key.key_id ? null : key.key_id))}
    ${
      key.certificate_expires
        ? this.api.isAdmin
          ? action("keys.enrol_again", () => this.enrolAgain(key))
          : nothing
        : action("keys.rotate", () => this.rotate(key))
    }
    ${fixed ? nothing : action(key.enabled ? "keys.disable" : "keys.enable", () => this.enable(key))}
    ${action("keys.revoke", () => (this.asked = key.key_id), "danger")}`;
  }

  /** Run a change and show the keys as they are then. Resolves to whether it succeeded. */
  private async change(action: () => Promise<void>): Promise<boolean> {
    let done = false;
    await this.run(async () => {
      await action();
      done = true;
      await this.load();
    });
    return done;
  }

  private create(fields: KeyFields & { name: string }): Promise<boolean> {
    return this.change(async () => {
      this.created = await this.api.createKey(fields);
    });
  }

  private async save(key: ApiKey, fields: KeyFields): Promise<boolean> {
    const done = await this.change(() => this.api.updateKey(key.key_id, fields));
    if (done) this.edited = null;
    return done;
  }

  private rotate(key: ApiKey): Promise<boolean> {
    return this.change(async () => {
      this.created = await this.api.rotateKey(key.key_id);
    });
  }

  /** Make a code for its client, which the card of client certificates then shows. */
  private async enrolAgain(key: ApiKey): Promise<void> {
    await this.run(async () => {
      const found = await this.api.clients.makeCodeFor(key.key_id);
      const card = this.renderRoot.querySelector("zai-clients");
      card?.take(found);
      card?.scrollIntoView({ block: "nearest" });
    });
  }

  private enable(key: ApiKey): Promise<boolean> {
    return this.change(() => this.api.enableKey(key.key_id, !key.enabled));
  }

  private revoke(key: ApiKey): Promise<boolean> {
    this.asked = null;
    return this.change(() => this.api.revokeKey(key.key_id));
  }
}
