import type { PageApi } from "../src/api/page-api.js";
import type { Live, LiveMember } from "../src/api/types.js";

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

/** A home that answers with what a test gives; asking for anything else fails, as there is no such function. */
export const fakeApi = (answers: Partial<PageApi>): PageApi =>
  ({ isAdmin: true, settings: "/settings", link: (tab: string) => `#${tab}`, ...answers }) as PageApi;

/** Texts that show their key and values. */
export const texts = (key: string, values?: Record<string, string | number>): string =>
  values ? `${key} ${Object.values(values).join(" ")}` : key;
