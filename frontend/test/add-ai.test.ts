import { expect, it, vi } from "vitest";
import "../src/page.js";
import type { Discovered, Scanned } from "../src/api/finding.js";
import { Flows, firstValues, type FlowStep } from "../src/api/flows.js";
import type { AddAi } from "../src/views/add-ai.js";
import { PageError } from "../src/api/errors.js";
import { fakeApi, finding, live, show } from "./fake-api.js";

const hostile = "<img src=x onerror=alert(1)>";

const found = (fields: Partial<Discovered> = {}): Discovered => ({
  providers: [],
  kinds: [
    { name: "ollama", title: "Ollama", cloud: false },
    { name: "openai", title: "OpenAI", cloud: true },
  ],
  gateway: "entry-of-gateway",
  ...fields,
});

const attic: Discovered["providers"][number] = {
  id: "id-attic",
  name: hostile,
  base_url: "http://192.0.2.5:8000/v1",
  kind: "ollama",
  state: "new",
  needs_key: true,
  needs_certificate: false,
  cost: "free",
  local: true,
  models: ["qwen3:8b"],
  models_total: 3,
  last_seen: 0,
  flow_id: "waiting",
};

type Call = [method: string, path: string, body?: object];

/** Home Assistant's REST interface, which answers a call with the next step. */
function home(...steps: Partial<FlowStep>[]): { calls: Call[]; flows: Flows } {
  const calls: Call[] = [];
  const hass = {
    callApi: <T>(...call: Call): Promise<T> => {
      calls.push(call);
      return Promise.resolve({ flow_id: "f1", type: "form", data_schema: [], ...steps.shift() } as T);
    },
    loadBackendTranslation: () =>
      Promise.resolve((key: string, values: Record<string, string> = {}) => [key, ...Object.values(values)].join(" ")),
  };
  return { calls, flows: new Flows(hass) };
}

async function view(flows: Flows | null, state: Discovered): Promise<Element & { renderRoot: ParentNode }> {
  const discovered = vi.fn((onFound: (found: Discovered) => void) => {
    onFound(state);
    return Promise.resolve(() => undefined);
  });
  const element = await show("zai-add-ai", { api: fakeApi({ flows, finding: finding({ discovered }) }) });
  await vi.waitFor(() => expect(element.renderRoot.querySelector("button:disabled")).toBeNull());
  return element;
}

const press = (element: { renderRoot: ParentNode | ShadowRoot }, label: string): void => {
  const pressed = [...element.renderRoot.querySelectorAll("button")].find(
    (one) => one.textContent.trim() === label || one.ariaLabel === label || one.getAttribute("aria-label") === label,
  );
  if (!pressed) throw new Error(`there is no button ${label}`);
  pressed.click();
};

it("a discovered provider is added by the flow that waits for it, and its name stays text", async () => {
  const { calls, flows } = home({ step_id: "discovery_confirm" });
  const element = await view(
    flows,
    found({ providers: [attic, { ...attic, id: "known", name: "K", state: "set_up" }] }),
  );
  expect(element.renderRoot.textContent).toContain(hostile);
  expect(element.renderRoot.querySelector("img")).toBeNull();
  expect(element.renderRoot.querySelectorAll("[aria-label^='add.add_name']")).toHaveLength(1);
  press(element, `add.add_name ${hostile}`);
  await vi.waitFor(() => expect(element.renderRoot.querySelector("zai-flow")).not.toBeNull());
  expect(calls).toEqual([["GET", "config/config_entries/flow/waiting", undefined]]);
});

it("what a discovered provider needs is said", async () => {
  const enrolling = { ...attic, id: "e", name: "E", needs_key: false, needs_certificate: true };
  const element = await view(null, found({ providers: [attic, enrolling, { ...attic, id: "n", needs_key: false }] }));
  const said = [...element.renderRoot.querySelectorAll("li")].map((item) =>
    ["add.needs_key", "add.needs_certificate"].filter((text) => item.textContent.includes(text)),
  );
  expect(said).toEqual([["add.needs_key"], ["add.needs_certificate"], []]);
});

