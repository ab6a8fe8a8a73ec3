import { LitElement } from "lit";
import { afterEach, expect, it, vi } from "vitest";
import type { ClientsApi } from "../src/api/clients.js";
import type { KeyList, OwnKeys } from "../src/api/keys.js";
import type { PageApi } from "../src/api/page-api.js";
import type { ApiKey, NewKey } from "../src/api/types.js";
import { copyText } from "../src/clipboard.js";
import "../src/views/keys.js";
import { fakeApi, ownKeys, texts } from "./fake-api.js";

const HOSTILE = "<img src=x onerror=alert(1)>";

const apiKey = (fields: Partial<ApiKey> = {}): ApiKey => ({
  key_id: "k1",
  name: "Tablet",
  prefix: "zai_abcd",
  user_id: null,
  user_name: null,
  models: [],
  endpoints: [],
  llm_apis: [],
  hosted_tools: [],
  background: false,
  home_only: false,
  enabled: true,
  created: "2026-01-01T00:00:00+00:00",
  expires: null,
  certificate_expires: null,
  last_used: null,
  labels: [],
  requests_per_minute: null,
  tokens_per_minute: null,
  parallel: null,
  disabled_by_owner: false,
  budgets: [],
  requests_today: 0,
  requests_month: 0,
  requests_total: 0,
  tokens_today: 0,
  tokens_month: 0,
  cost_today: {},
  cost_month: {},
  ...fields,
});

const newKey: NewKey = {
  key_id: "k1",
  name: HOSTILE,
  key: "zai_secret",
  curl: "curl it",
  python: "import openai",
  javascript: "import OpenAI",
  opencode: "{}",
  open_webui: "docker run",
  claude_code: "claude",
  continue: "name: Home",
};

async function show(list: Partial<KeyList>, answers: Partial<PageApi> = {}): Promise<LitElement> {
  const keys = (): Promise<KeyList> =>
    Promise.resolve({
      keys: [],
      base_url: "http://box/v1",
      authority: null,
      own: null,
      users: [],
      llm_apis: [],
      ...list,
    });
  const element = document.createElement("zai-keys");
  const api = fakeApi({ isAdmin: !list.own, keys, ...answers });
  document.body.append(Object.assign(element, { texts, language: "en", api }));
  if (!(element instanceof LitElement)) throw new Error("zai-keys is not defined");
  await vi.waitFor(() => expect(element.renderRoot.querySelector(".card")).not.toBeNull());
  await settled(element);
  return element;
}

/** The page with the forms and cards inside it. */
async function settled(element: LitElement): Promise<void> {
  await element.updateComplete;
  for (const inner of element.renderRoot.querySelectorAll("zai-key-form, zai-new-key"))
    if (inner instanceof LitElement) await inner.updateComplete;
}

const inner = (element: LitElement, tag: string): ShadowRoot => {
  const found = element.renderRoot.querySelector(tag)?.shadowRoot;
  if (!found) throw new Error(`there is no ${tag}`);
  return found;
};
const input = (root: ParentNode, name: string): HTMLInputElement => {
  const found = root.querySelector<HTMLInputElement>(`[name=${name}]`);
  if (!found) throw new Error(`there is no field ${name}`);
  return found;
};
const press = (root: ParentNode, label: string): void => {
  const found = [...root.querySelectorAll("button")].find((one) => one.textContent.trim() === label);
  if (!found) throw new Error(`there is no button ${label}`);
  found.click();
};
const send = (root: ParentNode): void =>
  void root.querySelector("form")?.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
const textOf = (root: ParentNode): string => (root.textContent ?? "").replace(/\s+/g, " ");

