import { LitElement } from "lit";
import { expect, it, vi } from "vitest";
import type { PageApi } from "../src/api/page-api.js";
import type { RecordsApi } from "../src/api/records.js";
import type { RequestPage, RequestRecord, UsageReport } from "../src/api/types.js";
import "../src/page.js";
import { spans } from "../src/views/waterfall.js";
import { fakeApi, request, show, texts } from "./fake-api.js";

const nothing = (): Promise<UsageReport> => Promise.reject(new Error("no usage"));

const showRequests = (answers: Partial<PageApi>, fields: object = {}): Promise<LitElement> =>
  show("zai-requests", { api: fakeApi({ usage: nothing, ...answers }), ...fields });

const opener = (requests: LitElement): HTMLButtonElement | null =>
  requests.renderRoot.querySelector("button[aria-expanded]");

const detailOf = (requests: LitElement): LitElement | null =>
  requests.renderRoot.querySelector<LitElement>("zai-request-detail");

async function openRequest(fields: Partial<RequestRecord>, records: Partial<RecordsApi> = {}): Promise<ParentNode> {
  const page = { requests: [request(fields)], next: null };
  const requests = await showRequests({
    requests: () => Promise.resolve(page),
    records: records as RecordsApi,
  });
  await vi.waitFor(() => expect(opener(requests)).not.toBeNull());
  opener(requests)?.click();
  await requests.updateComplete;
  const detail = detailOf(requests);
  if (detail === null) throw new Error("nothing is open");
  await detail.updateComplete;
  return detail.renderRoot;
}

const factOf = (detail: ParentNode, name: string): string | undefined =>
  [...detail.querySelectorAll("dt")]
    .find((term) => term.textContent === name)
    ?.nextElementSibling?.textContent.replace(/\s+/g, " ")
    .trim();

it("a request shows its answer's id, the split cost and each failed attempt with its reason", async () => {
  const hostile = "<img src=x onerror=alert(1)>";
  const failed = { backend_id: "a", backend_name: "Box", model: "m1", began_ms: 0, ended_ms: 5 };
  const opened = await openRequest({
    answer_id: "chatcmpl-1",
    key: "zai_abcd…",
    labels: ["Kitchen", hostile],
    provider_health: "degraded",
    cost: 0.000039,
    cost_prompt: 0.000009,
    cost_completion: 0.00003,
    cost_source: "owner",
    currency: "EUR",
    converted_cost: 0.5,
    converted_currency: "USD",
    energy_wh: 0.123456,
    attempts: 3,
    failed_attempts: [
      { ...failed, reason: hostile, code: "provider_error" },
      { ...failed, backend_name: "Cloud", model: "m2", reason: "", code: "rate_limit_exceeded", began_ms: null },
    ],
  });
  expect(factOf(opened, "requests.answer_id")).toBe("chatcmpl-1");
  expect(factOf(opened, "requests.key")).toBe("zai_abcd…");
  expect(factOf(opened, "requests.labels")).toBe(`Kitchen, ${hostile}`);
  expect(factOf(opened, "requests.provider_health")).toBe("states.degraded");
  expect(factOf(opened, "requests.prompt_cost")).toBe("€0.000009");
  expect(factOf(opened, "requests.answer_cost")).toBe("€0.00003");
  expect(factOf(opened, "requests.total_cost")).toBe("€0.000039");
  expect(factOf(opened, "requests.converted_cost")).toBe("$0.50");
  expect(factOf(opened, "requests.cost_source")).toBe("cost_sources.owner");
  expect(factOf(opened, "requests.energy")).toBe("0.123 Wh");
  const attempts = [...opened.querySelectorAll("dd ol li")].map((item) => item.textContent.trim());
  expect(attempts).toEqual([
    `requests.failed_attempt Box m1 ${hostile}`,
    "requests.failed_attempt Cloud m2 rate_limit_exceeded",
  ]);
  expect(opened.querySelector("img")).toBeNull();
});

it("a request of which less is known shows no empty facts", async () => {
  const opened = await openRequest({});
  const names = ["answer_id", "key", "provider_health", "prompt_cost", "answer_cost", "total_cost", "converted_cost"];
  for (const name of [...names, "energy", "failed_attempts"])
    expect(factOf(opened, `requests.${name}`)).toBeUndefined();
});

it("the words of a request are asked for on demand and stay text", async () => {
  const hostile = "<img src=x onerror=alert(1)>";
  const words = vi.fn(() => Promise.resolve({ request: hostile, answer: "[x](javascript:alert(1))" }));
  const opened = await openRequest({}, { words });
  expect(words).not.toHaveBeenCalled();
  opened.querySelector<HTMLButtonElement>("p button")?.click();
  await vi.waitFor(() => expect(opened.querySelectorAll("pre")).toHaveLength(2));
  expect(words).toHaveBeenCalledWith("req_1");
  expect(opened.querySelector("pre")?.textContent).toBe(hostile);
  expect(opened.querySelector("img, a[href^=javascript]")).toBeNull();
});

it("a request without stored words says so", async () => {
  const opened = await openRequest({}, { words: () => Promise.resolve(null) });
  opened.querySelector<HTMLButtonElement>("p button")?.click();
  await vi.waitFor(() => expect(opened.textContent).toContain("requests.no_words"));
});

