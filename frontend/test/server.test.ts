import { LitElement } from "lit";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { PageError } from "../src/api/errors.js";
import { ServerApi, currentSession } from "../src/api/server.js";
import "../src/server.js";
import { live, member } from "./fake-api.js";

/** The browser's stream, which a test speaks for. */
class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static last: Stream;
  readyState = 1;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: (() => void) | null = null;
  onopen: (() => void) | null = null;

  constructor(readonly url: string) {
    super();
    Stream.last = this;
  }

  close(): void {
    this.readyState = Stream.CLOSED;
  }
}

const answers = new Map<string, [number, unknown]>();
const asked: [string, RequestInit | undefined][] = [];
const noSession: [number, unknown] = [401, { error: { code: "no_session", message: "Log in." } }];

beforeEach(() => {
  answers.clear();
  asked.length = 0;
  vi.stubGlobal("EventSource", Stream);
  vi.stubGlobal("fetch", (url: string, options?: RequestInit) => {
    asked.push([url, options]);
    const [status, body] = answers.get(url.replace("/admin/api/", "")) ?? [404, {}];
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

const api = (onEnd = vi.fn()): ServerApi => new ServerApi({ name: "Owner", records: true }, onEnd);

function add(tag: string, fields: object = {}): LitElement {
  const element = document.createElement(tag);
  if (!(element instanceof LitElement)) throw new Error(`${tag} is not defined`);
  document.body.append(Object.assign(element, fields));
  return element;
}

async function show(): Promise<LitElement> {
  const element = add("zai-server");
  await vi.waitFor(() => expect(element.renderRoot.querySelector("zai-page, form")).not.toBeNull());
  return element;
}

it("a command is a POST of JSON, and its error is the server's sentence", async () => {
  answers.set("keys/create", [200, { key: "zai_new" }]);
  expect(await api().createKey({ name: "Laptop" })).toEqual({ key: "zai_new" });
  expect(asked[0]?.[1]).toMatchObject({
    method: "POST",
    body: '{"name":"Laptop"}',
    headers: { "Content-Type": "application/json" },
  });
  answers.set("budgets/set", [400, { error: { code: "invalid_value", message: "'amount' must be a number." } }]);
  const refused = api().setBudget({
    scope: "household",
    subject: "",
    period: "month",
    amount: NaN,
    action: "refuse",
    thresholds: [80],
  });
  await expect(refused).rejects.toEqual(new PageError("invalid_value", "'amount' must be a number."));
});

it("a server that does not answer is told in a sentence", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await expect(api().keys()).rejects.toThrow("The server does not answer.");
  await expect(currentSession()).rejects.toThrow("The server does not answer.");
});

it("a command without a session ends the page", async () => {
  const onEnd = vi.fn();
  answers.set("keys", noSession);
  await expect(api(onEnd).keys()).rejects.toThrow("Log in.");
  expect(onEnd).toHaveBeenCalledOnce();
});

it("the live state comes over a stream, whose end asks for the session", async () => {
  const onEnd = vi.fn();
  const onState = vi.fn();
  const onConnected = vi.fn();
  const close = api(onEnd).live(onState, onConnected);
  expect(Stream.last.url).toBe("/admin/api/live");
  Stream.last.onmessage?.(new MessageEvent("message", { data: JSON.stringify(live()) }));
  expect(onState).toHaveBeenCalledWith(live());
  answers.set("session", [200, { name: "Owner", records: true }]);
  Stream.last.onerror?.();
  expect(onConnected).toHaveBeenLastCalledWith(false);
  expect(asked).toEqual([]); // the browser connects again by itself
  Stream.last.onopen?.();
  expect(onConnected).toHaveBeenLastCalledWith(true);
  answers.set("session", noSession);
  Stream.last.dispatchEvent(new Event("end"));
  await vi.waitFor(() => expect(onEnd).toHaveBeenCalledOnce());
  expect(Stream.last.readyState).toBe(Stream.CLOSED);
  close();
});

it("the live state is asked for again after an answer that is an error", async () => {
  vi.useFakeTimers();
  answers.set("session", [503, {}]);
  const onEnd = vi.fn();
  const close = api(onEnd).live(vi.fn(), vi.fn());
  const first = Stream.last;
  first.readyState = Stream.CLOSED;
  first.onerror?.();
  await vi.advanceTimersByTimeAsync(3000);
  expect(Stream.last).not.toBe(first);
  expect(onEnd).not.toHaveBeenCalled();
  close();
  const second = Stream.last;
  second.onerror?.();
  await vi.advanceTimersByTimeAsync(3000);
  expect(Stream.last).toBe(second);
  vi.useRealTimers();
});

it("the form logs in, and shows what the server refuses", async () => {
  answers.set("session", noSession);
  const page = await show();
  const input = page.renderRoot.querySelector("input");
  const form = page.renderRoot.querySelector("form");
  if (!input || !form) throw new Error("there is no form");
  input.value = " zai_wrong ";
  answers.set("login", [401, { error: { code: "invalid_api_key", message: "Invalid API key." } }]);
  form.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
  await vi.waitFor(() => expect(page.renderRoot.querySelector("[role=alert]")?.textContent).toBe("Invalid API key."));
  expect(asked.at(-1)?.[1]?.body).toBe('{"key":"zai_wrong"}');
  answers.set("login", [200, { name: "Owner", records: false }]);
  form.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
  await vi.waitFor(() => expect(page.renderRoot.querySelector("zai-page")).not.toBeNull());
  expect(page.renderRoot.querySelector("header")?.textContent).toContain("Owner");
});

const used: [number, unknown] = [401, { error: { code: "invalid_api_key", message: "Invalid API key." } }];

it("a link logs in, and its secret leaves the address", async () => {
  location.hash = "#login=a-secret_of-a-link";
  answers.set("login", [200, { name: "", records: true }]);
  const page = await show();
  await vi.waitFor(() => expect(page.renderRoot.querySelector("zai-page")).not.toBeNull());
  expect(asked[0]).toMatchObject(["/admin/api/login", { body: '{"key":"a-secret_of-a-link"}' }]);
  expect(location.hash).toBe("");
});

it("a link that was used before opens the session that runs, or says where the next one is", async () => {
  answers.set("login", used);
  answers.set("session", noSession);
  location.hash = "#login=old";
  const page = await show();
  await vi.waitFor(() =>
    expect(page.renderRoot.querySelector("[role=alert]")?.textContent).toContain("This link has been used."),
  );
  answers.set("session", [200, { name: "", records: true }]);
  location.hash = "#login=older";
  dispatchEvent(new Event("hashchange"));
  await vi.waitFor(() => expect(page.renderRoot.querySelector("zai-page")).not.toBeNull());
});

it("a server without records has no tabs of them, and arranges no providers", async () => {
  answers.set("session", [200, { name: "", records: false }]);
  const page = await show();
  const inner = page.renderRoot.querySelector("zai-page");
  if (!(inner instanceof LitElement)) throw new Error("there is no page");
  await inner.updateComplete;
  const tabs = [...inner.renderRoot.querySelectorAll("nav a")].map((tab) => tab.getAttribute("href"));
  expect(tabs).toEqual(["#overview", "#providers", "#models", "#why"]);
  const texts = (key: string): string => key;
  const providers = add("zai-providers", { api: api(), texts, live: live({ members: [member()] }) });
  await providers.updateComplete;
  const buttons = [...providers.renderRoot.querySelectorAll("button")].map((button) => button.textContent.trim());
  expect(buttons).toEqual(["providers.check"]);
  expect(providers.renderRoot.querySelector("[draggable=true], a")).toBeNull();
});
