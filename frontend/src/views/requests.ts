import { css, html, nothing, type CSSResultGroup, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { RequestFilter, RequestRecord } from "../api/types.js";
import { button } from "../elements.js";
import { amount, count, duration, moment } from "../format.js";
import { KEPT_DAYS, noChoices, recordChoices, type Choice, type Choices } from "./record-choices.js";
import "./request-detail.js";
import { View } from "./view.js";

const HOURS = { hour: 1, day: 24, week: KEPT_DAYS * 24 } as const;
type Period = keyof typeof HOURS;

/** The records of the last days, page by page. Prompts and answers are shown where they are kept, and on demand. */
@customElement("zai-requests")
export class Requests extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    css`
      td button {
        white-space: nowrap;
      }
      zai-request-detail {
        position: sticky;
        inset-inline-start: 0;
        max-width: calc(100vw - 72px);
      }
    `,
  ];

  /** The id of a request or of its answer, which is shown alone and open; "": all. */
  @property() wanted = "";
  @state() private records: RequestRecord[] = [];
  @state() private next: string | null = null;
  /** The cursors of the pages before this one, the newest page (null) first. */
  @state() private pages: (string | null)[] = [null];
  @state() private filter: RequestFilter = {};
  @state() private period: Period = "week";
  @state() private open: string | null = null;
  @state() private loaded = false;
  @state() private choices: Choices = noChoices;

  override connectedCallback(): void {
    super.connectedCallback();
    void recordChoices(this.api).then((choices) => (this.choices = choices));
    if (this.hasUpdated) this.load(this.filter);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("wanted")) this.load(this.wanted ? { request_id: this.wanted } : {});
  }

  private load(filter: RequestFilter, pages: (string | null)[] = [null]): void {
    this.filter = filter;
    this.pages = pages;
    const start = Math.floor(Date.now() / 1000) - HOURS[this.period] * 3600;
    void this.run(async () => {
      const asked = "request_id" in filter ? filter : { ...filter, start };
      const page = await this.api.requests(asked, pages.at(-1) ?? null);
      if (pages !== this.pages) return; // another filter or page was chosen meanwhile
      this.records = page.requests;
      this.next = page.next;
      this.loaded = true;
      const [only] = page.requests;
      this.open = filter.request_id && page.requests.length === 1 && only ? rowOf(only) : null;
    });
  }

  private pick(name: keyof RequestFilter, value: string): void {
    const kept = Object.entries({ ...this.filter, [name]: value }).filter(([, given]) => given !== "");
    this.load(Object.fromEntries(kept));
  }

  protected override render(): TemplateResult {
    const { texts, choices } = this;
    const outcomes = (["ok", "error", "cancelled"] as const).map((id) => ({ id, name: texts(`requests.${id}`) }));
    return html`<div class="card row filters">
        <label
          >${texts("requests.period")}
          <select
            @change=${(event: Event) => {
              this.period = (event.target as HTMLSelectElement).value as Period;
              this.load(this.filter);
            }}
          >
            ${(Object.keys(HOURS) as Period[]).map(
              (period) =>
                html`<option value=${period} ?selected=${period === this.period}>
                  ${texts(`requests.last_${period}`)}
                </option>`,
            )}
          </select>
        </label>
        ${this.select("outcome", "requests.outcome", outcomes)}
        ${this.select("model", "requests.model", choices.models)}
        ${this.select("backend_id", "requests.provider", choices.backends)}
        ${this.select("key_id", "requests.key", choices.keys)} ${this.select("user_id", "requests.user", choices.users)}
        ${this.select("label", "requests.label", choices.labels)}
        ${this.select("address", "requests.address", choices.addresses)}
        <label
          >${texts("requests.find_id")}
          <input
            type="search"
            maxlength="200"
            .value=${this.filter.request_id ?? ""}
            @change=${(event: Event) => this.pick("request_id", (event.target as HTMLInputElement).value.trim())}
          />
        </label>
        ${button(texts("requests.refresh"), { press: () => this.load(this.filter) })}
      </div>
      ${this.errorLine()}
      ${
        this.records.length === 0
          ? html`<div class="card quiet">${texts(this.loaded ? "requests.empty" : "common.loading")}</div>`
          : this.list()
      }`;
  }

  /** The choice of a filter; nothing if there is nothing to choose. */
  private select(name: keyof RequestFilter, text: string, options: Choice[]): TemplateResult | typeof nothing {
    const chosen = this.filter[name] ?? "";
    if (options.length === 0) return nothing;
    return html`<label
      >${this.texts(text)}
      <select @change=${(event: Event) => this.pick(name, (event.target as HTMLSelectElement).value)}>
        <option value="" ?selected=${chosen === ""}>${this.texts("requests.any")}</option>
        ${options.map(
          (option) => html`<option value=${option.id} ?selected=${chosen === option.id}>${option.name}</option>`,
        )}
      </select>
    </label>`;
  }

  private list(): TemplateResult {
    const { texts } = this;
    return html`<div class="card scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">${texts("requests.when")}</th>
            <th scope="col">${texts("requests.who")}</th>
            <th scope="col">${texts("requests.model")}</th>
            <th scope="col">${texts("requests.provider")}</th>
            <th scope="col">${texts("requests.outcome")}</th>
            <th scope="col" class="number">${texts("usage.tokens")}</th>
            <th scope="col" class="number">${texts("usage.cost")}</th>
            <th scope="col" class="number">${texts("requests.duration")}</th>
          </tr>
        </thead>
        <tbody>
          ${repeat(this.records, rowOf, (record) => this.row(record))}
        </tbody>
      </table>
      ${
        this.pages.length === 1 && this.next === null
          ? nothing
          : html`<p class="row">
              ${button(texts("requests.newer"), { disabled: this.busy || this.pages.length === 1, press: () => this.load(this.filter, this.pages.slice(0, -1)) })}
              ${button(texts("requests.older"), { disabled: this.busy || this.next === null, press: () => this.load(this.filter, [...this.pages, this.next]) })}
            </p>`
      }
    </div>`;
  }

  private row(record: RequestRecord): TemplateResult {
    const { texts, language } = this;
    const open = this.open === rowOf(record);
    return html`<tr>
        <td>
          <button aria-expanded=${open ? "true" : "false"} @click=${() => (this.open = open ? null : rowOf(record))}>
            ${moment(record.created, language)}
          </button>
        </td>
        <td>${record.who || texts(`sources.${record.source}`)}</td>
        <td>${record.model ?? record.requested_model}</td>
        <td>${record.backend_name ?? ""}</td>
        <td>${texts(`requests.${record.outcome}`)}</td>
        <td class="number">${count(record.tokens_prompt + record.tokens_completion, language)}</td>
        <td class="number">${record.cost === null ? "" : amount(record.cost, record.currency, language)}</td>
        <td class="number">${duration(record.duration_ms, language)}</td>
      </tr>
      ${
        open
          ? html`<tr>
              <td colspan="8">
                <zai-request-detail
                  .api=${this.api}
                  .texts=${texts}
                  .language=${language}
                  .record=${record}
                ></zai-request-detail>
              </td>
            </tr>`
          : nothing
      }`;
  }
}

/** A client may use an id again, so its time belongs to it. */
const rowOf = (record: RequestRecord): string => `${record.id} ${record.created}`;
