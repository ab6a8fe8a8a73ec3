import type { ClientsApi } from "../src/api/clients.js";
import type { OwnKeys } from "../src/api/keys.js";
import { LitElement } from "lit";
import type { FindingApi } from "../src/api/finding.js";
import type { ServerModelsApi } from "../src/api/server-models.js";
import type { ChatApi } from "../src/api/chat.js";
import type { PageApi } from "../src/api/page-api.js";
import type { Live, LiveMember, RequestRecord } from "../src/api/types.js";

export const member = (fields: Partial<LiveMember> = {}): LiveMember => ({
  id: "attic",
  name: "Attic",
  kind: "backend",
  local: true,
  cost: "free",
  state: "healthy",
  known: true,
  reason: null,
  enabled: true,
  priority: 100,
  running: 0,
  limit: null,
  waiting: 0,
  preparations: [],
  latency_ms: 5,
  latencies_ms: [5],
  last_seen: 0,
  cost_today: {},
  cost_month: {},
  requests_today: 0,
  models: [],
  models_total: 0,
  ...fields,
});

export const live = (fields: Partial<Live> = {}): Live => ({
  members: [member()],
  running: [],
  running_total: 0,
  waiting: 0,
  requests_today: 0,
  cost_today: {},
  cost_month: {},
  home_only: false,
  last_answer: null,
  last_failover: null,
  ...fields,
});

export const request = (fields: Partial<RequestRecord> = {}): RequestRecord => ({
  id: "req_1",
  answer_id: null,
  created: 1_800_000_000,
  source: "http",
  kind: "chat",
  who: "Tablet",
  key_id: null,
  key: null,
  user_id: null,
  labels: [],
  address: null,
  requested_model: "auto",
  model: "qwen3:8b",
  backend_id: "attic",
  backend_name: "Attic",
  provider_health: null,
  attempts: 1,
  failed_attempts: [],
  streamed: true,
  outcome: "ok",
  error_code: null,
  finish_reason: "stop",
  tokens_prompt: 3,
  tokens_completion: 2,
  tokens_cached: 0,
  tokens_reasoning: 0,
  audio_seconds: null,
  speech_characters: null,
  estimated: false,
  cost: null,
  cost_prompt: null,
  cost_completion: null,
  cost_source: null,
  currency: "USD",
  converted_cost: null,
  converted_currency: null,
  energy_wh: null,
  sent_ms: null,
  first_byte_ms: null,
  latency_ms: 100,
  duration_ms: 1000,
  tokens_per_second: null,
  ...fields,
});

/** A home that answers with what a test gives; asking for anything else fails, as there is no such function. */
export const fakeApi = (answers: Partial<PageApi>): PageApi =>
  ({
    isAdmin: true,
    settings: "/settings",
    flows: null,
    connectors: null,
    finding: finding({ discovered: () => Promise.resolve(() => undefined) }),
    clients: { state: () => Promise.resolve({ offered: false }) } as unknown as ClientsApi,
    serverModels: { list: () => Promise.resolve([]) } as unknown as ServerModelsApi,
    can: { arrange: true, records: true, chat: true },
    link: (tab: string) => `#${tab}`,
    ...answers,
  }) as PageApi;

/** What a test gives of finding and adding providers. */
export const finding = (answers: Partial<FindingApi>): FindingApi => answers as FindingApi;

/** Conversations without any, in which nothing happens, unless a test gives more. */
export const fakeChat = (answers: Partial<ChatApi> = {}): ChatApi =>
  ({
    follow: () => () => undefined,
    conversations: () => Promise.resolve({ conversations: [], next: null }),
    entities: () => () => undefined,
    ...answers,
  }) as ChatApi;

/** Texts that show their key and values. */
export const texts = (key: string, values?: Record<string, string | number>): string =>
  values ? `${key} ${Object.values(values).join(" ")}` : key;

/** A view in the document, drawn once. */
export async function show(tag: string, fields: object): Promise<LitElement> {
  const element = document.createElement(tag);
  document.body.append(Object.assign(element, { texts, language: "en", ...fields }));
  if (!(element instanceof LitElement)) throw new Error(`${tag} is not defined`);
  await element.updateComplete;
  return element;
}

/** What a user may do; by default nothing is refused. */
export const ownKeys = (fields: Partial<OwnKeys> = {}): OwnKeys => ({
  limit: 2,
  used: 0,
  refusal: null,
  administrators: ["Anna"],
  models: [],
  valid_days: null,
  requests_per_minute: null,
  tokens_per_minute: null,
  parallel: null,
  monthly_budget: null,
  budgets: [],
  exhausted: [],
  ...fields,
});
