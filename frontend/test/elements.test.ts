import { render, type TemplateResult } from "lit";
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  HOME_ELEMENTS,
  alert,
  button,
  card,
  homeForm,
  loading,
  markdown,
  menuButton,
  toggle,
  useHomeElements,
} from "../src/elements.js";

/** What a template draws. */
function drawn(template: TemplateResult | symbol): HTMLElement {
  const parent = document.createElement("div");
  document.body.replaceChildren(parent);
  render(template, parent);
  return parent;
}

function part(parent: HTMLElement, selector: string): HTMLElement {
  const found = parent.querySelector<HTMLElement>(selector);
  if (!found) throw new Error(`${selector} is not drawn`);
  return found;
}

const words = (element: HTMLElement): string => element.textContent.replace(/\s+/g, " ").trim();
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

beforeEach(() => document.body.replaceChildren());

// In this order: what is defined stays defined.
describe.each([
  ["plain", () => useHomeElements(0)],
  [
    "Home Assistant's",
    () => {
      for (const name of Object.values(HOME_ELEMENTS)) customElements.define(name, class extends HTMLElement {});
      return useHomeElements(1000);
    },
  ],
])("%s elements", (kind, prepare) => {
  const home = kind !== "plain";

  it("are those that the frontend has", async () => {
    await prepare();
    const parent = drawn(button("Save", { press: vi.fn() }));
    expect(part(parent, "*").localName).toBe(home ? "ha-button" : "button");
  });

  it("button: says its label and name, acts when pressed, and not while it is disabled", () => {
    const press = vi.fn();
    const parent = drawn(button("Delete", { kind: "danger", name: "Delete Laptop", press }));
    const element = part(parent, home ? "ha-button[variant=danger]" : "button.danger");
    expect([words(element), element.getAttribute("aria-label")]).toEqual(["Delete", "Delete Laptop"]);
    expect(element.getAttribute("type")).toBe("button");
    element.click();
    expect(press).toHaveBeenCalledOnce();
    const off = part(drawn(button("Delete", { disabled: true, press })), home ? "ha-button" : "button");
    expect(off.hasAttribute("disabled")).toBe(true);
    off.click();
    expect(press).toHaveBeenCalledOnce();
  });

  it("button: without an action it submits its form", () => {
    const parent = drawn(button("Save", { kind: "main" }));
    const name = home ? "ha-button" : "button";
    expect(words(part(parent, `${name}[type=submit]:not([hidden])`))).toBe("Save");
    // Enter in a field needs a plain button.
    expect(parent.querySelectorAll("button[type=submit]")).toHaveLength(1);
  });

  it("alert: shows its sentence as text", () => {
    const parent = drawn(alert("<b>Broken</b>", "warning"));
    const element = part(parent, home ? "ha-alert[alert-type=warning]" : "[role=alert].warning");
    expect(words(element)).toBe("<b>Broken</b>");
  });

  it("card: has a heading and a content", () => {
    const element = part(drawn(card("Nothing yet", "Usage")), home ? "ha-card" : ".card");
    expect([words(part(element, "h2")), words(element)]).toEqual(["Usage", "UsageNothing yet"]);
    expect(drawn(card("Nothing yet")).querySelector("h2")).toBeNull();
  });

  it("switch: tells its new position, and goes back if nothing has changed", async () => {
    const change = vi.fn((on: boolean) => Promise.resolve(on));
    const parent = drawn(toggle("Home only", false, change));
    const element = part(parent, home ? "ha-switch" : "label.switch input[role=switch]") as HTMLInputElement;
    expect(words(parent)).toBe("Home only");
    element.checked = true;
    element.dispatchEvent(new Event("change"));
    await settled();
    expect(element.checked).toBe(true);
    change.mockResolvedValueOnce(false);
    element.dispatchEvent(new Event("change"));
    await settled();
    expect(element.checked).toBe(false);
    expect(change.mock.calls).toEqual([[true], [true]]);
  });

  it("loading: says what is loaded", () => {
    const parent = drawn(loading("Loading…"));
    expect(words(parent)).toBe("Loading…");
    expect(parent.querySelector("ha-spinner") !== null).toBe(home);
  });

  it("markdown: is drawn by Home Assistant, and is text elsewhere", () => {
    const parent = drawn(markdown("**Bold** <img src=x>"));
    if (home) expect(part(parent, "ha-markdown")).toMatchObject({ content: "**Bold** <img src=x>" });
    else expect(words(part(parent, "p"))).toBe("**Bold** <img src=x>");
  });

  it("form: has Home Assistant's selectors and tells of changes; others draw their own fields", () => {
    const changed = vi.fn();
    const form = homeForm({
      hass: {},
      schema: [],
      values: { name: "Attic" },
      errors: {},
      label: () => "Name",
      helper: () => "",
      error: (error) => error,
      localizeValue: (key) => key,
      changed,
    });
    if (!home || !form) {
      expect(form).toBeNull();
      return;
    }
    const element = part(drawn(form), "ha-form");
    expect(element).toMatchObject({ data: { name: "Attic" } });
    element.dispatchEvent(new CustomEvent("value-changed", { detail: { value: { name: "Cellar" } } }));
    expect(changed).toHaveBeenCalledWith({ name: "Cellar" });
  });

  it("menu button: opens the sidebar of a narrow window", () => {
    const opened = vi.fn();
    document.body.addEventListener("hass-toggle-menu", opened);
    const parent = drawn(menuButton({}, true, "Menu"));
    if (home) expect(part(parent, "ha-menu-button")).toMatchObject({ hass: {}, narrow: true });
    else {
      part(parent, "button[aria-label=Menu]").click();
      expect(opened).toHaveBeenCalledOnce();
      expect(words(drawn(menuButton({}, false, "Menu")))).toBe("");
    }
  });
});

it("waiting for elements that never come ends", async () => {
  await expect(useHomeElements(1)).resolves.toBeUndefined();
});
