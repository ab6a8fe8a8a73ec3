import { LitElement } from "lit";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import "../src/portal.js";

const answers = new Map<string, [number, unknown]>();
const asked: [string, RequestInit | undefined][] = [];
const keys = {
  keys: [],
  base_url: "https://ai.example.net/v1",
  users: [],
  llm_apis: [],
  own: {
    limit: 2,
    used: 0,
    refusal: null,
    administrators: ["root@example.net"],
    models: [],
    valid_days: null,
    requests_per_minute: null,
    tokens_per_minute: null,
    parallel: null,
    monthly_budget: null,
    budgets: [],
    exhausted: [],
  },
};

beforeEach(() => {
  answers.clear();
  asked.length = 0;
  answers.set("session", [401, { error: { code: "no_session", message: "Sign in." } }]);
  answers.set("provider", [200, { name: "GitLab" }]);
  answers.set("keys", [200, keys]);
  vi.stubGlobal("fetch", (url: string, options?: RequestInit) => {
    asked.push([url, options]);
    const [status, body] = answers.get(url.replace("/portal/api/", "")) ?? [404, {}];
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
  location.hash = "";
});

async function show(selector: string): Promise<Element> {
  const element = document.createElement("zai-portal");
  if (!(element instanceof LitElement)) throw new Error("zai-portal is not defined");
  document.body.append(element);
  await vi.waitFor(() => expect(element.renderRoot.querySelector(selector)).not.toBeNull());
  return element.renderRoot.querySelector(selector) as Element;
}

it("leads a person who has not signed in to the provider by its name", async () => {
  const link = await show("a.main");
  await vi.waitFor(() => expect(link.textContent).toContain("Sign in with GitLab"));
  expect(link.getAttribute("href")).toBe("/portal/login");
});

it.each([
  ["unavailable", "API keys work as before"],
  ["not_allowed", "Ask an administrator"],
  ["expired", "took too long"],
])("says why a sign-in failed, once: %s", async (failure, words) => {
  location.hash = failure;
  const alert = await show("[role=alert]");
  expect(alert.textContent).toContain(words);
  expect(location.hash).toBe("");
});

it("shows nothing of an address that somebody made up", async () => {
  location.hash = "<b>send-your-key-to-evil.example</b>";
  const card = await show(".entrance");
  expect(card.textContent).not.toContain("evil");
  expect(card.querySelector("[role=alert]")).toBeNull();
});

it("shows people their keys, without the chat and what administrators see", async () => {
  answers.set("session", [200, { name: "Ada", records: true, allowed: true }]);
  const page = (await show("zai-page")).shadowRoot as ShadowRoot;
  await vi.waitFor(() => expect(page.querySelector("zai-keys")).not.toBeNull());
  const tabs = [...page.querySelectorAll("nav a")].map((tab) => tab.getAttribute("href"));
  expect(tabs).toEqual(["#usage", "#requests", "#keys"]);
});

it("tells people who are no longer allowed, and shows no keys", async () => {
  answers.set("session", [200, { name: "Ada", records: true, allowed: false }]);
  const alert = await show("[role=alert]");
  expect(alert.textContent).toContain("You may not use this portal");
  expect(asked.some(([url]) => url.endsWith("/keys"))).toBe(false);
});

it("signs out by a command, and offers to sign in again", async () => {
  answers.set("session", [200, { name: "Ada", records: true, allowed: true }]);
  answers.set("logout", [200, {}]);
  await show("zai-page");
  const portal = document.querySelector("zai-portal")?.shadowRoot as ShadowRoot;
  portal.querySelector<HTMLButtonElement>("header button")?.click();
  await vi.waitFor(() => expect(portal.querySelector("a.main")).not.toBeNull());
  const logout = asked.find(([url]) => url === "/portal/api/logout");
  expect(logout?.[1]?.method).toBe("POST");
});