afterEach(() => {
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

it("a new key has the labels and limits of the form, and its secret is shown once with examples", async () => {
  const createKey = vi.fn(() => Promise.resolve(newKey));
  const element = await show(
    { users: [{ id: "u1", name: "Bo" }], llm_apis: [{ id: "assist", name: "Assist" }] },
    { createKey },
  );
  const form = inner(element, "zai-key-form");
  input(form, "llm_apis").checked = true;
  input(form, "name").value = "Tablet";
  input(form, "labels").value = " Kitchen, Tablet ,, ";
  input(form, "parallel").value = "2";
  input(form, "user_id").value = "u1";
  for (const box of form.querySelectorAll<HTMLInputElement>('[name="hosted_tools"]'))
    box.checked = ["web_search", "mcp"].includes(box.value);
  send(form);
  await vi.waitFor(() =>
    expect(createKey).toHaveBeenCalledWith({
      name: "Tablet",
      hosted_tools: ["web_search", "mcp"],
      labels: ["Kitchen", "Tablet"],
      llm_apis: ["assist"],
      parallel: 2,
      user_id: "u1",
    }),
  );
  await vi.waitFor(() => inner(element, "zai-new-key"));
  await settled(element);
  const card = inner(element, "zai-new-key");
  expect([...card.querySelectorAll("pre")].map((one) => one.textContent)).toEqual([
    "zai_secret",
    "http://box/v1",
    "curl it",
  ]);
  const select = card.querySelector("select");
  if (!select) throw new Error("there is no choice of programs");
  for (const program of ["python", "javascript", "opencode", "open_webui", "claude_code", "continue"] as const) {
    select.value = program;
    select.dispatchEvent(new Event("change"));
    await settled(element);
    expect(card.querySelectorAll("pre")[2]?.textContent).toBe(newKey[program]);
  }
  expect(card.querySelector("img")).toBeNull();
  press(card, "common.done");
  await settled(element);
  expect(element.renderRoot.querySelector("zai-new-key")).toBeNull();
});

it("a changed key sends only what differs, and null for what was removed", async () => {
  const updateKey = vi.fn(() => Promise.resolve());
  const key = apiKey({
    labels: ["Kitchen"],
    parallel: 2,
    requests_per_minute: 5,
    expires: "2100-01-01T12:00:00+00:00",
  });
  const element = await show({ keys: [key] }, { updateKey });
  press(element.renderRoot, "keys.edit");
  await settled(element);
  const form = element.renderRoot.querySelectorAll("zai-key-form")[1]?.shadowRoot;
  if (!form) throw new Error("there is no form");
  input(form, "name").value = "Desk";
  input(form, "parallel").value = "";
  input(form, "expires").value = "";
  send(form);
  await vi.waitFor(() => expect(updateKey).toHaveBeenCalledWith("k1", { name: "Desk", parallel: null, expires: null }));
  await vi.waitFor(() => expect(element.renderRoot.querySelectorAll("zai-key-form").length).toBe(1));
});

it("hostile names, owners and labels stay text", async () => {
  const key = apiKey({ name: HOSTILE, user_name: HOSTILE, labels: [HOSTILE], models: [HOSTILE] });
  const element = await show({ keys: [key] });
  expect(element.renderRoot.querySelector("img")).toBeNull();
  expect(textOf(element.renderRoot)).toContain(HOSTILE);
});

it("a client certificate has no new secret, and its client can enrol again", async () => {
  const makeCodeFor = vi.fn(() =>
    Promise.resolve({
      offered: true,
      pin: "ab",
      address: "box:8000",
      code: { code: "7K4M-2XQP", seconds_left: 300, tries_left: 3 },
      pending: [],
    }),
  );
  const clients = {
    state: () => Promise.resolve({ offered: true, pending: [] }),
    makeCodeFor,
  } as unknown as ClientsApi;
  const key = apiKey({ certificate_expires: "2126-01-01T00:00:00+00:00", prefix: "0a1b2c3d" });
  const element = await show({ keys: [key] }, { clients });
  const labels = [...(element.shadowRoot?.querySelectorAll("button") ?? [])].map((one) => one.textContent.trim());
  expect(labels).not.toContain(texts("keys.rotate"));
  [...(element.shadowRoot?.querySelectorAll("button") ?? [])]
    .find((one) => one.textContent.trim() === texts("keys.enrol_again"))
    ?.click();
  await new Promise((resolve) => setTimeout(resolve));
  const card = element.shadowRoot?.querySelector("zai-clients");
  await card?.updateComplete;
  expect(makeCodeFor).toHaveBeenCalledWith("k1");
  expect(card?.shadowRoot?.querySelector(".code")?.textContent).toBe("7K4M-2XQP");
});

it("two hundred keys are filtered by name, owner and label, and shown in parts", async () => {
  const keys = Array.from({ length: 200 }, (_, number) =>
    apiKey({
      key_id: `k${number}`,
      name: `Key ${number}`,
      user_name: number % 2 ? "Bo" : null,
      labels: number < 30 ? ["Kitchen"] : [],
    }),
  );
  const element = await show({ keys });
  const rows = (): number => element.renderRoot.querySelectorAll("tbody tr").length;
  expect(rows()).toBe(25);
  press(element.renderRoot, "keys.more");
  await settled(element);
  expect(rows()).toBe(50);
  const search = element.renderRoot.querySelector<HTMLInputElement>("input[type=search]");
  const label = element.renderRoot.querySelector<HTMLSelectElement>("select");
  if (!search || !label) throw new Error("there are no filters");
  const find = async (text: string): Promise<number> => {
    search.value = text;
    search.dispatchEvent(new Event("input"));
    await settled(element);
    return rows();
  };
  expect(await find("key 199")).toBe(1);
  expect(await find("bo")).toBe(25);
  expect(textOf(element.renderRoot)).toContain("keys.found 100 200");
  label.value = "Kitchen";
  label.dispatchEvent(new Event("change"));
  await settled(element);
  expect(textOf(element.renderRoot)).toContain("keys.found 15 200");
  expect(await find("nobody has this name")).toBe(0);
});

it.each([
  ["blocked", "keys.blocked"],
  ["off", "keys.no_more"],
  ["limit", "keys.no_more"],
] as const)("a person who may create no key (%s) learns why and whom to ask", async (refusal, heading) => {
  const element = await show({ own: ownKeys({ refusal, limit: 1 }) });
  expect(element.renderRoot.querySelector("zai-key-form")).toBeNull();
  const shown = textOf(element.renderRoot);
  expect(shown).toContain(heading);
  expect(shown).toContain(`keys.refused_${refusal}`);
  expect(shown).toContain("keys.ask Anna");
});

it("a person whose budget is spent learns until when", async () => {
  const exhausted: OwnKeys["exhausted"] = [{ scope: "user", period: "month", renews: "2026-02-01T00:00:00+00:00" }];
  const element = await show({ own: ownKeys({ exhausted }) });
  expect(textOf(element.renderRoot)).toContain("keys.stopped");
  expect(textOf(element.renderRoot)).toContain("keys.budget_spent");
});

it("a person sees what is allowed, sets no limits, and does not enable what an administrator disabled", async () => {
  const keys = [
    apiKey({ key_id: "mine", enabled: false, disabled_by_owner: true }),
    apiKey({ key_id: "theirs", enabled: false }),
  ];
  const element = await show({ keys, own: ownKeys({ used: 1, parallel: 3, models: ["qwen*"] }) });
  expect(inner(element, "zai-key-form").querySelector("details")).toBeNull();
  expect(textOf(element.renderRoot)).toContain("keys.used_of 1 2");
  expect(textOf(element.renderRoot)).toContain("qwen*");
  const rows = [...element.renderRoot.querySelectorAll("tbody tr")];
  const enables = rows.map((row) =>
    [...row.querySelectorAll("button")].some((one) => one.textContent.trim() === "keys.enable"),
  );
  expect(enables).toEqual([true, false]);
  expect(textOf(rows[1] as Element)).toContain("keys.disabled_by_administrator");
});

it("a refused change leaves the form as it is and says why", async () => {
  const createKey = vi.fn(() =>
    Promise.reject(new Error("You have 2 API keys, and may have no more. Revoke one first.")),
  );
  const element = await show({ own: ownKeys() }, { createKey });
  const form = inner(element, "zai-key-form");
  input(form, "name").value = "Tablet";
  send(form);
  await vi.waitFor(() => expect(textOf(element.renderRoot)).toContain("may have no more"));
  expect(input(form, "name").value).toBe("Tablet");
});

it("a text is copied without a clipboard, as pages over plain HTTP have none", async () => {
  const copied: string[] = [];
  vi.stubGlobal("navigator", {});
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- what pages without TLS have
  document.execCommand = (command: string) => {
    const area = document.querySelector("textarea");
    copied.push(`${command} ${area?.value ?? ""}`);
    return true;
  };
  await copyText("zai_secret", document.body as unknown as ShadowRoot);
  expect(copied).toEqual(["copy zai_secret"]);
  expect(document.querySelector("textarea")).toBeNull();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- what pages without TLS have
  document.execCommand = () => false;
  await expect(copyText("zai_secret", document.body as unknown as ShadowRoot)).rejects.toThrow("Select the text");
});

it("the certificate authority is offered with its fingerprint and commands, and only if there is one", async () => {
  const authority = { pem: "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n", sha256: "AB:CD" };
  const element = await show({ authority, base_url: "https://box:8443/v1" });
  const found = inner(element, "zai-authority");
  await vi.waitFor(() => expect(textOf(found)).toContain("AB:CD"));
  expect(textOf(found)).toContain("curl --cacert zeroconf-ai-ca.pem https://box:8443/v1/models");
  expect(textOf(found)).toContain("NODE_EXTRA_CA_CERTS");
  const saved: Blob[] = [];
  const made = vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
    saved.push(blob as Blob);
    return "blob:x";
  });
  press(found, "authority.download");
  made.mockRestore();
  expect(await saved[0]?.text()).toBe(authority.pem);
  expect((await show({})).renderRoot.querySelector("zai-authority")).toBeNull();
});
