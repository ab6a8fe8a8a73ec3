import { afterEach, expect, it, vi } from "vitest";
import type { ClientsApi, Enrolment } from "../src/api/clients.js";
import { Clients } from "../src/views/clients.js";
import { fakeApi, texts } from "./fake-api.js";

const HOSTILE = "<img src=x onerror=alert(1)>";
const OFFERED: Enrolment = {
  offered: true,
  mode: "mtls",
  pin: "ab".repeat(32),
  address: "192.0.2.10:8000",
  code: null,
  pending: [],
};
const WAITING: Enrolment = {
  ...OFFERED,
  pending: [{ id: "r1", name: HOSTILE, address: "192.0.2.7", check: "012345", asked: 1, seconds_left: 600 }],
};

async function show(answers: Partial<ClientsApi>, enrolled = (): void => undefined): Promise<Clients> {
  const element = new Clients();
  Object.assign(element, { api: fakeApi({ clients: answers as ClientsApi }), texts, enrolled });
  document.body.append(element);
  await settled(element);
  return element;
}

async function settled(element: Clients): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  await element.updateComplete;
}

const press = async (element: Clients, label: string): Promise<void> => {
  const buttons = [...(element.shadowRoot?.querySelectorAll("button") ?? [])];
  buttons.find((one) => one.textContent.trim() === texts(label))?.click();
  await settled(element);
};

afterEach(() => {
  document.body.replaceChildren();
});

it("shows nothing where a home gives no certificates", async () => {
  const element = await show({ state: () => Promise.resolve({ offered: false }) });
  expect(element.shadowRoot?.textContent.trim()).toBe("");
});

it("shows a one-time code with the command for the client", async () => {
  const code = { code: "7K4M-2XQP", seconds_left: 300, tries_left: 3 };
  const makeCode = vi.fn(() => Promise.resolve({ ...OFFERED, code }));
  const element = await show({ state: () => Promise.resolve(OFFERED), makeCode });
  const form = element.shadowRoot?.querySelector("form");
  (form?.elements.namedItem("name") as HTMLInputElement).value = " Desk ";
  form?.dispatchEvent(new SubmitEvent("submit", { cancelable: true }));
  await settled(element);
  expect(makeCode).toHaveBeenCalledWith("Desk");
  expect(element.shadowRoot?.querySelector(".code")?.textContent).toBe("7K4M-2XQP");
  expect(element.shadowRoot?.querySelector("pre")?.textContent).toBe(
    `zeroconf-ai enroll 192.0.2.10:8000 --pin ${"ab".repeat(32)}`,
  );
});

it("shows who asks with digits, as text, and approves", async () => {
  const approve = vi.fn(() => Promise.resolve(OFFERED));
  const enrolled = vi.fn();
  const element = await show({ state: () => Promise.resolve(WAITING), approve }, enrolled);
  expect(element.shadowRoot?.querySelector("img")).toBeNull();
  expect(element.shadowRoot?.querySelector(".digits")?.textContent).toBe("012 345");
  await press(element, "clients.approve");
  expect(approve).toHaveBeenCalledWith("r1");
  expect(enrolled).toHaveBeenCalledOnce();
  expect(element.shadowRoot?.querySelector(".digits")).toBeNull();
});

it("ends all certificates only after a confirmation", async () => {
  const replaceAuthority = vi.fn(() => Promise.resolve(OFFERED));
  const enrolled = vi.fn();
  const element = await show({ state: () => Promise.resolve(OFFERED), replaceAuthority }, enrolled);
  await press(element, "clients.replace");
  expect(replaceAuthority).not.toHaveBeenCalled();
  await press(element, "common.cancel");
  await press(element, "clients.replace");
  await press(element, "clients.replace");
  expect(replaceAuthority).toHaveBeenCalledOnce();
  expect(enrolled).toHaveBeenCalledOnce();
});

it("refuses, and shows the error of the home", async () => {
  const refuse = vi.fn(() => Promise.reject(new Error("The database is locked.")));
  const element = await show({ state: () => Promise.resolve(WAITING), refuse });
  await press(element, "clients.refuse");
  expect(refuse).toHaveBeenCalledWith("r1");
  expect(element.shadowRoot?.textContent).toContain("The database is locked.");
});
