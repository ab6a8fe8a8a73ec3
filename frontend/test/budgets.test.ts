import { LitElement } from "lit";
import { expect, it, vi } from "vitest";
import type { Currency, RecordsApi } from "../src/api/records.js";
import type { AlertChoice, AlertSettings, AlertsApi } from "../src/api/alerts.js";
import type { PageApi } from "../src/api/page-api.js";
import type { RoutingApi } from "../src/api/routing.js";
import type { Budget } from "../src/api/types.js";
import "../src/views/budgets.js";
import { fakeApi, live, member, texts } from "./fake-api.js";

const HOSTILE = "<img src=x onerror=alert(1)>";

const budget = (fields: Partial<Budget> = {}): Budget => ({
  budget_id: "household:month",
  scope: "household",
  subject: "",
  owner: "Home",
  amount: 10,
  spent: 8.5,
  left: 1.5,
  percent: 85,
  period: "month",
  action: "free_only",
  thresholds: [50, 80, 100],
  renews: "2030-02-01T00:00:00+00:00",
  currency: "EUR",
  spent_on: "2030-01-24T12:00:00+00:00",
  ...fields,
});

async function show(answers: Partial<PageApi>): Promise<LitElement> {
  const element = document.createElement("zai-budgets");
  const callers = { keys: [{ id: "k1", name: "Tablet" }], users: [{ id: "u1", name: "Ada" }] };
  const routing = { callers: () => Promise.resolve(callers) } as Partial<RoutingApi> as RoutingApi;
  const currency: Currency = { currency: "EUR", rates: {}, one_to_one: ["USD"], missing: [] };
  const records = { currency: () => Promise.resolve(currency) } as RecordsApi;
  const api = fakeApi({ routing, records, alerts: null, budgets: () => Promise.resolve([budget()]), ...answers });
  const state = live({ members: [member({ id: "b1", name: "Attic" })] });
  document.body.append(Object.assign(element, { texts, language: "en", api, live: state }));
  if (!(element instanceof LitElement)) throw new Error("zai-budgets is not defined");
  await vi.waitFor(() => expect(element.renderRoot.querySelector("[name=scope]")).not.toBeNull());
  return element;
}

function set(root: ParentNode, name: string, value: string): void {
  const control = root.querySelector<HTMLInputElement>(`[name=${name}]`);
  if (!control) throw new Error(`there is no field ${name}`);
  control.value = value;
  control.dispatchEvent(new Event("change", { bubbles: true }));
}

const submit = (form: Element | null | undefined): void =>
  void form?.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));

const press = (element: LitElement, name: string): void =>
  element.renderRoot.querySelector<HTMLButtonElement>(`[aria-label="${name}"]`)?.click();

it("a budget shows its thresholds on the bar, and when it is spent at this rate", async () => {
  const view = await show({ budgets: () => Promise.resolve([budget({ owner: HOSTILE })]) });
  const marks = [...view.renderRoot.querySelectorAll<HTMLElement>(".bar i")].map((mark) => mark.dataset["at"]);
  expect(marks).toEqual(["50", "80"]);
  expect(view.renderRoot.textContent).toContain("budgets.spent €8.50 €10.00");
  expect(view.renderRoot.textContent).toContain("budgets.forecast Jan 24, 2030");
  expect(view.renderRoot.querySelector("img")).toBeNull();
  expect(view.renderRoot.querySelector("[role=meter]")?.getAttribute("aria-valuenow")).toBe("85");
});

it("a budget for a person is made by the name, with its thresholds", async () => {
  const setBudget = vi.fn(() => Promise.resolve());
  const view = await show({ setBudget });
  set(view.renderRoot, "scope", "user");
  await view.updateComplete;
  const names = [...view.renderRoot.querySelectorAll("[name=subject] option")].map((option) => option.textContent);
  expect(names).toEqual(["Ada"]);
  set(view.renderRoot, "amount", "2.5");
  set(view.renderRoot, "thresholds", "90 %, 50, 90");
  submit(view.renderRoot.querySelector("form"));
  await vi.waitFor(() =>
    expect(setBudget).toHaveBeenCalledWith({
      scope: "user",
      subject: "u1",
      period: "month",
      amount: 2.5,
      action: "free_only",
      thresholds: [50, 90],
    }),
  );
});

it("thresholds that are no percentages are said, and nothing is sent", async () => {
  const setBudget = vi.fn(() => Promise.resolve());
  const view = await show({ setBudget });
  set(view.renderRoot, "amount", "1");
  for (const wrong of ["0", "101", "half", "1.5", "1 2 3 4 5 6 7 8 9 10 11"]) {
    set(view.renderRoot, "thresholds", wrong);
    submit(view.renderRoot.querySelector("form"));
    await view.updateComplete;
    expect(view.renderRoot.querySelector("[role=alert]")?.textContent).toBe("budgets.thresholds_invalid");
  }
  expect(setBudget).not.toHaveBeenCalled();
});

