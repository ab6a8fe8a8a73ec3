/** The data of the page, as `core/admin` and `websocket/` of the integration send it. Times are seconds since the epoch or ISO 8601. */

export type Money = Record<string, number>;

export interface LiveModel {
  id: string;
  warm: boolean | null;
  context_window: number | null;
  capabilities: string[] | null;
}

export type MemberState = "healthy" | "degraded" | "resting" | "offline" | "unauthorized";

/** A backend wakes up, or loads a model. */
export interface LivePreparation {
  kind: "waking" | "loading";
  model: string | null;
  started: number;
  /** Seconds; null: it was never measured. */
  usual: number | null;
}

export interface LiveMember {
  id: string;
  name: string;
  kind: "agent" | "backend";
  local: boolean;
  cost: "free" | "metered" | "subscription" | "unknown";
  state: MemberState;
  known: boolean;
  reason: string | null;
  enabled: boolean;
  priority: number;
  running: number;
  limit: number | null;
  waiting: number;
  preparations: LivePreparation[];
  latency_ms: number | null;
  latencies_ms: number[];
  last_seen: number | null;
  cost_today: Money;
  cost_month: Money;
  requests_today: number;
  models: LiveModel[];
  models_total: number;
}

export interface LiveRequest {
  id: string;
  who: string;
  source: string;
  kind: string;
  requested_model: string;
  model: string | null;
  backend_id: string | null;
  backend_name: string | null;
  started: number;
}

export interface Live {
  members: LiveMember[];
  running: LiveRequest[];
  running_total: number;
  waiting: number;
  requests_today: number;
  cost_today: Money;
  cost_month: Money;
  home_only: boolean;
  last_answer: { backend: string; model: string } | null;
  last_failover: { when: number; backend: string; to: string; reason: string } | null;
}

export type UsageGroup = "day" | "hour" | "model" | "backend" | "key" | "user" | "source" | "label" | "address";

export interface UsageRow {
  requests: number;
  errors: number;
  tokens_prompt: number;
  tokens_completion: number;
  /** Seconds of recordings that were transcribed, and characters that were spoken. */
  audio_seconds: number;
  speech_characters: number;
  /** Measured energy above idle power. */
  energy_kwh: number;
  cost: Money;
  /** The part of the cost for measured energy. */
  energy_cost: Money;
  [group: string]: string | number | null | Money;
}

export interface UsageReport {
  start: string;
  end: string;
  time_zone: string;
  group_by: UsageGroup[];
  rows: UsageRow[];
  total: UsageRow;
  complete: boolean;
}

/** An attempt that failed, with the reason as clients get it. */
export interface FailedAttempt {
  backend_id: string;
  backend_name: string;
  model: string;
  reason: string;
  code: string | null;
  /** Milliseconds from the arrival of the request; null in records of earlier versions. */
  began_ms: number | null;
  ended_ms: number | null;
}

export interface RequestRecord {
  id: string;
  answer_id: string | null;
  created: number;
  source: string;
  kind: string;
  who: string;
  key_id: string | null;
  /** The beginning of the API key. */
  key: string | null;
  user_id: string | null;
  /** The labels that the key has today. */
  labels: string[];
  address: string | null;
  requested_model: string;
  model: string | null;
  backend_id: string | null;
  backend_name: string | null;
  provider_health: string | null;
  attempts: number;
  failed_attempts: FailedAttempt[];
  streamed: boolean;
  outcome: "ok" | "error" | "cancelled";
  error_code: string | null;
  finish_reason: string | null;
  tokens_prompt: number;
  tokens_completion: number;
  tokens_cached: number;
  tokens_reasoning: number;
  /** Seconds of the recording; null without one, or if its duration is unknown. */
  audio_seconds: number | null;
  speech_characters: number | null;
  estimated: boolean;
  cost: number | null;
  cost_prompt: number | null;
  cost_completion: number | null;
  cost_source: string | null;
  currency: string;
  /** The cost in `converted_currency`, which budgets were charged. */
  converted_cost: number | null;
  converted_currency: string | null;
  energy_wh: number | null;
  /** Milliseconds from the arrival until the request was sent to the provider that answered, and until that one began to answer. */
  sent_ms: number | null;
  first_byte_ms: number | null;
  latency_ms: number | null;
  duration_ms: number;
  tokens_per_second: number | null;
}

export interface RequestPage {
  requests: RequestRecord[];
  next: string | null;
}

export interface RequestFilter {
  /** The id of the request, or the one in the answer. */
  request_id?: string;
  model?: string;
  backend_id?: string;
  key_id?: string;
  user_id?: string;
  label?: string;
  address?: string;
  source?: string;
  outcome?: RequestRecord["outcome"];
  start?: number;
  end?: number;
}

export interface ApiKey {
  key_id: string;
  name: string;
  prefix: string;
  user_id: string | null;
  user_name: string | null;
  models: string[];
  endpoints: string[];
  llm_apis: string[];
  /** The tools that providers run which it may use, and what their options may name. */
  hosted_tools: string[];
  background: boolean;
  /** Requests with it stay at home. */
  home_only: boolean;
  enabled: boolean;
  created: string;
  expires: string | null;
  /** When its client certificate expires; null: a key with a secret. */
  certificate_expires: string | null;
  last_used: string | null;
  labels: string[];
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  parallel: number | null;
  /** Its own user disabled it, and may enable it again. */
  disabled_by_owner: boolean;
  budgets: Budget[];
  requests_today: number;
  requests_month: number;
  requests_total: number;
  tokens_today: number;
  tokens_month: number;
  cost_today: Money;
  cost_month: Money;
}

export interface NewKey {
  key_id: string;
  name: string;
  key: string;
  /** What to run, or to write into the settings of these programs. */
  curl: string;
  python: string;
  javascript: string;
  opencode: string;
  open_webui: string;
  claude_code: string;
  continue: string;
}

export type Period = "day" | "week" | "month";

export interface Budget {
  budget_id: string;
  scope: "household" | "key" | "user" | "backend";
  subject: string;
  owner: string;
  amount: number;
  spent: number;
  left: number;
  percent: number;
  period: Period;
  action: "refuse" | "free_only";
  thresholds: number[];
  renews: string;
  currency: string;
  /** When all of it is spent at the rate of the period so far; null: not within the period. */
  spent_on: string | null;
}
