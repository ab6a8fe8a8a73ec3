import { expect, it, vi } from "vitest";
import type { ModelServer, ServerModelsApi } from "../src/api/server-models.js";
import "../src/views/server-models.js";
import { fakeApi, show } from "./fake-api.js";

const hostile = "<img src=x onerror=alert(1)>";

const server = (fields: Partial<ModelServer> = {}): ModelServer => ({
  backend_id: "gpu",
  name: "GPU",
  can: ["load", "unload", "keep_alive", "pull", "delete"],
  models: [
    { name: hostile, size: 5_200_000_000, loaded: true, memory: 5_000_000_000, until: null },
    { name: "phi4", size: null, loaded: false, memory: null, until: null },
  ],
  pulls: [],
  error: null,
  ...fields,
});

async function view(
  servers: ModelServer[],
  answers: Partial<ServerModelsApi> = {},
): Promise<Element & { renderRoot: ParentNode }> {
  const serverModels = { list: () => Promise.resolve(servers), ...answers } as ServerModelsApi;
  const element = await show("zai-server-models", { api: fakeApi({ serverModels }) });
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

it("a home whose servers cannot be controlled shows nothing", async () => {
  expect((await view([])).renderRoot.textContent?.trim()).toBe("");
});

it("a model is loaded and unloaded, and names stay text", async () => {
  const load = vi.fn(() => Promise.resolve());
  const unload = vi.fn(() => Promise.resolve());
  const element = await view([server()], { load, unload });
  await vi.waitFor(() => expect(element.renderRoot.textContent).toContain(hostile));
  expect(element.renderRoot.querySelector("img")).toBeNull();
  expect(element.renderRoot.textContent).toContain("5.2 GB");
  press(element, "server_models.load_name phi4");
  await vi.waitFor(() => expect(load).toHaveBeenCalledWith("gpu", "phi4"));
  await vi.waitFor(() => expect(element.renderRoot.querySelector("button:disabled")).toBeNull());
  press(element, `server_models.unload_name ${hostile}`);
  await vi.waitFor(() => expect(unload).toHaveBeenCalledWith("gpu", hostile));
});

it("a model is deleted only after a second press", async () => {
  const remove = vi.fn(() => Promise.resolve());
  const element = await view([server()], { remove });
  await vi.waitFor(() => expect(element.renderRoot.querySelector("table")).not.toBeNull());
  press(element, "server_models.delete_name phi4");
  await vi.waitFor(() => expect(element.renderRoot.textContent).toContain("server_models.delete_sure"));
  expect(remove).not.toHaveBeenCalled();
  press(element, "server_models.delete_sure");
  await vi.waitFor(() => expect(remove).toHaveBeenCalledWith("gpu", "phi4"));
});

it("a download shows how far it is, and can be stopped", async () => {
  const cancel = vi.fn(() => Promise.resolve());
  const pulls: ModelServer["pulls"] = [
    { model: "new", state: "running", status: "pulling", completed: 500, total: 2000, error: null },
    { model: "gone", state: "failed", status: "", completed: null, total: null, error: "file does not exist" },
  ];
  const element = await view([server({ pulls })], { cancel });
  await vi.waitFor(() => expect(element.renderRoot.querySelector("progress")?.value).toBe(0.25));
  expect(element.renderRoot.textContent).toContain("file does not exist");
  press(element, "server_models.stop_name new");
  await vi.waitFor(() => expect(cancel).toHaveBeenCalledWith("gpu", "new"));
});

it("a server that can only load offers no download and no deletion", async () => {
  const element = await view([server({ can: ["load", "unload"], error: "LM Studio 0.4.0 or later is required." })]);
  await vi.waitFor(() => expect(element.renderRoot.querySelector("table")).not.toBeNull());
  expect(element.renderRoot.querySelector("form")).toBeNull();
  expect(element.renderRoot.textContent).not.toContain("server_models.delete");
  expect(element.renderRoot.textContent).toContain("LM Studio 0.4.0 or later is required.");
});
