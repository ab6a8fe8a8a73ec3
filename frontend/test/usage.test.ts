import { expect, it, vi } from "vitest";
import type { RecordsApi } from "../src/api/records.js";
import type { UsageReport, UsageRow } from "../src/api/types.js";
import { csv } from "../src/views/usage-files.js";
import { inOne, sorted } from "../src/views/usage-rows.js";
import "../src/views/usage.js";
import { fakeApi, show } from "./fake-api.js";

const charts = vi.hoisted(() => ({
  load: (): void => undefined,
  loaded: undefined as Promise<void> | undefined,
  on: new Set<unknown>(),
  drawn: 0,
  twice: 0,
}));
charts.loaded = new Promise((resolve) => (charts.load = resolve));
vi.mock("../src/chart.js", async () => {
  await charts.loaded;
  return {
    stackedBars: (canvas: unknown) => {
      charts.drawn++;
      if (charts.on.has(canvas)) charts.twice++;
      charts.on.add(canvas);
      return { destroy: () => charts.on.delete(canvas) };
    },
  };
});

const row = (name: string, fields: Partial<UsageRow> = {}): UsageRow => ({
  requests: 1,
  errors: 0,
  tokens_prompt: 2,
  tokens_completion: 3,
  audio_seconds: 0,
  speech_characters: 0,
  energy_kwh: 0,
  cost: {},
  energy_cost: {},
  model: name,
  ...fields,
});

const report = (rows: UsageRow[], total: Partial<UsageRow> = {}): UsageReport => ({
  start: "2026-01-01",
  end: "2026-01-31",
  time_zone: "UTC",
  group_by: ["model"],
  rows,
  total: row("", total),
  complete: true,
});

it("csv quotes separators and keeps a spreadsheet from running a name as a formula", () => {
  const lines = csv([
    row('a,"b"', { cost: { USD: 0.5 }, energy_cost: { EUR: 1e-7 } }),
    row("=HYPERLINK(1)"),
    row("-5"),
    row("\n=1"),
  ]).split("\r\n");
  expect(lines).toEqual([
    "requests,errors,tokens_prompt,tokens_completion,audio_seconds,speech_characters,energy_kwh,model,cost_USD,energy_cost_EUR",
    '1,0,2,3,0,0,0,"a,""b""",0.5,0.0000001',
    "1,0,2,3,0,0,0,'=HYPERLINK(1),,",
    "1,0,2,3,0,0,0,-5,,",
    '1,0,2,3,0,0,0,"\'\n=1",,',
  ]);
});

it("rows are sorted in both directions, equal ones by name", () => {
  const rows = [row("b10", { requests: 5 }), row("b9", { requests: 5 }), row("a", { requests: 7 })];
  const names = (down: boolean, sort: "name" | "requests"): unknown[] =>
    sorted(rows, { sort, down }, (one) => one["model"] as string).map((one) => one["model"]);
  expect(names(true, "requests")).toEqual(["a", "b9", "b10"]);
  expect(names(false, "requests")).toEqual(["b9", "b10", "a"]);
  expect(names(false, "name")).toEqual(["a", "b9", "b10"]);
  expect(names(true, "name")).toEqual(["b10", "b9", "a"]);
});

it("amounts are added in the currency of budgets only with a rate for each", () => {
  const currency = { currency: "EUR", rates: { USD: 0.5 }, one_to_one: [], missing: [] };
  expect(inOne({ USD: 2, EUR: 1 }, currency)).toBe(2);
  expect(inOne({ USD: 2, GBP: 1 }, currency)).toBeNull();
  expect(inOne({ EUR: 1 }, currency)).toBeNull();
  expect(inOne({ USD: 2, GBP: 0 }, currency)).toBe(1);
});

it("costs that count one to one, and the total at the exchange rates, are said", async () => {
  const usage = vi.fn(() => Promise.resolve(report([row("m", { cost: { USD: 2 } })], { cost: { USD: 2 } })));
  const open = (currency: object): ReturnType<typeof show> =>
    show("zai-usage", {
      api: fakeApi({
        usage,
        records: { currency: () => Promise.resolve(currency) } as unknown as RecordsApi,
      }),
    });
  const unset = await open({ currency: "EUR", rates: {}, one_to_one: ["USD"], missing: [] });
  await vi.waitFor(() => expect(unset.renderRoot.textContent).toContain("usage.one_to_one USD EUR"));
  const set = await open({ currency: "EUR", rates: { USD: 0.5 }, one_to_one: [], missing: ["GBP"] });
  await vi.waitFor(() => expect(set.renderRoot.textContent).toContain("usage.converted €1.00"));
  expect(set.renderRoot.textContent).toContain("usage.no_rate GBP EUR");
});

it("energy has columns only where it was measured, and a long table is cut", async () => {
  const rows = Array.from({ length: 1000 }, (_, index) => row(`m${index}`, { energy_kwh: 0.25 }));
  const usage = (): Promise<UsageReport> => Promise.resolve(report(rows, { energy_kwh: 250, energy_cost: { EUR: 3 } }));
  const shown = await show("zai-usage", { api: fakeApi({ isAdmin: false, usage }) });
  await vi.waitFor(() => expect(shown.renderRoot.textContent).toContain("usage.more_rows 200 1000"));
  expect(shown.renderRoot.querySelectorAll("tbody tr")).toHaveLength(200);
  expect(shown.renderRoot.querySelector("tfoot")?.textContent).toContain("€3.00");
  const plain = await show("zai-usage", {
    api: fakeApi({ isAdmin: false, usage: () => Promise.resolve(report([row("m")])) }),
  });
  await vi.waitFor(() => expect(plain.renderRoot.querySelectorAll("tbody tr")).toHaveLength(1));
  expect(plain.renderRoot.textContent).not.toContain("usage.energy");
});

it("audio has columns only where there was some, which sort the rows", async () => {
  const rows = [row("ears", { audio_seconds: 90 }), row("voice", { speech_characters: 1234 })];
  const usage = (): Promise<UsageReport> =>
    Promise.resolve(report(rows, { audio_seconds: 90, speech_characters: 1234 }));
  const shown = await show("zai-usage", { api: fakeApi({ isAdmin: false, usage }) });
  await vi.waitFor(() => expect(shown.renderRoot.textContent).toContain("usage.heard"));
  expect(shown.renderRoot.querySelector("tfoot")?.textContent).toMatch(/1\.5\s+1,234/);
  const plain = await show("zai-usage", {
    api: fakeApi({ isAdmin: false, usage: () => Promise.resolve(report([row("m")])) }),
  });
  await vi.waitFor(() => expect(plain.renderRoot.querySelectorAll("tbody tr")).toHaveLength(1));
  expect(plain.renderRoot.textContent).not.toContain("usage.heard");
});

it("a measure that is chosen while the chart's module is loaded is drawn on a free canvas", async () => {
  const shown = await show("zai-usage", {
    api: fakeApi({ isAdmin: false, usage: () => Promise.resolve(report([row("m")])) }),
  });
  await vi.waitFor(() => expect(shown.renderRoot.querySelector("canvas")).not.toBeNull());
  const select = [...shown.renderRoot.querySelectorAll("select")].find((one) => one.textContent.includes("tokens"));
  if (select === undefined) throw new Error("the measure cannot be chosen");
  for (const measure of ["tokens", "cost"]) {
    select.value = measure;
    select.dispatchEvent(new Event("change"));
    await shown.updateComplete;
  }
  charts.load();
  await vi.waitFor(() => expect(charts.drawn).toBeGreaterThan(2));
  expect(charts.twice).toBe(0);
});
