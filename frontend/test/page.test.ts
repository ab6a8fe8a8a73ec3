import { LitElement } from "lit";
import { expect, it, vi } from "vitest";
import type { Live } from "../src/api/types.js";
import "../src/page.js";
import { fakeApi, live, member, texts } from "./fake-api.js";

async function show(tag: string, fields: object): Promise<LitElement> {
  const element = document.createElement(tag);
  document.body.append(Object.assign(element, { texts, language: "en", ...fields }));
  if (!(element instanceof LitElement)) throw new Error(`${tag} is not defined`);
  await element.updateComplete;
  return element;
}

const root = (element: LitElement): ParentNode => element.renderRoot;
const textOf = (element: LitElement): string => element.renderRoot.textContent.replace(/\s+/g, " ");

it("the overview says in one sentence who answers, what waits and what it costs", async () => {
  const state = live({ last_answer: { backend: "Attic", model: "qwen3:8b" }, cost_today: { EUR: 0.42 }, waiting: 2 });
  const overview = await show("zai-overview", {
    api: fakeApi({ budgets: () => Promise.resolve([]) }),
    live: state,
  });
  expect(textOf(overview)).toContain("overview.answers Attic qwen3:8b; overview.waiting 2; overview.costs_today €0.42");
});

it("the overview of a home without providers says what to do", async () => {
  const overview = await show("zai-overview", {
    api: fakeApi({ budgets: () => Promise.resolve([]) }),
    live: live({ members: [] }),
  });
  expect(root(overview).querySelector("a")?.getAttribute("href")).toBe("/settings");
});

it("names of the network stay text", async () => {
  const name = "<img src=x onerror=alert(1)>";
  const providers = await show("zai-providers", {
    api: fakeApi({}),
    live: live({ members: [member({ name })] }),
  });
  expect(root(providers).querySelector("img")).toBeNull();
  expect(textOf(providers)).toContain(name);
});

it("a provider that is moved up is sent with the whole order, agents last", async () => {
  const orderProviders = vi.fn(() => Promise.resolve());
  const members = [
    member({ id: "assist", name: "Assist", kind: "agent", priority: 1 }),
    member({ id: "b", name: "B", priority: 20 }),
    member({ id: "a", name: "A", priority: 10 }),
  ];
  const providers = await show("zai-providers", {
    api: fakeApi({ orderProviders }),
    live: live({ members }),
  });
  const up = root(providers).querySelector<HTMLButtonElement>("[aria-label='providers.up B']");
  up?.click();
  expect(orderProviders).toHaveBeenCalledWith(["b", "a", "assist"]);
});

it("the page of a user who is no administrator has his own tabs and asks for nothing else", async () => {
  const page = await show("zai-page", {
    api: fakeApi({ isAdmin: false, usage: () => new Promise<never>(() => undefined) }),
  });
  const tabs = [...root(page).querySelectorAll("nav a")].map((tab) => tab.getAttribute("href"));
  expect(tabs).toEqual(["#usage", "#requests", "#keys"]);
});

it("the live state ends with the page", async () => {
  const end = vi.fn();
  const subscribe = vi.fn((onState: (state: Live) => void) => {
    onState(live());
    return Promise.resolve(end);
  });
  const page = await show("zai-page", {
    api: fakeApi({ live: subscribe, budgets: () => Promise.resolve([]) }),
  });
  await Promise.resolve();
  expect(subscribe).toHaveBeenCalledOnce();
  page.remove();
  await vi.waitFor(() => expect(end).toHaveBeenCalledOnce());
});