it("the address of a request or of an answer opens it alone", async () => {
  const find = vi.fn(() => Promise.resolve({ requests: [request({ id: "req/1" })], next: null }));
  const page = await show("zai-page", {
    api: fakeApi({ isAdmin: false, usage: nothing, requests: find }),
    texts,
    tab: "requests/req%2F1",
  });
  const requests = page.renderRoot.querySelector<LitElement>("zai-requests");
  if (requests === null) throw new Error("there is no such tab");
  await vi.waitFor(() => expect(detailOf(requests)).not.toBeNull());
  expect(find).toHaveBeenLastCalledWith({ request_id: "req/1" }, null);
  const detail = detailOf(requests);
  await detail?.updateComplete;
  expect(detail?.renderRoot.querySelector("a")?.getAttribute("href")).toBe("#requests/req%2F1");
});

it("a request is found by the id of its answer, in all the records", async () => {
  const find = vi.fn(() => Promise.resolve({ requests: [request()], next: null }));
  const requests = await showRequests({ requests: find });
  const label = [...requests.renderRoot.querySelectorAll("label")].find((one) =>
    one.textContent.includes("requests.find_id"),
  );
  const input = label?.querySelector("input");
  if (!input) throw new Error("there is no field for an id");
  input.value = " chatcmpl-1 ";
  input.dispatchEvent(new Event("change"));
  await vi.waitFor(() => expect(find).toHaveBeenLastCalledWith({ request_id: "chatcmpl-1" }, null));
});

it("filters offer what the records of the last days have, and are combined", async () => {
  const find = vi.fn((): Promise<RequestPage> => Promise.resolve({ requests: [], next: null }));
  const usage = vi.fn((_start: string, _end: string, [group]: string[]) =>
    Promise.resolve({
      rows: group === "key" ? [{ key: "k1", key_name: "<b>Laptop</b>", requests: 2 }] : [],
    } as unknown as UsageReport),
  );
  const requests = await showRequests({ requests: find, usage });
  const select = (name: string): HTMLSelectElement | null | undefined =>
    [...requests.renderRoot.querySelectorAll("label")]
      .find((one) => one.textContent.includes(name))
      ?.querySelector("select");
  await vi.waitFor(() => expect(select("requests.key")).toBeTruthy());
  expect(select("requests.label")).toBeFalsy(); // nothing to choose
  const key = select("requests.key");
  const outcome = select("requests.outcome");
  if (!key || !outcome) throw new Error("a filter is missing");
  expect(key.options[1]?.textContent.trim()).toBe("<b>Laptop</b>");
  key.value = "k1";
  key.dispatchEvent(new Event("change"));
  outcome.value = "error";
  outcome.dispatchEvent(new Event("change"));
  await vi.waitFor(() =>
    expect(find).toHaveBeenLastCalledWith(
      expect.objectContaining({ key_id: "k1", outcome: "error", start: expect.any(Number) as number }),
      null,
    ),
  );
});

it("pages replace each other, so that the page never has more rows than one of them", async () => {
  const find = vi.fn((_filter: object, after: string | null): Promise<RequestPage> => {
    const from = after === null ? 0 : Number(after);
    const rows = Array.from({ length: 50 }, (_, index) => request({ id: `r${from + index}` }));
    return Promise.resolve({ requests: rows, next: from >= 100 ? null : String(from + 50) });
  });
  const requests = await showRequests({ requests: find });
  const openers = (): NodeListOf<Element> => requests.renderRoot.querySelectorAll("button[aria-expanded]");
  const turn = async (name: string, after: string | null): Promise<void> => {
    const button = [...requests.renderRoot.querySelectorAll("button")].find((one) => one.textContent.includes(name));
    await vi.waitFor(() => expect(button?.disabled).toBe(false));
    button?.click();
    await vi.waitFor(() => expect(find.mock.lastCall?.[1]).toBe(after));
    await requests.updateComplete;
    expect(openers()).toHaveLength(50);
  };
  await vi.waitFor(() => expect(openers()).toHaveLength(50));
  await turn("requests.older", "50");
  await turn("requests.older", "100");
  await turn("requests.newer", "50");
  await turn("requests.newer", null);
});

const failure = { backend_id: "a", backend_name: "Box", model: "m", reason: "", code: null };

it("the waterfall has the waiting, the failed attempts and the steps of the answer one after the other", () => {
  const record = request({
    failed_attempts: [{ ...failure, began_ms: 20, ended_ms: 60 }],
    sent_ms: 70,
    first_byte_ms: 100,
    latency_ms: 300,
    duration_ms: 1000,
  });
  expect(spans(record).map(({ kind, from, to }) => [kind, from, to])).toEqual([
    ["waiting", 0, 20],
    ["attempt", 20, 60],
    ["waiting", 60, 70],
    ["first_byte", 70, 100],
    ["first_token", 100, 300],
    ["answer", 300, 1000],
  ]);
});

it("the waterfall of a record of an earlier version, and of a failed request, shows what is known", () => {
  const old = request({ failed_attempts: [{ ...failure, began_ms: null, ended_ms: null }], latency_ms: 300 });
  expect(spans(old).map(({ kind }) => kind)).toEqual(["first_token", "answer"]);
  const failed = request({ sent_ms: null, latency_ms: null, duration_ms: 40 });
  expect(spans(failed).map(({ kind, to }) => [kind, to])).toEqual([["rest", 40]]);
  const cut = request({ sent_ms: 10, first_byte_ms: 20, latency_ms: 90, duration_ms: 50 });
  expect(spans(cut).at(-1)?.to).toBe(50);
});
