import type { LiveMember } from "./types.js";

/** Sends a command of the page with its fields, and resolves to its answer. */
export type Ask = <T>(command: string, fields?: Record<string, unknown>) => Promise<T>;

/** What is asked about a request that is not sent. */
export interface WhyQuestion {
  /** A question, the JSON body of a request, or a curl command. */
  text: string;
  /** For a question, and for a body that names no model. */
  model?: string;
  key_id?: string;
  user_id?: string;
}

export interface WhyCandidate {
  backend_id: string;
  backend: string;
  model: string;
  cost: LiveMember["cost"];
  most: number | null;
  currency: string | null;
  running: number;
  limit: number | null;
  now: boolean;
}

export interface Why {
  form: "text" | "json" | "curl";
  kind: string;
  /** The name of the key or user as whom it was asked; "" for nobody in particular. */
  asker: string;
  requested_model: string;
  strategy: string;
  prompt_tokens: number;
  needs: string[];
  candidates: WhyCandidate[];
  rejections: { backend: string; reason: string }[];
  error: string | null;
}

export interface Named {
  id: string;
  name: string;
}

/** Who sends requests: API keys, and users of Home Assistant. */
export interface Callers {
  keys: Named[];
  users: Named[];
}

/** A name for a chain of models, and what it means now. */
export interface Alias {
  name: string;
  targets: string[];
  /** null: the strategy of all requests. */
  strategy: string | null;
  /** Whether it cannot be deleted. */
  fixed: boolean;
  /** The providers that would answer now, the first choice first. */
  answers: { backend: string; model: string }[];
  left_out: string[];
  error: string | null;
}

/** A model at one provider. Prices are for a million tokens. */
export interface ServedModel {
  backend_id: string;
  backend: string;
  online: boolean;
  cost: LiveMember["cost"];
  warm: boolean | null;
  context_window: number | null;
  capabilities: string[] | null;
  price_prompt: number | null;
  price_completion: number | null;
  currency: string | null;
}

export interface Models {
  strategy: string;
  strategies: string[];
  /** Whether the page changes aliases and the strategy. */
  editable: boolean;
  aliases: Alias[];
  models: { id: string; providers: ServedModel[] }[];
  models_total: number;
}

/** Where requests go, and why. */
export interface RoutingApi {
  why(question: WhyQuestion): Promise<Why>;
  callers(): Promise<Callers>;
  models(): Promise<Models>;
  /** Add an alias (`isNew`) or change its chain and strategy. */
  setAlias(alias: Pick<Alias, "name" | "targets" | "strategy">, isNew?: boolean): Promise<void>;
  removeAlias(name: string): Promise<void>;
  setStrategy(strategy: string): Promise<void>;
}

export const routingApi = (ask: Ask): RoutingApi => ({
  why: (question) => ask("why", { ...question }),
  callers: () => ask("callers"),
  models: () => ask("models"),
  setAlias: ({ name, targets, strategy }, isNew = false) => ask("models/set", { name, targets, strategy, new: isNew }),
  removeAlias: (name) => ask("models/remove", { name }),
  setStrategy: (strategy) => ask("models/strategy", { strategy }),
});
