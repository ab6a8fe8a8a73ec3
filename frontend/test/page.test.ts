import type { LitElement } from "lit";
import { expect, it, vi } from "vitest";
import type { Budget, Live, LiveRequest } from "../src/api/types.js";
import "../src/page.js";
import { fakeApi, fakeChat, live, member, ownKeys, show } from "./fake-api.js";

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

it("the overview shows state, load, running and waiting requests, the last failover and budgets", async () => {
  const running = (fields: object): LiveRequest => ({
    id: "1",
    who: "Laptop",
    source: "http",
    kind: "chat",
    requested_model: "auto",
    model: "qwen3:8b",
    backend_id: "attic",
    backend_name: "Attic",
    started: Date.now() / 1000 - 3,
    ...fields,
  });
  const budget = { owner: "Household", period: "month", percent: 84, thresholds: [80] } as Budget;
  const budgets = vi.fn(() => Promise.resolve([budget]));
  const overview = await show("zai-overview", {
    api: fakeApi({ budgets }),
    live: live({
      members: [
        member({ running: 2, limit: 4 }),
        member({ id: "cloud", name: "Cloud", state: "offline", reason: "It does not answer." }),
        member({ id: "off", name: "Unused", enabled: false }),
      ],
      running: [running({}), running({ id: "2", who: "", model: null, backend_id: null, backend_name: null })],
      running_total: 5,
      last_failover: { when: 0, backend: "Cloud", to: "Attic", reason: "It does not answer." },
    }),
  });
  await vi.waitFor(() => expect(root(overview).querySelector(".bar.near")).not.toBeNull());
  const shown = textOf(overview);
  expect(shown).toMatch(/Attic states.healthy overview.load_of 2 4/);
  expect(shown).toMatch(/Cloud states.offline/);
  expect(shown).not.toContain("Unused");
  expect(shown).toMatch(/Laptop qwen3:8b Attic 3.* sec/);
  expect(shown).toContain("sources.http auto overview.waits");
  expect(shown).toContain("overview.more 3");
  expect(shown).toMatch(/overview.failover Cloud Attic .* It does not answer./);
  expect(shown).toContain("overview.budget Household common.month: 84 %");
  Object.assign(overview, { live: live({ requests_today: 1 }) });
  await overview.updateComplete;
  expect(budgets).toHaveBeenCalledTimes(2);
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
    api: fakeApi({ isAdmin: false, chat: fakeChat() }),
  });
  const tabs = [...root(page).querySelectorAll("nav a")].map((tab) => tab.getAttribute("href"));
  expect(tabs).toEqual(["#chat", "#usage", "#requests", "#keys"]);
});

it("a blocked user is told on every tab what is wrong and whom to ask", async () => {
  const own = ownKeys({ refusal: "blocked", administrators: ["Anna"] });
  const page = await show("zai-page", {
    api: fakeApi({
      isAdmin: false,
      chat: fakeChat(),
      keys: () =>
        Promise.resolve({ keys: [], base_url: "http://home/v1", authority: null, own, users: [], llm_apis: [] }),
    }),
  });
  await vi.waitFor(() => expect(root(page).querySelector(".card")?.textContent).toContain("keys.blocked"));
  expect(root(page).querySelector(".card")?.textContent).toContain("keys.refused_blocked");
});

it("the live state ends with the page", async () => {
  const end = vi.fn();
  const subscribe = vi.fn((onState: (state: Live) => void) => {
    onState(live());
    return end;
  });
  const page = await show("zai-page", {
    api: fakeApi({ live: subscribe, budgets: () => Promise.resolve([]) }),
  });
  await Promise.resolve();
  expect(subscribe).toHaveBeenCalledOnce();
  page.remove();
  await vi.waitFor(() => expect(end).toHaveBeenCalledOnce());
});
