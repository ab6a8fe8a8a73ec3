import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { RequestFilter, RequestRecord } from "../api/types.js";
import { amount, count, duration, moment } from "../format.js";
import { View } from "./view.js";

/** The records of the last days, page by page, without prompts and answers. */
@customElement("zai-requests")
export class Requests extends View {
  @state() private records: RequestRecord[] = [];
  @state() private next: string | null = null;
  @state() private filter: RequestFilter = {};
  @state() private open: string | null = null;
  @state() private loaded = false;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load({});
  }

  private load(filter: RequestFilter): Promise<void> {
    this.filter = filter;
    return this.run(async () => {
      const page = await this.api.requests(filter, null);
      if (filter !== this.filter) return; // another filter was chosen meanwhile
      this.records = page.requests;
      this.next = page.next;
      this.loaded = true;
    });
  }

  private more(): Promise<void> {
    const { filter, next } = this;
    return this.run(async () => {
      const page = await this.api.requests(filter, next);
      if (filter !== this.filter) return;
      this.records = [...this.records, ...page.requests];
      this.next = page.next;
    });
  }

  private pick(change: { [name in keyof RequestFilter]: RequestFilter[name] | undefined }): void {
    const kept = Object.entries({ ...this.filter, ...change }).filter(
      ([, value]) => value !== undefined && value !== "",
    );
    void this.load(Object.fromEntries(kept));
  }

  protected override render(): TemplateResult {
    const { texts } = this;
    const members = this.live?.members ?? [];
    return html`<div class="card row">
        <label
          >${texts("requests.outcome")}
          <select
            @change=${(event: Event) =>
              this.pick({
                outcome: ((event.target as HTMLSelectElement).value || undefined) as RequestFilter["outcome"],
              })}
          >
            <option value="">${texts("requests.any")}</option>
            ${(["ok", "error", "cancelled"] as const).map(
              (outcome) => html`<option value=${outcome}>${texts(`requests.${outcome}`)}</option>`,
            )}
          </select>
        </label>
        ${
          members.length
            ? html`<label
                >${texts("requests.provider")}
                <select
                  @change=${(event: Event) =>
                    this.pick({ backend_id: (event.target as HTMLSelectElement).value || undefined })}
                >
                  <option value="">${texts("requests.any")}</option>
                  ${members.map((member) => html`<option value=${member.id}>${member.name}</option>`)}
                </select>
              </label>`
            : nothing
        }
        <label
          >${texts("requests.model")}
          <input
            type="search"
            @change=${(event: Event) => this.pick({ model: (event.target as HTMLInputElement).value.trim() || undefined })}
          />
        </label>
        <label
          >${texts("requests.find_id")}
          <input
            type="search"
            maxlength="200"
            @change=${(event: Event) =>
              this.pick({ request_id: (event.target as HTMLInputElement).value.trim() || undefined })}
          />
        </label>
        <label
          >${texts("requests.label")}
          <input
            type="search"
            maxlength="50"
            @change=${(event: Event) => this.pick({ label: (event.target as HTMLInputElement).value.trim() || undefined })}
          />
        </label>
        <button @click=${() => this.load({ ...this.filter })}>${texts("requests.refresh")}</button>
      </div>
      ${this.errorLine()}
      ${
        this.records.length === 0
          ? html`<div class="card quiet">${texts(this.loaded ? "requests.empty" : "common.loading")}</div>`
          : this.list()
      }`;
  }

  private list(): TemplateResult {
    const { texts, language } = this;
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
          ${repeat(
            this.records,
            (record) => record.id + String(record.created),
            (record) =>
              html`<tr>
                  <td>
                    <button
                      aria-expanded=${this.open === record.id ? "true" : "false"}
                      @click=${() => (this.open = this.open === record.id ? null : record.id)}
                    >
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
                ${this.open === record.id ? this.detail(record) : nothing}`,
          )}
        </tbody>
      </table>
      ${
        this.next === null
          ? nothing
          : html`<p><button ?disabled=${this.busy} @click=${() => this.more()}>${texts("requests.more")}</button></p>`
      }
    </div>`;
  }

  private detail(record: RequestRecord): TemplateResult {
    const { texts, language } = this;
    const cost = (value: number | null): string | null =>
      value === null ? null : amount(value, record.currency, language);
    const facts: [string, string | number | null][] = [
      ["requests.id", record.id],
      ["requests.answer_id", record.answer_id],
      ["requests.requested_model", record.requested_model],
      ["requests.source", texts(`sources.${record.source}`)],
      ["requests.address", record.address],
      ["requests.labels", record.labels.join(", ") || null],
      ["requests.provider_health", record.provider_health && texts(`states.${record.provider_health}`)],
      ["requests.attempts", record.attempts],
      ["requests.error_code", record.error_code],
      ["requests.finish", record.finish_reason],
      ["requests.prompt_tokens", count(record.tokens_prompt, language)],
      ["requests.cached_tokens", record.tokens_cached ? count(record.tokens_cached, language) : null],
      ["requests.answer_tokens", count(record.tokens_completion, language)],
      ["requests.reasoning_tokens", record.tokens_reasoning ? count(record.tokens_reasoning, language) : null],
      ["requests.prompt_cost", cost(record.cost_prompt)],
      ["requests.answer_cost", cost(record.cost_completion)],
      ["requests.total_cost", cost(record.cost)],
      ["requests.cost_source", record.cost_source && texts(`cost_sources.${record.cost_source}`)],
      ["requests.first_token", record.latency_ms === null ? null : duration(record.latency_ms, language)],
      ["requests.speed", record.tokens_per_second],
    ];
    const first = record.latency_ms ?? record.duration_ms;
    return html`<tr>
      <td colspan="8">
        <div
          class="bar parts"
          role="img"
          aria-label=${texts("requests.waterfall")}
          title=${texts("requests.waterfall")}
        >
          <div class="quiet-part" .style=${`width: ${(first / Math.max(1, record.duration_ms)) * 100}%`}></div>
          <div class="rest"></div>
        </div>
        <dl>
          ${facts
            .filter(([, value]) => value !== null && value !== "")
            .map(
              ([key, value]) =>
                html`<dt class="quiet">${texts(key)}</dt>
                  <dd>${value}</dd>`,
            )}
          ${
            record.failed_attempts.length === 0
              ? nothing
              : html`<dt class="quiet">${texts("requests.failed_attempts")}</dt>
                  <dd>
                    <ol>
                      ${record.failed_attempts.map(
                        ({ backend_name, model, reason, code }) =>
                          html`<li>
                            ${texts("requests.failed_attempt", {
                              provider: backend_name,
                              model,
                              reason: reason || code || texts("usage.unknown"),
                            })}
                          </li>`,
                      )}
                    </ol>
                  </dd>`
          }
        </dl>
      </td>
    </tr>`;
  }
}
