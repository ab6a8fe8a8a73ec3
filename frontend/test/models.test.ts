import { LitElement } from "lit";
import { expect, it, vi } from "vitest";
import type { Alias, Models, RoutingApi } from "../src/api/routing.js";
import "../src/views/models.js";
import { fakeApi, live, member, texts } from "./fake-api.js";

const alias = (fields: Partial<Alias> = {}): Alias => ({
  name: "smart",
  targets: ["gpt", "qwen", "auto"],
  strategy: null,
  fixed: false,
  answers: [{ backend: "Attic", model: "qwen" }],
  left_out: [],
  error: null,
  ...fields,
});

const models = (fields: Partial<Models> = {}): Models => ({
  strategy: "priority",
  strategies: ["priority", "cost"],
  editable: true,
  aliases: [alias()],
  models: [],
  models_total: 0,
  ...fields,
});

async function show(found: Models, routing: Partial<RoutingApi> = {}): Promise<[LitElement, () => HTMLElement]> {
  const element = document.createElement("zai-models");
  const api = fakeApi({ routing: { models: () => Promise.resolve(found), ...routing } as RoutingApi });
  document.body.append(Object.assign(element, { texts, language: "en", api, live: live() }));
  if (!(element instanceof LitElement)) throw new Error("zai-models is not defined");
  await vi.waitFor(() => expect(element.renderRoot.querySelector("zai-model-table")).not.toBeNull());
  const card = (): HTMLElement => {
    const root = element.renderRoot.querySelector("zai-alias-card")?.shadowRoot;
    if (!root) throw new Error("there is no card");
    return root as unknown as HTMLElement;
  };
  return [element, card];
}

it("a chain is reordered by keyboard, sent whole, and the button stays focused", async () => {
  const found = models();
  const setAlias = vi.fn((changed: Pick<Alias, "targets">) => {
    found.aliases = [alias({ targets: changed.targets })];
    return Promise.resolve();
  });
  const [, card] = await show(found, { setAlias, models: () => Promise.resolve({ ...found }) });
  const down = (): HTMLButtonElement | null => card().querySelector("[aria-label='providers.down gpt']");
  down()?.click();
  await vi.waitFor(() => expect(setAlias).toHaveBeenCalledOnce());
  expect(setAlias.mock.calls[0]?.[0]).toMatchObject({
    name: "smart",
    targets: ["qwen", "gpt", "auto"],
    strategy: null,
  });
  await vi.waitFor(() => expect((card() as unknown as ShadowRoot).activeElement).toBe(down()));
  expect(card().querySelector("[role=status]")?.textContent).toBe("models.moved gpt 2");
});

it("a chain is reordered by dragging", async () => {
  const setAlias = vi.fn(() => Promise.resolve());
  const [, card] = await show(models(), { setAlias });
  const [first, , last] = card().querySelectorAll("li");
  last?.dispatchEvent(new Event("dragstart"));
  first?.dispatchEvent(new Event("drop"));
  expect(setAlias).toHaveBeenCalledWith(expect.objectContaining({ targets: ["auto", "gpt", "qwen"] }));
});

it("without permission to change, names and the strategy are only shown, with the reason", async () => {
  const [view, card] = await show(models({ editable: false }));
  expect(view.renderRoot.querySelector("select, form")).toBeNull();
  expect(card().querySelector("button, form, select")).toBeNull();
  expect(view.renderRoot.textContent).toContain("models.no_gateway");
  expect(view.renderRoot.textContent).toContain("strategy_sentences.priority");
});

it("what a name means is asked again when providers change, not with each request", async () => {
  const ask = vi.fn(() => Promise.resolve(models()));
  const [view] = await show(models(), { models: ask });
  const before = ask.mock.calls.length;
  Object.assign(view, { live: live({ waiting: 3, members: [member({ running: 2 })] }) });
  await view.updateComplete;
  expect(ask).toHaveBeenCalledTimes(before);
  Object.assign(view, { live: live({ members: [member({ state: "offline" })] }) });
  await vi.waitFor(() => expect(ask).toHaveBeenCalledTimes(before + 1));
});

it("a model is found by its name, its provider and what it can, and names of others stay text", async () => {
  const hostile = "<img src=x onerror=alert(1)>";
  const served = {
    backend_id: "a",
    backend: hostile,
    online: true,
    cost: "metered" as const,
    warm: true,
    context_window: 8192,
    capabilities: ["vision"],
    price_prompt: 2,
    price_completion: 8,
    currency: "EUR",
  };
  const list = [
    { id: hostile, providers: [served] },
    { id: "qwen", providers: [{ ...served, backend: "Attic", capabilities: null, price_prompt: null }] },
  ];
  const [view] = await show(
    models({ models: list, models_total: 2, aliases: [alias({ name: hostile, error: hostile })] }),
  );
  const table = view.renderRoot.querySelector("zai-model-table");
  const rows = (): string[] =>
    [...(table?.shadowRoot?.querySelectorAll("tbody tr") ?? [])].map((row) => row.textContent);
  await vi.waitFor(() => expect(rows()).toHaveLength(2));
  expect(table?.shadowRoot?.querySelector("img")).toBeNull();
  expect(rows()[0]).toContain("models.prices €2.00 €8.00");
  const search = table?.shadowRoot?.querySelector("input");
  if (!search) throw new Error("there is no search");
  search.value = "ATTIC qw";
  search.dispatchEvent(new Event("input"));
  await vi.waitFor(() => expect(rows()).toHaveLength(1));
  expect(rows()[0]).toContain("qwen");
});
