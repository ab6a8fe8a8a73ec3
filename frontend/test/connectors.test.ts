import { expect, it, vi } from "vitest";
import { connectorsApi, type Connector, type ConnectorsApi, type Relay } from "../src/api/connectors.js";
import "../src/views/connectors.js";
import { fakeApi, show } from "./fake-api.js";

const hostile = "<img src=x onerror=alert(1)>";

const connector = (fields: Partial<Connector> = {}): Connector => ({
  id: "c1",
  name: hostile,
  backend_id: "relay:c1",
  enabled: true,
  connected: true,
  created: 1_800_000_000,
  last_seen: 1_800_000_000,
  models: ["qwen3:8b"],
  version: "0.2.0",
  ...fields,
});

async function view(
  relay: Relay | null,
  answers: Partial<ConnectorsApi> = {},
): Promise<Element & { renderRoot: ParentNode }> {
  const connectors = { list: () => Promise.resolve(relay), ...answers } as ConnectorsApi;
  const element = await show("zai-connectors", { api: fakeApi({ connectors }) });
  await vi.waitFor(() => expect(element.renderRoot.querySelector("button:disabled")).toBeNull());
  return element;
}

const press = (element: { renderRoot: ParentNode }, label: string): void => {
  const found = [...element.renderRoot.querySelectorAll("button")].find(
    (one) => one.textContent.trim() === label || one.getAttribute("aria-label") === label,
  );
  if (!found) throw new Error(`there is no button ${label}`);
  found.click();
};

it("a server that takes no connectors shows nothing", async () => {
  expect((await view(null)).renderRoot.textContent?.trim()).toBe("");
});

it("a server without a relay is no error", async () => {
  const without = connectorsApi(<T>() => Promise.resolve({ connectors: null, code: null } as T));
  expect(await without.list()).toBeNull();
});

it("the command and the code are shown when a code is made", async () => {
  const relay: Relay = { connectors: [], code: null };
  const pair = vi.fn(() => {
    relay.code = { code: "3F7A-9KMT", seconds_left: 299, command: "zeroconf-ai connect https://ai.example" };
    return Promise.resolve(relay.code);
  });
  const cancel = vi.fn(() => Promise.resolve());
  const element = await view(relay, { pair, cancel });
  await vi.waitFor(() => expect(element.renderRoot.textContent).toContain("connectors.title"));
  press(element, "connectors.pair");
  await vi.waitFor(() => expect(element.renderRoot.textContent).toContain("3F7A-9KMT"));
  expect(element.renderRoot.textContent).toContain("zeroconf-ai connect https://ai.example");
  expect(element.renderRoot.textContent).toContain("connectors.enter 5");
  await vi.waitFor(() => expect(element.renderRoot.querySelector("button:disabled")).toBeNull());
  press(element, "connectors.cancel");
  await vi.waitFor(() => expect(cancel).toHaveBeenCalled());
});

it("a connector is disconnected, renamed, and removed only after a second press; names stay text", async () => {
  const enable = vi.fn(() => Promise.resolve());
  const rename = vi.fn(() => Promise.resolve());
  const remove = vi.fn(() => Promise.resolve());
  const element = await view({ connectors: [connector()], code: null }, { enable, rename, remove });
  await vi.waitFor(() => expect(element.renderRoot.textContent).toContain(hostile));
  expect(element.renderRoot.querySelector("img")).toBeNull();
  press(element, `connectors.disable_name ${hostile}`);
  await vi.waitFor(() => expect(enable).toHaveBeenCalledWith("c1", false));
  await vi.waitFor(() => expect(element.renderRoot.querySelector("button:disabled")).toBeNull());
  press(element, `connectors.rename_name ${hostile}`);
  await vi.waitFor(() => expect(element.renderRoot.querySelector("form")).not.toBeNull());
  element.renderRoot.querySelector("form")?.requestSubmit();
  await vi.waitFor(() => expect(rename).toHaveBeenCalledWith("c1", hostile));
  await vi.waitFor(() => expect(element.renderRoot.querySelector("button:disabled")).toBeNull());
  press(element, `connectors.remove_name ${hostile}`);
  await vi.waitFor(() => expect(element.renderRoot.textContent).toContain("connectors.remove_sure"));
  expect(remove).not.toHaveBeenCalled();
  press(element, "connectors.remove_sure");
  await vi.waitFor(() => expect(remove).toHaveBeenCalledWith("c1"));
});

it("a connector that is away says when it was seen", async () => {
  const element = await view({ connectors: [connector({ connected: false })], code: null });
  await vi.waitFor(() => expect(element.renderRoot.textContent).toContain("connectors.away"));
  expect(element.renderRoot.textContent).toContain("connectors.seen");
});
