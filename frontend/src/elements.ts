/**
 * Elements of Home Assistant's frontend that the page uses there, each with a plain one for `zeroconf-ai serve` and for a frontend
 * that no longer has it: they are no public interface. Plain ones have the same colours by the variables in styles.ts.
 */
import type { FormField } from "./api/flows.js";
import { html, nothing, type TemplateResult } from "lit";
import { ifDefined } from "lit/directives/if-defined.js";

/** All of them, by what they are. No other file names one. */
export const HOME_ELEMENTS = {
  alert: "ha-alert",
  button: "ha-button",
  card: "ha-card",
  form: "ha-form",
  markdown: "ha-markdown",
  menu: "ha-menu-button",
  spinner: "ha-spinner",
  switch: "ha-switch",
} as const;

type Element = keyof typeof HOME_ELEMENTS;

const used = new Set<Element>();

/** Use Home Assistant's elements, those that are defined within `milliseconds`; the others stay plain. */
export async function useHomeElements(milliseconds: number): Promise<void> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
  const names = Object.entries(HOME_ELEMENTS) as [Element, string][];
  await Promise.all(
    names.map(([element, name]) =>
      Promise.race([customElements.whenDefined(name).then(() => void used.add(element)), late]),
    ),
  );
}

/** What a button is for: `main` is what the form or the list is there for; `danger` takes something away. */
export type ButtonKind = "main" | "usual" | "danger";

export interface ButtonOptions {
  kind?: ButtonKind;
  disabled?: boolean;
  /** The name for screen readers, if the label alone does not say it. */
  name?: string;
  /** What pressing does; without it, the button submits its form. */
  press?: () => unknown;
}

const APPEARANCE = { main: "accent", usual: "filled", danger: "outlined" } as const;

/** A button. */
export function button(
  label: unknown,
  { kind = "usual", disabled = false, name, press }: ButtonOptions,
): TemplateResult {
  const type = press ? "button" : "submit";
  // Enter in a field presses the first button of a form that is a plain one, hidden or not.
  if (used.has("button"))
    return html`${press ? nothing : html`<button type="submit" hidden ?disabled=${disabled}></button>`}<ha-button
        type=${type}
        appearance=${APPEARANCE[kind]}
        variant=${kind === "danger" ? "danger" : "brand"}
        aria-label=${ifDefined(name)}
        ?disabled=${disabled}
        @click=${() => (disabled ? undefined : press?.())}
        >${label}</ha-button
      >`;
  return html`<button
    type=${type}
    class=${kind}
    aria-label=${ifDefined(name)}
    ?disabled=${disabled}
    @click=${() => press?.()}
  >
    ${label}
  </button>`;
}

/** A sentence that needs attention, which screen readers read at once. */
export function alert(sentence: string, kind: "error" | "warning" = "error"): TemplateResult {
  if (used.has("alert")) return html`<ha-alert alert-type=${kind} class="below">${sentence}</ha-alert>`;
  return html`<p class=${kind} role="alert">${sentence}</p>`;
}

/** A part of a tab with a border around it, and its heading. */
export function card(content: unknown, heading = ""): TemplateResult {
  const inner = html`${heading ? html`<h2>${heading}</h2>` : nothing}${content}`;
  if (used.has("card")) return html`<ha-card><div class="inside">${inner}</div></ha-card>`;
  return html`<div class="card">${inner}</div>`;
}

/** A switch. It goes back if `change` resolves to false: then nothing has changed. */
export function toggle(
  label: string,
  on: boolean,
  change: (on: boolean) => Promise<boolean>,
  { disabled = false, description }: { disabled?: boolean; description?: string } = {},
): TemplateResult {
  const changed = async (event: Event): Promise<void> => {
    const input = event.target as HTMLInputElement;
    if (!(await change(input.checked))) input.checked = on;
  };
  if (used.has("switch"))
    return html`<ha-switch .checked=${on} .disabled=${disabled} @change=${changed}>${label}</ha-switch>`;
  return html`<label class="switch">
    <input
      type="checkbox"
      role="switch"
      aria-describedby=${ifDefined(description)}
      .checked=${on}
      ?disabled=${disabled}
      @change=${changed}
    />
    ${label}
  </label>`;
}

/** Something is being loaded; `words` say what. */
export function loading(words: string): TemplateResult {
  if (!used.has("spinner")) return html`<p class="quiet">${words}</p>`;
  return html`<p class="quiet row"><ha-spinner size="small" aria-label=${words}></ha-spinner>${words}</p>`;
}

/** The button that shows Home Assistant's sidebar on a narrow window. */
export function menuButton(hass: unknown, narrow: boolean, name: string): TemplateResult | typeof nothing {
  if (used.has("menu")) return html`<ha-menu-button .hass=${hass} .narrow=${narrow}></ha-menu-button>`;
  if (!narrow) return nothing;
  return html`<button
    class="menu"
    aria-label=${name}
    @click=${(event: Event) =>
      event.target?.dispatchEvent(new CustomEvent("hass-toggle-menu", { bubbles: true, composed: true }))}
  >
    ☰
  </button>`;
}

/** What Home Assistant's form needs. `section` is the name of the fields' section. */
export interface HomeForm {
  hass: unknown;
  schema: readonly FormField[];
  values: Record<string, unknown>;
  errors: Record<string, string>;
  label: (field: FormField, section?: string) => string;
  helper: (field: FormField, section?: string) => string;
  error: (error: string) => string;
  localizeValue: (key: string) => string;
  changed: (values: Record<string, unknown>) => void;
}

/** A form with Home Assistant's selectors; null without that element, because plain fields could not replace its selectors. */
export function homeForm(form: HomeForm): TemplateResult | null {
  if (!used.has("form")) return null;
  const section = (options?: { path?: string[] }): string | undefined => options?.path?.[0];
  return html`<ha-form
    .hass=${form.hass}
    .schema=${form.schema}
    .data=${form.values}
    .error=${form.errors}
    .computeLabel=${(field: FormField, _: unknown, options?: { path?: string[] }) => form.label(field, section(options))}
    .computeHelper=${(field: FormField, options?: { path?: string[] }) => form.helper(field, section(options))}
    .computeError=${form.error}
    .localizeValue=${form.localizeValue}
    @value-changed=${(event: CustomEvent<{ value: Record<string, unknown> }>) => {
      event.stopPropagation();
      form.changed(event.detail.value);
    }}
  ></ha-form>`;
}

/** Markdown of Home Assistant's translations, which its own element sanitises; plain text without it. */
export function markdown(text: string): TemplateResult {
  if (used.has("markdown")) return html`<ha-markdown breaks .content=${text}></ha-markdown>`;
  return html`<p>${text}</p>`;
}