it("a budget is changed, and reset and removed only after a second click", async () => {
  const setBudget = vi.fn(() => Promise.resolve());
  const resetBudget = vi.fn(() => Promise.resolve());
  const removeBudget = vi.fn(() => Promise.resolve());
  const view = await show({ setBudget, resetBudget, removeBudget });
  press(view, "budgets.change: Home");
  await view.updateComplete;
  const form = view.renderRoot.querySelector("form");
  if (!form) throw new Error("there is no form");
  expect(form.querySelector<HTMLInputElement>("[name=amount]")?.value).toBe("10");
  set(form, "amount", "20");
  submit(form);
  await vi.waitFor(() =>
    expect(setBudget).toHaveBeenCalledWith(expect.objectContaining({ amount: 20, scope: "household" })),
  );
  await vi.waitFor(() => expect(view.renderRoot.querySelector("[aria-label='budgets.reset: Home']")).not.toBeNull());
  for (const [what, action] of [
    ["reset", resetBudget],
    ["remove", removeBudget],
  ] as const) {
    press(view, `budgets.${what}: Home`);
    await view.updateComplete;
    expect(action).not.toHaveBeenCalled();
    view.renderRoot.querySelector<HTMLButtonElement>("[role=alert] button")?.click();
    await vi.waitFor(() => expect(action).toHaveBeenCalledOnce());
    await vi.waitFor(() => expect(view.renderRoot.querySelector("[role=alert]")).toBeNull());
  }
});

const settings = (fields: Partial<AlertSettings> = {}): AlertSettings => ({
  notify_entities: [],
  notify_actions: ["phone"],
  alert_kinds: ["budget_exceeded"],
  alert_from: 80,
  key_factor: 5,
  webhook_host: "hooks.example.org",
  entities: [{ id: "notify.family", name: HOSTILE }],
  actions: [],
  kinds: ["budget_exceeded", "provider_down"],
  ...fields,
});

async function alerts(api: Partial<AlertsApi>): Promise<ShadowRoot> {
  const view = await show({
    alerts: { settings: () => Promise.resolve(settings()), ...api } as AlertsApi,
  });
  const root = view.renderRoot.querySelector("zai-alerts-card")?.shadowRoot;
  if (!root) throw new Error("there is no card");
  await vi.waitFor(() => expect(root.querySelector("form")).not.toBeNull());
  return root;
}

it("where alerts go is saved, and the webhook stays unless it is removed", async () => {
  const change = vi.fn((choice: AlertChoice) => Promise.resolve(choice).then(() => undefined));
  const root = await alerts({ change });
  expect(root.querySelector("img")).toBeNull();
  expect(root.textContent).toContain("alerts.webhook_at hooks.example.org");
  for (const box of root.querySelectorAll<HTMLInputElement>("[value='notify.family'], [value=provider_down]"))
    box.checked = true;
  submit(root.querySelector("form"));
  await vi.waitFor(() => expect(root.textContent).toContain("alerts.saved"));
  expect(change).toHaveBeenLastCalledWith({
    notify_entities: ["notify.family"],
    notify_actions: ["phone"],
    alert_kinds: ["budget_exceeded", "provider_down"],
    alert_from: 80,
    key_factor: 5,
  });
  const remove = root.querySelector<HTMLInputElement>("[name=no_webhook]");
  if (!remove) throw new Error("the webhook cannot be removed");
  remove.checked = true;
  submit(root.querySelector("form"));
  await vi.waitFor(() => expect(change).toHaveBeenLastCalledWith(expect.objectContaining({ webhook_url: "" })));
});

it("a test alert says of each way whether it was delivered", async () => {
  const deliveries = [
    { sender: "notify.family", error: null },
    { sender: "notify.phone", error: HOSTILE },
  ];
  const root = await alerts({ test: () => Promise.resolve(deliveries) });
  [...root.querySelectorAll("button")].find((button) => button.textContent.includes("alerts.test"))?.click();
  await vi.waitFor(() => expect(root.textContent).toContain("alerts.delivered notify.family"));
  expect(root.textContent).toContain(`alerts.failed notify.phone ${HOSTILE}`);
  expect(root.querySelector("img")).toBeNull();
});

it("the form shows the currency of the amount, and which costs count one to one in it", async () => {
  const view = await show({});
  expect(view.renderRoot.textContent).toContain("budgets.amount_in EUR");
  expect(view.renderRoot.textContent).toContain("usage.one_to_one USD EUR");
});
