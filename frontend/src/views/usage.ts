import { css, html, nothing, type CSSResultGroup, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import type { Currency } from "../api/records.js";
import type { Money, UsageGroup, UsageReport, UsageRow } from "../api/types.js";
import { button } from "../elements.js";
import { count, isoDay, money } from "../format.js";
import { csv, save } from "./usage-files.js";
import { MEASURES, inOne, nameOf, sorted, tokens, type Measure, type Order, type Sort } from "./usage-rows.js";
import { View } from "./view.js";

const GROUPS: UsageGroup[] = ["model", "backend", "key", "user", "label", "source", "address"];
const RANGES = ["day", "week", "month", "custom"] as const;
type Range = (typeof RANGES)[number];
/** Rows of the table that are shown at once: a longer list is a download's. */
const SHOWN = 200;

/** Usage of a range of days, stacked by a group, as chart and table. */
@customElement("zai-usage")
export class Usage extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    css`
      .chart {
        position: relative;
        height: 280px;
      }
      th button {
        border: 0;
        padding: 0;
        min-height: 0;
        background: none;
        color: inherit;
      }
    `,
  ];

  @state() private range: Range = "month";
  @state() private start = "";
  @state() private end = "";
  @state() private group: UsageGroup = "model";
  @state() private measure: Measure = "requests";
  @state() private table: UsageReport | null = null;
  @state() private chart: UsageReport | null = null;
  @state() private order: Order = { sort: "requests", down: true };
  @state() private currency: Currency | null = null;
  @query("canvas") private canvas!: HTMLCanvasElement | null;
  private drawn: { destroy(): void } | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.select(this.range);
    if (this.api.isAdmin)
      this.api.records.currency().then(
        (currency) => (this.currency = currency),
        () => undefined, // amounts are then shown by currency only
      );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.drawn?.destroy();
  }

  protected override render(): TemplateResult {
    return html`<div class="card row filters">
        ${this.choice("usage.range", RANGES, this.range, (range) => this.select(range))}
        ${this.range === "custom" ? html`${this.date("usage.from", "start")}${this.date("usage.to", "end")}` : nothing}
        ${this.choice("usage.by", GROUPS, this.group, (group) => this.pick({ group }), "group_")}
        ${this.choice("usage.chart_of", MEASURES, this.measure, (measure) => (this.measure = measure), "measure_")}
        ${(["csv", "json"] as const).map((kind) =>
          button(kind.toUpperCase(), { disabled: !this.table?.rows.length, press: () => this.save(kind) }),
        )}
      </div>
      ${this.errorLine()}${this.exchange()}${this.report()}`;
  }

  private choice<T extends string>(
    text: string,
    values: readonly T[],
    chosen: T,
    onPick: (value: T) => void,
    prefix = "",
  ): TemplateResult {
    return html`<label
      >${this.texts(text)}
      <select @change=${(event: Event) => onPick((event.target as HTMLSelectElement).value as T)}>
        ${values.map(
          (value) =>
            html`<option value=${value} ?selected=${value === chosen}>
              ${this.texts(`usage.${prefix}${value}`)}
            </option>`,
        )}
      </select>
    </label>`;
  }

  private date(text: string, name: "start" | "end"): TemplateResult {
    return html`<label
      >${this.texts(text)}
      <input
        type="date"
        .value=${this[name]}
        @change=${(event: Event) => this.pick({ [name]: (event.target as HTMLInputElement).value })}
      />
    </label>`;
  }

  /** How costs in several currencies count in budgets. */
  private exchange(): TemplateResult | typeof nothing {
    const { currency, texts } = this;
    if (currency === null) return nothing;
    const note = (key: string, names: string[]): TemplateResult | typeof nothing =>
      names.length === 0
        ? nothing
        : html`<p class="card">${texts(key, { currencies: names.join(", "), currency: currency.currency })}</p>`;
    return html`${note("usage.one_to_one", currency.one_to_one)}${note("usage.no_rate", currency.missing)}`;
  }

  private report(): TemplateResult | typeof nothing {
    const { table, texts, language, order } = this;
    if (table === null) return nothing;
    if (table.rows.length === 0) return html`<div class="card quiet">${texts("usage.empty")}</div>`;
    const energy = table.total.energy_kwh > 0;
    const audio = table.total.audio_seconds > 0 || table.total.speech_characters > 0;
    const rows = sorted(table.rows, order, (row) => this.name(row));
    const cells = (row: UsageRow): TemplateResult =>
      html`<td class="number">${count(row.requests, language)}</td>
        <td class="number">${count(tokens(row), language)}</td>
        ${
          audio
            ? html`<td class="number">${count(Number((row.audio_seconds / 60).toFixed(1)), language)}</td>
                <td class="number">${count(row.speech_characters, language)}</td>`
            : nothing
        }
        <td class="number">${money(row.cost, language)}</td>
        ${
          energy
            ? html`<td class="number">${money(row.energy_cost, language)}</td>
                <td class="number">${row.energy_kwh ? count(Number(row.energy_kwh.toPrecision(3)), language) : ""}</td>`
            : nothing
        }`;
    return html`${
        this.chart
          ? html`<div class="card">
              <div class="chart">
                <canvas role="img" aria-label=${texts("usage.chart", { from: table.start, to: table.end })}></canvas>
              </div>
            </div>`
          : nothing
      }
      <div class="card scroll" tabindex="0">
        <table>
          <thead>
            <tr>
              ${this.head("name", texts(`usage.group_${this.group}`))} ${this.head("requests", texts("usage.requests"))}
              ${this.head("tokens", texts("usage.tokens"))}
              ${audio ? html`${this.head("heard", texts("usage.heard"))}${this.head("spoken", texts("usage.spoken"))}` : nothing}
              ${this.head("cost", texts("usage.cost"))}
              ${
                energy
                  ? html`${this.head("energy_cost", texts("usage.energy_cost"))}${this.head("energy", texts("usage.energy"))}`
                  : nothing
              }
            </tr>
          </thead>
          <tbody>
            ${rows.slice(0, SHOWN).map(
              (row) =>
                html`<tr>
                  <td>${this.name(row)}</td>
                  ${cells(row)}
                </tr>`,
            )}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">${texts("usage.total")}</th>
              ${cells(table.total)}
            </tr>
          </tfoot>
        </table>
        ${rows.length > SHOWN ? html`<p class="quiet">${texts("usage.more_rows", { shown: SHOWN, rows: rows.length })}</p>` : nothing}
        ${this.group === "label" ? html`<p class="quiet">${texts("usage.labels_overlap")}</p>` : nothing}
        ${table.complete ? nothing : html`<p class="quiet">${texts("usage.incomplete")}</p>`}
        ${this.converted(table.total.cost)}
      </div>`;
  }

  /** The total in the currency of budgets, if there are rates for all of it. */
  private converted(cost: Money): TemplateResult | typeof nothing {
    const { currency, language, texts } = this;
    const value = currency === null ? null : inOne(cost, currency);
    if (currency === null || value === null) return nothing;
    return html`<p class="quiet">
      ${texts("usage.converted", { amount: money({ [currency.currency]: value }, language) })}
    </p>`;
  }

  private head(sort: Sort, text: string): TemplateResult {
    const { order } = this;
    const current = order.sort === sort;
    return html`<th
      scope="col"
      class=${sort === "name" ? "" : "number"}
      aria-sort=${current ? (order.down ? "descending" : "ascending") : "none"}
    >
      <button @click=${() => (this.order = { sort, down: current ? !order.down : sort !== "name" })}>
        ${text}${current ? (order.down ? " ▾" : " ▴") : ""}
      </button>
    </th>`;
  }

  private readonly name = (row: UsageRow): string => nameOf(row, this.group, this.texts);

  private select(range: Range): void {
    this.range = range;
    const today = new Date();
    const start = new Date(today);
    if (range === "week") start.setDate(today.getDate() - 6);
    if (range === "month") start.setDate(1);
    if (range !== "custom") this.pick({ start: isoDay(start), end: isoDay(today) });
  }

  private pick(change: Partial<{ start: string; end: string; group: UsageGroup }>): void {
    this.start = change.start ?? this.start;
    this.end = change.end ?? this.end;
    this.group = change.group ?? this.group;
    if (this.start && this.end) void this.run(() => this.load());
  }

  private async load(): Promise<void> {
    const { start, end, group } = this;
    const [table, chart] = await Promise.all([
      this.api.usage(start, end, [group]),
      this.api.usage(start, end, [start === end ? "hour" : "day", group]),
    ]);
    if (start === this.start && end === this.end && group === this.group) {
      this.table = table;
      this.chart = chart.rows.length ? chart : null;
    }
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("chart") || changed.has("measure") || changed.has("currency")) void this.draw();
  }

  private async draw(): Promise<void> {
    const { stackedBars } = this.chart === null ? { stackedBars: null } : await import("../chart.js");
    // Read only now: while the module was loaded, another report or measure may have been chosen and drawn.
    const { chart, canvas, measure, currency, language } = this;
    this.drawn?.destroy();
    this.drawn = undefined;
    if (stackedBars === null || chart === null || !canvas?.isConnected) return;
    const cost = (row: UsageRow): number =>
      (currency === null ? null : inOne(row.cost, currency)) ?? Object.values(row.cost).reduce((a, b) => a + b, 0);
    const value: Record<Measure, (row: UsageRow) => number> = {
      requests: (row) => row.requests,
      tokens,
      cost,
      energy: (row) => row.energy_kwh,
    };
    const time = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
    this.drawn = stackedBars(
      canvas,
      chart.rows.map((row) => ({
        x: typeof row["hour"] === "string" ? time.format(new Date(row["hour"])) : text(row["day"]),
        name: this.name(row),
        value: value[measure](row),
      })),
      measure === "requests" || measure === "tokens",
    );
  }

  private save(format: "csv" | "json"): void {
    const { table } = this;
    if (table === null) return;
    const rows = sorted(table.rows, this.order, this.name);
    const text = format === "json" ? JSON.stringify({ ...table, rows }, null, 2) : csv(rows);
    save(`usage-${table.start}-${table.end}.${format}`, text, format === "json" ? "application/json" : "text/csv");
  }
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