it("a chosen type ends at its own step of the gateway's flow", async () => {
  const { calls, flows } = home(
    { type: "menu", step_id: "user", menu_options: ["ollama", "openai"] },
    { step_id: "ollama" },
  );
  const element = await view(flows, found());
  (element as unknown as AddAi).open();
  await vi.waitFor(() => press(element, "Ollama"));
  await vi.waitFor(() => expect(element.renderRoot.querySelector("zai-flow")).not.toBeNull());
  expect(calls).toEqual([
    [
      "POST",
      "config/config_entries/subentries/flow",
      { handler: ["entry-of-gateway", "backend"], show_advanced_options: false },
    ],
    ["POST", "config/config_entries/subentries/flow/f1", { next_step_id: "ollama" }],
  ]);
});

it("without a gateway its flow comes first, and then that of what was chosen", async () => {
  const { calls, flows } = home(
    { type: "menu", step_id: "add", menu_options: ["provider", "gateway"] },
    { step_id: "gateway" },
    { type: "menu", step_id: "user", menu_options: ["ollama", "openai"] },
    { step_id: "openai" },
  );
  const element = await view(flows, found({ gateway: null }));
  (element as unknown as AddAi).open();
  await vi.waitFor(() => press(element, "add.cloud OpenAI"));
  await vi.waitFor(() => expect(element.renderRoot.textContent).toContain("add.gateway_first"));
  const step = { type: "create_entry", flow_id: "f1", title: "Home AI", result: { entry_id: "made" } };
  element.renderRoot.querySelector("zai-flow")?.dispatchEvent(new CustomEvent("flow-end", { detail: { step } }));
  await vi.waitFor(() => expect(calls).toHaveLength(4));
  expect(calls[1]).toEqual(["POST", "config/config_entries/flow/f1", { next_step_id: "gateway" }]);
  expect(calls[2]?.[2]).toMatchObject({ handler: ["made", "backend"] });
  expect(element.renderRoot.textContent).toContain("add.done Home AI");
});

it("a flow that ends without an entry says why in Home Assistant's words", async () => {
  const { flows } = home({ type: "abort", reason: "already_configured", description_placeholders: { name: "Attic" } });
  const element = await view(flows, found({ providers: [attic] }));
  press(element, `add.add_name ${hostile}`);
  await vi.waitFor(() =>
    expect(element.renderRoot.querySelector("zai-flow")?.shadowRoot?.textContent).toContain(
      "component.zeroconf_ai.config.abort.already_configured Attic",
    ),
  );
});

it("a server shows how a discovered provider is used, and adds none", async () => {
  const element = await view(null, found({ providers: [attic], kinds: [], gateway: null }));
  expect(element.renderRoot.querySelector("pre")?.textContent).toBe("--upstream zeroconfai=http://192.0.2.5:8000/v1");
  expect([...element.renderRoot.querySelectorAll("button")].map((one) => one.textContent.trim())).toEqual([
    "add.search",
  ]);
});

it("the sentence of a refused flow is Home Assistant's", async () => {
  const refused = Object.assign(new Error("400"), { body: { message: "User input malformed" } });
  const hass = { callApi: () => Promise.reject(refused), loadBackendTranslation: () => Promise.resolve() };
  const started = new Flows(hass).start({ part: null });
  await expect(started).rejects.toEqual(new PageError("flow_failed", "User input malformed"));
});

it("a form begins with what is suggested, else with the defaults", () => {
  expect(
    firstValues([
      { name: "url", required: true, description: { suggested_value: "http://a" }, default: "http://b" },
      { name: "verify", required: true, selector: { boolean: {} } },
      { name: "key", selector: { text: {} } },
      { name: "advanced", type: "expandable", schema: [{ name: "priority", default: 100 }] },
    ]),
  ).toEqual({ url: "http://a", verify: false, advanced: { priority: 100 } });
});

