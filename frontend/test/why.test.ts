import { LitElement } from "lit";
import { expect, it, vi } from "vitest";
import type { RoutingApi, Why } from "../src/api/routing.js";
import "../src/views/why.js";
import { fakeApi, live, texts } from "./fake-api.js";

const plan = (fields: Partial<Why> = {}): Why => ({
  form: "text",
  kind: "chat/completions",
  asker: "",
  requested_model: "auto",
  strategy: "priority",
  prompt_tokens: 2,
  needs: ["completion"],
  candidates: [],
  rejections: [],
  error: null,
  ...fields,
});

async function show(routing: Partial<RoutingApi>): Promise<LitElement> {
  const callers = { keys: [{ id: "k:1", name: "Tablet" }], users: [{ id: "u1", name: "<b>Ada</b>" }] };
  const element = document.createElement("zai-why");
  const api = fakeApi({ routing: { callers: () => Promise.resolve(callers), ...routing } as RoutingApi });
  document.body.append(Object.assign(element, { texts, language: "en", api, live: live() }));
  if (!(element instanceof LitElement)) throw new Error("zai-why is not defined");
  await vi.waitFor(() => expect(element.renderRoot.querySelector("optgroup")).not.toBeNull());
  return element;
}

function set(element: LitElement, name: string, value: string): void {
  const control = element.renderRoot.querySelector<HTMLInputElement>(`[name=${name}]`);
  if (!control) throw new Error(`there is no field ${name}`);
  control.value = value;
}

const submit = (element: LitElement): boolean | undefined =>
  element.renderRoot.querySelector("form")?.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));

it("what is pasted is sent as it is, with the model and the key as whom it is asked", async () => {
  const why = vi.fn(() => Promise.resolve(plan({ form: "curl", asker: "Tablet" })));
  const view = await show({ why });
  set(view, "text", "curl http://x -d '{}'");
  set(view, "asker", "key_id:k:1");
  submit(view);
  await vi.waitFor(() => expect(view.renderRoot.textContent).toContain("why.asked_as Tablet"));
  expect(why).toHaveBeenLastCalledWith({ text: "curl http://x -d '{}'", key_id: "k:1" });
  set(view, "model", "qwen");
  set(view, "asker", "user_id:u1");
  submit(view);
  await vi.waitFor(() =>
    expect(why).toHaveBeenLastCalledWith({ text: "curl http://x -d '{}'", model: "qwen", user_id: "u1" }),
  );
});

it("reasons and names of others stay text", async () => {
  const hostile = "<img src=x onerror=alert(1)>";
  const rejections = [{ backend: hostile, reason: hostile }];
  const view = await show({
    why: () => Promise.resolve(plan({ rejections, error: hostile, requested_model: hostile })),
  });
  set(view, "text", "Hello");
  submit(view);
  await vi.waitFor(() => expect(view.renderRoot.textContent).toContain(hostile));
  expect(view.renderRoot.querySelector("img, b b")).toBeNull();
});
