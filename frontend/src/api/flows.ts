/** Home Assistant's flows, as its own frontend starts and answers them: over REST, for administrators only. */
import { PageError } from "./errors.js";

const DOMAIN = "zeroconf_ai";

export type Values = Record<string, unknown>;

export interface FormField {
  name: string;
  type?: string;
  required?: boolean;
  default?: unknown;
  description?: { suggested_value?: unknown };
  selector?: Values;
  schema?: FormField[];
}

/** A step of a flow, as Home Assistant sends it. */
export interface FlowStep {
  type: string;
  flow_id: string;
  step_id?: string;
  data_schema?: FormField[] | null;
  errors?: Record<string, string> | null;
  description_placeholders?: Record<string, string> | null;
  menu_options?: string[] | Record<string, string>;
  reason?: string;
  title?: string;
  result?: { entry_id?: string };
}

/** What a flow adds: an entry of the integration, or a part of an entry. */
export type FlowKind = { part: null } | { part: "backend" | "home_agent"; entry: string };

export type Localize = (key: string, values?: Record<string, string>) => string;

/** The part of Home Assistant's `hass` that flows use. */
export interface FlowHome {
  callApi<T>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<T>;
  loadBackendTranslation(category: string, integration: string): Promise<unknown>;
}

export class Flows {
  constructor(
    /** Home Assistant's `hass`, which its form needs. */
    readonly hass: FlowHome,
  ) {}

  /** The texts of the flows. */
  async texts(): Promise<Localize> {
    await this.hass.loadBackendTranslation("config", DOMAIN);
    await this.hass.loadBackendTranslation("selector", DOMAIN);
    const localize = await this.hass.loadBackendTranslation("config_subentries", DOMAIN);
    return (key, values) => (localize as Localize)(`component.${DOMAIN}.${key}`, values);
  }

  start(kind: FlowKind): Promise<FlowStep> {
    return this.ask("POST", this.path(kind), {
      handler: kind.part === null ? DOMAIN : [kind.entry, kind.part],
      show_advanced_options: false,
    });
  }

  /** The step at which a flow waits. */
  resume(kind: FlowKind, flowId: string): Promise<FlowStep> {
    return this.ask("GET", `${this.path(kind)}/${flowId}`);
  }

  answer(kind: FlowKind, flowId: string, values: Values): Promise<FlowStep> {
    return this.ask("POST", `${this.path(kind)}/${flowId}`, values);
  }

  /** End a flow that was started here. One that has ended already is no error. */
  async cancel(kind: FlowKind, flowId: string): Promise<void> {
    await this.ask("DELETE", `${this.path(kind)}/${flowId}`).catch(() => undefined);
  }

  private path({ part }: FlowKind): string {
    return part === null ? "config/config_entries/flow" : "config/config_entries/subentries/flow";
  }

  private async ask<T>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<T> {
    try {
      return await this.hass.callApi<T>(method, path, body);
    } catch (error) {
      // Home Assistant rejects with a plain object; its body names invalid fields, or says why.
      const { body: told, error: reason } = error as { body?: { message?: string } | string; error?: string };
      const message = typeof told === "object" ? told.message : told;
      throw new PageError("flow_failed", message ?? reason ?? "Home Assistant did not accept this.");
    }
  }
}

/** The values with which a form begins: what is suggested, else what is the default. */
export function firstValues(fields: readonly FormField[]): Values {
  const found: Values = {};
  for (const field of fields) {
    const value = field.description?.suggested_value ?? field.default;
    if (field.type === "expandable") found[field.name] = firstValues(field.schema ?? []);
    else if (value !== undefined && value !== null) found[field.name] = value;
    else if (field.required && (field.type === "boolean" || field.selector?.["boolean"] !== undefined))
      found[field.name] = false;
  }
  return found;
}

/** The options of a menu; their order is Home Assistant's. */
export const menuOf = (step: FlowStep): string[] =>
  Array.isArray(step.menu_options) ? step.menu_options : Object.keys(step.menu_options ?? {});
