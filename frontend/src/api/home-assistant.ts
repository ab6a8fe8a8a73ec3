import { subscribeLasting, type OnConnected } from "./live-connection.js";
import { HomeAssistantChat } from "./chat-home-assistant.js";
import { findingApi, type Discovered, type ScanEvent, type Scanned } from "./finding.js";
import { serverModelsApi } from "./server-models.js";
import { clientsApi } from "./clients.js";
import { Flows } from "./flows.js";
import type { HomeAssistant } from "./hass.js";
import { PageError } from "./errors.js";
import type { BudgetName, NewBudget, PageApi } from "./page-api.js";
import { alertsApi } from "./alerts.js";
import { recordsApi } from "./records.js";
import { routingApi } from "./routing.js";
import type { KeyFields, KeyList } from "./keys.js";
import type { Budget, Live, NewKey, RequestFilter, RequestPage, UsageGroup, UsageReport } from "./types.js";

const PANEL = "/zeroconf-ai";

/** The page's data over Home Assistant's WebSocket. */
export class HomeAssistantApi implements PageApi {
  readonly settings = "/config/integrations/integration/zeroconf_ai";
  readonly can = { arrange: true, records: true, chat: true };
  readonly alerts = alertsApi((command, fields) => this.ask(command, fields));
  readonly records = recordsApi((command, fields) => this.ask(command, fields));
  readonly routing = routingApi((command, fields) => this.ask(command, fields));

  readonly chat: HomeAssistantChat;

  constructor(private readonly hass: HomeAssistant) {
    this.chat = new HomeAssistantChat(hass, (command, fields) => this.ask(command, fields));
  }

  get isAdmin(): boolean {
    return this.hass.user.is_admin;
  }

  live(onState: (state: Live) => void, onConnected: OnConnected): () => void {
    return subscribeLasting(this.hass.connection, { type: "zeroconf_ai/live" }, onState, onConnected);
  }

  usage(start: string, end: string, groups: UsageGroup[]): Promise<UsageReport> {
    return this.ask("usage", { start, end, group_by: groups });
  }

  requests(filter: RequestFilter, after: string | null): Promise<RequestPage> {
    return this.ask("requests", { ...filter, ...(after === null ? {} : { after }) });
  }

  keys(): Promise<KeyList> {
    return this.ask("keys");
  }

  createKey(fields: KeyFields): Promise<NewKey> {
    return this.ask(this.isAdmin ? "keys/create" : "keys/create_own", { ...fields });
  }

  updateKey(keyId: string, fields: KeyFields): Promise<void> {
    return this.ask(this.isAdmin ? "keys/update" : "keys/update_own", { key_id: keyId, ...fields });
  }

  enableKey(keyId: string, enabled: boolean): Promise<void> {
    return this.ask("keys/enable", { key_id: keyId, enabled });
  }

  rotateKey(keyId: string): Promise<NewKey> {
    return this.ask("keys/rotate", { key_id: keyId });
  }

  revokeKey(keyId: string): Promise<void> {
    return this.ask("keys/revoke", { key_id: keyId });
  }

  async budgets(): Promise<Budget[]> {
    const found = await this.ask<{ budgets: Omit<Budget, "currency">[]; currency: string }>("budgets");
    return found.budgets.map((budget) => ({ ...budget, currency: found.currency }));
  }

  setBudget(budget: NewBudget): Promise<void> {
    const { scope, subject, period, amount, action, thresholds } = budget;
    return this.ask("budgets/set", { scope, subject, period, amount, action, thresholds });
  }

  resetBudget({ scope, subject, period }: BudgetName): Promise<void> {
    return this.ask("budgets/reset", { scope, subject, period });
  }

  removeBudget({ scope, subject, period }: BudgetName): Promise<void> {
    return this.ask("budgets/remove", { scope, subject, period });
  }

  useProvider(backendId: string, enabled: boolean): Promise<void> {
    return this.ask("providers/set", { backend_id: backendId, enabled });
  }

  orderProviders(backendIds: string[]): Promise<void> {
    return this.ask("providers/order", { backend_ids: backendIds });
  }

  checkProvider(backendId: string): Promise<void> {
    return this.ask("providers/check", { backend_id: backendId });
  }

  readonly connectors = null; // Home Assistant's flow adds them, and its entries control them
  readonly serverModels = serverModelsApi((command, fields) => this.ask(command, fields));
  readonly clients = clientsApi((command, fields) => this.ask(command, fields));

  readonly finding = findingApi(
    (command, fields) => this.ask(command, fields),
    (onFound) => {
      const { connection } = this.hass;
      return Promise.resolve(
        subscribeLasting<Discovered>(connection, { type: "zeroconf_ai/discovered" }, onFound, () => undefined),
      );
    },
    async (onProgress, signal) => {
      let end: (() => Promise<void>) | undefined;
      try {
        return await new Promise<Scanned>((resolve, reject) => {
          const told = (event: ScanEvent): void => {
            if ("found" in event) resolve(event.found);
            else if ("failed" in event) reject(new PageError("scan_failed", event.failed));
            else onProgress(event.progress);
          };
          signal.addEventListener("abort", () => reject(new PageError("ended", "The search was ended.")));
          this.hass.connection
            .subscribeMessage<ScanEvent>(told, { type: "zeroconf_ai/discovery/scan" })
            .then((stop) => (end = stop), reject);
        });
      } finally {
        void end?.();
      }
    },
  );

  get flows(): Flows {
    return new Flows(this.hass);
  }

  link(tab: string): string {
    return `${PANEL}/${tab}`;
  }

  private async ask<T>(command: string, fields: Record<string, unknown> = {}): Promise<T> {
    try {
      return await this.hass.connection.sendMessagePromise<T>({ type: `zeroconf_ai/${command}`, ...fields });
    } catch (error) {
      // Home Assistant rejects with a plain object.
      const { code, message } = error as { code?: string; message?: string };
      throw new PageError(code ?? "failed", message ?? "The command failed.");
    }
  }
}
