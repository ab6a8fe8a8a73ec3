import type { Ask } from "./routing.js";

/** What is chosen about alerts. */
export interface AlertChoice {
  notify_entities: string[];
  notify_actions: string[];
  alert_kinds: string[];
  /** Thresholds of budgets below it, in per cent, alert nobody. */
  alert_from: number;
  /** How many times the usual use of an API key is unusual; 0: nothing is. */
  key_factor: number;
  /** Left out: it stays. "" removes it. */
  webhook_url?: string;
}

export interface AlertSettings extends Omit<AlertChoice, "webhook_url"> {
  webhook_host: string | null;
  entities: { id: string; name: string }[];
  actions: string[];
  kinds: string[];
}

/** The result of one way in which alerts go; `error`: null if it was delivered. */
export interface Delivery {
  sender: string;
  error: string | null;
}

/** Where alerts go, and what they are about. */
export interface AlertsApi {
  settings(): Promise<AlertSettings>;
  change(choice: AlertChoice): Promise<void>;
  test(): Promise<Delivery[]>;
}

export const alertsApi = (ask: Ask): AlertsApi => ({
  settings: () => ask("alerts"),
  change: (choice) => ask("alerts/set", { ...choice }),
  test: async () => (await ask<{ deliveries: Delivery[] }>("alerts/test")).deliveries,
});
