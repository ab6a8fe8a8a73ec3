import { css, html, nothing, type CSSResultGroup, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import type { UsageGroup, UsageReport, UsageRow } from "../api/types.js";
import { count, isoDay, money } from "../format.js";
import { View } from "./view.js";

const GROUPS: UsageGroup[] = ["model", "backend", "key", "user", "source", "label", "address"];
const NAMES: Partial<Record<UsageGroup, string>> = { backend: "backend_name", key: "key_name", user: "user_name" };
type Range = "day" | "week" | "month" | "custom";
type Sort = "name" | "requests" | "tokens" | "cost";

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
  @state() private table: UsageReport | null = null;
  @state() private chart: UsageReport | null = null;
  @state() private sort: Sort = "requests";
  @query("canvas") private canvas!: HTMLCanvasElement | null;
  private drawn?: { destroy(): void };

  override connectedCallback(): void {
    super.connectedCallback();
    this.select(this.range);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.drawn?.destroy();
  }

  protected override render(): TemplateResult {
    const { texts } = this;
    return html`<div class="card row">
        <label
          >${texts("usage.range")}
          <select @change=${(event: Event) => this.select((event.target as HTMLSelectElement).value as Range)}>
            ${(["day", "week", "month", "custom"] as const).map(
              (range) =>
                html`<option value=${range} ?selected=${range === this.range}>${texts(`usage.${range}`)}</option>`,
            )}
          </select>
        </label>
        ${
          this.range === "custom"
            ? html`<label
                  >${texts("usage.from")}
                  <input
                    type="date"
                    .value=${this.start}
                    @change=${(event: Event) => this.pick({ start: (event.target as HTMLInputElement).value })}
                /></label>
                <label
                  >${texts("usage.to")}
                  <input
                    type="date"
                    .value=${this.end}
                    @change=${(event: Event) => this.pick({ end: (event.target as HTMLInputElement).value })}
                /></label>`
            : nothing
        }
        <label
          >${texts("usage.by")}
          <select
            @change=${(event: Event) => this.pick({ group: (event.target as HTMLSelectElement).value as UsageGroup })}
          >
            ${GROUPS.map(
              (group) =>
                html`<option value=${group} ?selected=${group === this.group}>
                  ${texts(`usage.group_${group}`)}
                </option>`,
            )}
          </select>
        </label>
        <button ?disabled=${!this.table?.rows.length} @click=${() => this.save("csv")}>CSV</button>
        <button ?disabled=${!this.table?.rows.length} @click=${() => this.save("json")}>JSON</button>
      </div>
      ${this.errorLine()} ${this.report()}`;
  }

  private report(): TemplateResult | typeof nothing {
    const { table, texts, language } = this;
    if (table === null) return nothing;
    if (table.rows.length === 0) return html`<div class="card quiet">${texts("usage.empty")}</div>`;
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
              ${this.head("tokens", texts("usage.tokens"))} ${this.head("cost", texts("usage.cost"))}
            </tr>
          </thead>
          <tbody>
            ${this.sorted(table.rows).map(
              (row) =>
                html`<tr>
                  <td>${this.name(row)}</td>
                  <td class="number">${count(row.requests, language)}</td>
                  <td class="number">${count(tokens(row), language)}</td>
                  <td class="number">${money(row.cost, language)}</td>
                </tr>`,
            )}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">${texts("usage.total")}</th>
              <th class="number">${count(table.total.requests, language)}</th>
              <th class="number">${count(tokens(table.total), language)}</th>
              <th class="number">${money(table.total.cost, language)}</th>
            </tr>
          </tfoot>
        </table>
        ${this.group === "label" ? html`<p class="quiet">${texts("usage.labels_overlap")}</p>` : nothing}
        ${table.complete ? nothing : html`<p class="quiet">${texts("usage.incomplete")}</p>`}
      </div>`;
  }

  private head(sort: Sort, text: string): TemplateResult {
    return html`<th
      scope="col"
      class=${sort === "name" ? "" : "number"}
      aria-sort=${this.sort === sort ? (sort === "name" ? "ascending" : "descending") : "none"}
    >
      <button @click=${() => (this.sort = sort)}>${text}${this.sort === sort ? " ▾" : ""}</button>
    </th>`;
  }

  private sorted(rows: UsageRow[]): UsageRow[] {
    const value: Record<Exclude<Sort, "name">, (row: UsageRow) => number> = {
      requests: (row) => row.requests,
      tokens,
      cost: (row) => Object.values(row.cost).reduce((total, cost) => total + cost, 0),
    };
    const { sort } = this;
    return [...rows].sort((a, b) =>
      sort === "name" ? this.name(a).localeCompare(this.name(b)) : value[sort](b) - value[sort](a),
    );
  }

  private name(row: UsageRow): string {
    const { group } = this;
    const named = text(row[NAMES[group] ?? group]) || text(row[group]);
    if (group === "source" && named) return this.texts(`sources.${named}`);
    return named || this.texts(group === "label" ? "usage.no_label" : "usage.unknown");
  }

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
      // Addresses are known for the last days only, and have no sums by day.
      group === "address" || start === end ? null : this.api.usage(start, end, ["day", group]),
    ]);
    if (start === this.start && end === this.end && group === this.group) {
      this.table = table;
      this.chart = chart;
    }
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("chart")) void this.draw();
  }

  private async draw(): Promise<void> {
    this.drawn?.destroy();
    const { chart, canvas } = this;
    if (chart === null || canvas === null) return;
    const { stackedBars } = await import("../chart.js");
    if (canvas.isConnected)
      this.drawn = stackedBars(
        canvas,
        chart.rows.map((row) => ({ x: text(row["day"]), name: this.name(row), value: row.requests })),
      );
  }

  private save(format: "csv" | "json"): void {
    const { table } = this;
    if (table === null) return;
    const text = format === "json" ? JSON.stringify(table, null, 2) : csv(table.rows);
    const url = URL.createObjectURL(new Blob([text], { type: format === "json" ? "application/json" : "text/csv" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `usage-${table.start}-${table.end}.${format}`;
    link.click();
    URL.revokeObjectURL(url);
  }
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

const tokens = (row: UsageRow): number => row.tokens_prompt + row.tokens_completion;

/** Rows as CSV (RFC 4180). Texts that a spreadsheet would take for a formula are quoted by an apostrophe. */
export function csv(rows: UsageRow[]): string {
  const flat = rows.map(({ cost, ...row }) => ({
    ...row,
    ...Object.fromEntries(Object.entries(cost).map(([currency, value]) => [`cost_${currency}`, value])),
  }));
  const columns = [...new Set(flat.flatMap((row) => Object.keys(row)))];
  const cell = (value: unknown): string => {
    const plain = typeof value === "number" ? value.toString() : text(value);
    const safe = /^[=+\-@\t\r]/.test(plain) && !/^-?[\d.]+$/.test(plain) ? `'${plain}` : plain;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [columns, ...flat.map((row) => columns.map((column) => (row as Record<string, unknown>)[column]))]
    .map((line) => line.map(cell).join(","))
    .join("\r\n");
}
