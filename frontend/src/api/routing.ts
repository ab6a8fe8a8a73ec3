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

/** Where requests go, and why. */
export interface RoutingApi {
  why(question: WhyQuestion): Promise<Why>;
  callers(): Promise<Callers>;
}

export const routingApi = (ask: Ask): RoutingApi => ({
  why: (question) => ask("why", { ...question }),
  callers: () => ask("callers"),
});