it("the button above the list opens what can be added", async () => {
  const providers = await show("zai-providers", {
    api: fakeApi({ flows: home().flows, finding: finding({ discovered: () => Promise.resolve(() => undefined) }) }),
    live: live(),
  });
  const adds = providers.renderRoot.querySelector("zai-add-ai")?.shadowRoot;
  await vi.waitFor(() => expect(adds?.querySelector("#discovered")).not.toBeNull());
  press(providers, "add.title");
  await vi.waitFor(() => expect(adds?.querySelector("#choose")).not.toBeNull());
});

const gpu: Scanned["servers"][number] = {
  title: `Ollama on ${hostile}`,
  kind: "ollama",
  type: "ollama",
  base_url: "http://192.0.2.9:11434/v1",
  host: hostile,
  port: 11434,
  state: "new",
  models: ["qwen3:8b"],
  locked: false,
};

async function scanned(flows: Flows | null, result: Scanned): Promise<Element & { renderRoot: ParentNode }> {
  const discovered = vi.fn((onFound: (state: Discovered) => void) => {
    onFound(found());
    return Promise.resolve(() => undefined);
  });
  const scan = vi.fn((onProgress: (share: number) => void) => {
    onProgress(0.4);
    return Promise.resolve(result);
  });
  const element = await show("zai-add-ai", { api: fakeApi({ flows, finding: finding({ discovered, scan }) }) });
  const search = element.renderRoot.querySelector("zai-network-scan") as Element & { renderRoot: ParentNode };
  expect(scan).not.toHaveBeenCalled(); // only when somebody asks for it
  press(search, "add.scan");
  await vi.waitFor(() => expect(search.renderRoot.querySelector("[role=status] p")).not.toBeNull());
  return element;
}

it("a server that is found by a search is added by its address, and its name stays text", async () => {
  const { calls, flows } = home(
    { type: "menu", step_id: "add", menu_options: ["provider", "scan"] },
    { step_id: "found" },
    { step_id: "user" },
    { step_id: "model_options" },
  );
  const result = {
    networks: ["192.0.2.0/24"],
    servers: [gpu, { ...gpu, base_url: "x", state: "set_up" as const }],
    silent: [hostile],
  };
  const element = await scanned(flows, result);
  const search = element.renderRoot.querySelector("zai-network-scan") as Element & { renderRoot: ParentNode };
  expect(search.renderRoot.textContent).toContain(hostile);
  expect(search.renderRoot.querySelector("img")).toBeNull();
  expect(search.renderRoot.querySelectorAll("[aria-label^='add.add_name']")).toHaveLength(1);
  press(search, `add.add_name ${gpu.title}`);
  await vi.waitFor(() => expect(element.renderRoot.querySelector("zai-flow")).not.toBeNull());
  expect(calls.map(([, , body]) => body).slice(1)).toEqual([
    { next_step_id: "provider" },
    { provider: "enter_address" },
    { host: gpu.base_url, advanced: { ssl: false, verify_ssl: true } },
  ]);
});

it("a server that requires a key is marked", async () => {
  const result = {
    networks: [],
    servers: [
      { ...gpu, locked: true, models: [] },
      { ...gpu, base_url: "x" },
    ],
    silent: [],
  };
  const element = await scanned(null, result);
  const search = element.renderRoot.querySelector("zai-network-scan") as Element & { renderRoot: ParentNode };
  const marked = [...search.renderRoot.querySelectorAll("li")].map((item) =>
    item.textContent.includes("add.needs_key"),
  );
  expect(marked).toEqual([true, false]);
});

it("a server without flows says how a server that was found is used", async () => {
  const element = await scanned(null, { networks: [], servers: [gpu], silent: [] });
  const search = element.renderRoot.querySelector("zai-network-scan") as Element & { renderRoot: ParentNode };
  expect(search.renderRoot.querySelector("pre")?.textContent).toBe("--upstream ollama=http://192.0.2.9:11434/v1");
});
