import { css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Words } from "../api/records.js";
import type { RequestRecord } from "../api/types.js";
import { amount, count, duration } from "../format.js";
import { View } from "./view.js";
import { waterfall } from "./waterfall.js";

/** Everything that is known of one request. */
@customElement("zai-request-detail")
export class RequestDetail extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    css`
      .waterfall {
        list-style: none;
        margin: 0 0 16px;
        padding: 0;
      }
      .waterfall li {
        display: grid;
        grid-template-columns: minmax(9rem, 14rem) 5rem 1fr;
        gap: 8px;
        align-items: center;
        margin: 4px 0;
      }
      .waterfall .number {
        text-align: end;
        font-variant-numeric: tabular-nums;
      }
      .track {
        display: block;
        height: 12px;
        border-radius: 4px;
        background: var(--zai-line);
        overflow: hidden;
      }
      .track > span {
        display: block;
        height: 100%;
        min-width: 2px;
        background: var(--zai-good);
      }
      .track > .waiting,
      .track > .rest {
        background: var(--zai-quiet);
      }
      .track > .attempt {
        background: var(--zai-bad);
      }
      .track > .first_byte,
      .track > .first_token {
        background: var(--zai-warn);
      }
      pre {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        max-height: 40vh;
        overflow-y: auto;
      }
      @media (max-width: 600px) {
        .waterfall li {
          grid-template-columns: 1fr auto;
        }
        .track {
          grid-column: 1 / -1;
        }
        dl {
          grid-template-columns: 1fr;
          gap: 0;
        }
        dd {
          margin-bottom: 8px;
        }
      }
    `,
  ];

  @property({ attribute: false }) record!: RequestRecord;
  @state() private words: Words | null | undefined;

  protected override render(): TemplateResult {
    const { record, texts, language } = this;
    const cost = (value: number | null, currency = record.currency): string | null =>
      value === null ? null : amount(value, currency, language);
    const converted = record.converted_currency !== record.currency ? record.converted_currency : null;
    const facts: [string, string | number | null][] = [
      ["requests.id", record.id],
      ["requests.answer_id", record.answer_id],
      ["requests.requested_model", record.requested_model],
      ["requests.source", texts(`sources.${record.source}`)],
      ["requests.key", record.key],
      ["requests.address", record.address],
      ["requests.labels", record.labels.join(", ")],
      ["requests.provider_health", record.provider_health && texts(`states.${record.provider_health}`)],
      ["requests.attempts", record.attempts],
      ["requests.error_code", record.error_code],
      ["requests.finish", record.finish_reason],
      ["requests.prompt_tokens", count(record.tokens_prompt, language)],
      ["requests.cached_tokens", record.tokens_cached ? count(record.tokens_cached, language) : null],
      ["requests.answer_tokens", count(record.tokens_completion, language)],
      ["requests.reasoning_tokens", record.tokens_reasoning ? count(record.tokens_reasoning, language) : null],
      [
        "requests.audio_seconds",
        record.audio_seconds === null ? null : duration(record.audio_seconds * 1000, language),
      ],
      [
        "requests.speech_characters",
        record.speech_characters === null ? null : count(record.speech_characters, language),
      ],
      ["requests.prompt_cost", cost(record.cost_prompt)],
      ["requests.answer_cost", cost(record.cost_completion)],
      ["requests.total_cost", cost(record.cost)],
      ["requests.converted_cost", converted === null ? null : cost(record.converted_cost, converted)],
      ["requests.cost_source", record.cost_source && texts(`cost_sources.${record.cost_source}`)],
      ["requests.energy", record.energy_wh === null ? null : `${count(round(record.energy_wh), language)} Wh`],
      ["requests.first_token", record.latency_ms === null ? null : duration(record.latency_ms, language)],
      ["requests.speed", record.tokens_per_second],
    ];
    return html`${waterfall(record, texts, language)}
      <dl>
        ${facts
          .filter(([, value]) => value !== null && value !== "")
          .map(
            ([key, value]) =>
              html`<dt class="quiet">${texts(key)}</dt>
                <dd>${value}</dd>`,
          )}
        ${this.attempts()}
      </dl>
      <p class="row">
        <a href=${this.api.link(`requests/${encodeURIComponent(record.id)}`)}>${texts("requests.link")}</a>
        ${
          this.words === undefined
            ? html`<button ?disabled=${this.busy} @click=${() => this.showWords()}>${texts("requests.words")}</button>`
            : nothing
        }
      </p>
      ${this.errorLine()} ${this.said()}`;
  }

  private attempts(): TemplateResult | typeof nothing {
    const { record, texts } = this;
    if (record.failed_attempts.length === 0) return nothing;
    return html`<dt class="quiet">${texts("requests.failed_attempts")}</dt>
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
      </dd>`;
  }

  private said(): TemplateResult | typeof nothing {
    const { words, texts } = this;
    if (words === undefined) return nothing;
    if (words === null) return html`<p class="quiet">${texts("requests.no_words")}</p>`;
    return html`<h3>${texts("requests.prompt")}</h3>
      <pre tabindex="0">${words.request}</pre>
      <h3>${texts("requests.answer")}</h3>
      <pre tabindex="0">${words.answer}</pre>`;
  }

  private showWords(): Promise<void> {
    return this.run(async () => {
      this.words = await this.api.records.words(this.record.id);
    });
  }
}

const round = (value: number): number => Number(value.toPrecision(3));
