import type { OnConnected } from "./live-connection";
import type { AlertsApi } from "./alerts";
import type { ChatApi } from "./chat";
import type { ConnectorsApi } from "./connectors";
import type { KeysApi } from "./keys";
import type { RecordsApi } from "./records";
import type { Budget, Live, Period, RequestFilter, RequestPage, UsageGroup, UsageReport } from "./types";
import type { RoutingApi } from "./routing";
import type { FindingApi } from "./finding";
import type { ServerModelsApi } from "./server-models";
import type { ClientsApi } from "./clients";
import type { Flows } from "./flows";

/** What the page asks of the home that it lives in. Each method rejects with a `PageError`, whose message is for people. */
export interface PageApi extends KeysApi {
  /** Whether the person sees and changes everything; others see their own usage and keys. */
  readonly isAdmin: boolean;
  /** Calls `onState` now and after each change, also after a restart of the home. Returns the function that ends the subscription. */
  live(onState: (state: Live) => void, onConnected: OnConnected): () => void;
  usage(start: string, end: string, groups: UsageGroup[]): Promise<UsageReport>;
  requests(filter: RequestFilter, after: string | null): Promise<RequestPage>;
  budgets(): Promise<Budget[]>;
  setBudget(budget: NewBudget): Promise<void>;
  resetBudget(budget: BudgetName): Promise<void>;
  removeBudget(budget: BudgetName): Promise<void>;
  useProvider(backendId: string, enabled: boolean): Promise<void>;
  orderProviders(backendIds: string[]): Promise<void>;
  checkProvider(backendId: string): Promise<void>;
  /** What is known of single requests, and of money. */
  readonly records: RecordsApi;
  /** Where requests go, and why. */
  readonly routing: RoutingApi;
  /** The home-only switch, and finding and adding providers. */
  readonly finding: FindingApi;
  /** The models that servers hold. */
  readonly serverModels: ServerModelsApi;
  /** The machines that connect themselves to this home; null: the page of this home does not control them. */
  readonly connectors: ConnectorsApi | null;
  /** Client certificates, for administrators. */
  readonly clients: ClientsApi;
  readonly chat: ChatApi;
  /** Home Assistant's flows, which add providers; null: a configuration file does. */
  readonly flows: Flows | null;
  /** Where alerts go; null: this home sends none. */
  readonly alerts: AlertsApi | null;
  /** The address of a tab. */
  link(tab: string): string;
  /** The address where providers and the gateway are added; null: the page of this home adds none. */
  readonly settings: string | null;
  /** What this home can do. */
  readonly can: Capabilities;
}

export interface Capabilities {
  /** Order, enable and disable providers; without it, a configuration file does. */
  arrange: boolean;
  /** Show usage, requests, API keys and budgets. */
  records: boolean;
  /** Chat on the page. */
  chat: boolean;
}

export interface BudgetName {
  scope: Budget["scope"];
  subject: string;
  period: Period;
}

/** What is set of a budget. */
export type NewBudget = Pick<Budget, "scope" | "subject" | "period" | "amount" | "action" | "thresholds">;
