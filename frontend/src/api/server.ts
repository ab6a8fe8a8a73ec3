import { streamLasting, type OnConnected } from "./live-connection.js";
import { ServerChat } from "./chat-server.js";
import { connectorsApi, type ConnectorsApi } from "./connectors.js";
import { findingApi, type Discovered, type Scanned } from "./finding.js";
import { serverModelsApi } from "./server-models.js";
import { clientsApi } from "./clients.js";
import { PageError } from "./errors.js";
import type { BudgetName, NewBudget, PageApi } from "./page-api.js";
import { recordsApi } from "./records.js";
import { routingApi } from "./routing.js";
import type { KeyFields, KeyList } from "./keys.js";
import type { Budget, Live, NewKey, RequestFilter, RequestPage, UsageGroup, UsageReport } from "./types.js";

/** Who is logged in to the server. */
export interface Session {
  /** The name of the administrator's key; "" for the only key of a server. */
  name: string;
  /** Whether the server keeps records, API keys and budgets. */
  records: boolean;
  /** Whether a person may still use the portal. */
  allowed?: boolean;
}

/** Where the page of administrators sends its commands. */
const ADMINISTRATION = "/admin/api/";
/** Where the portal sends its commands. */
export const PORTAL = "/portal/api/";

/** Send a command of the page. Rejects with a `PageError`. */
async function send<T>(command: string, fields?: Record<string, unknown>, path = ADMINISTRATION): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path + command, {
      credentials: "same-origin",
      ...(fields && {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(fields),
      }),
    });
  } catch {
    throw new PageError("unreachable", "The server does not answer. Check that it is running.");
  }
  const body = (await response.json().catch(() => ({}))) as T & { error?: { code?: string; message?: string } };
  if (response.ok) return body;
  throw new PageError(body.error?.code ?? "failed", body.error?.message ?? `The server answered ${response.status}.`);
}

/** The running session; null if nobody is logged in. */
export async function currentSession(path = ADMINISTRATION): Promise<Session | null> {
  try {
    return await send<Session>("session", undefined, path);
  } catch (error) {
    if (error instanceof PageError && error.code === "no_session") return null;
    throw error;
  }
}

export const logIn = (key: string): Promise<Session> => send("login", { key });

export const logOut = (path = ADMINISTRATION): Promise<void> => send("logout", {}, path);

/** The name of the OpenID provider of the portal. */
export const openIdProvider = (): Promise<{ name: string }> => send("provider", undefined, PORTAL);

/** The page's data over `/admin/api` of `zeroconf-ai serve`, or over `/portal/api` for a person who has signed in there. */
export class ServerApi implements PageApi {
  readonly isAdmin: boolean;
  readonly settings = null;
  readonly flows = null;
  readonly can: PageApi["can"];
  readonly alerts = null;
  readonly records = recordsApi((command, fields) => this.ask(command, fields));
  readonly routing = routingApi((command, fields) => this.ask(command, fields));
  readonly chat: ServerChat;
  readonly connectors: ConnectorsApi | null;

  /** `onEnd` is called when the session has ended: after 12 hours, or because its key was revoked. */
  constructor(
    session: Session,
    private readonly onEnd: () => void,
    private readonly path = ADMINISTRATION,
  ) {
    this.isAdmin = path === ADMINISTRATION;
    this.can = { arrange: false, records: session.records, chat: this.isAdmin };
    this.connectors = this.isAdmin ? connectorsApi((command, fields) => this.ask(command, fields)) : null;
    this.chat = new ServerChat(
      path,
      (command, fields) => this.ask(command, fields),
      () => this.check(),
    );
  }

  live(onState: (state: Live) => void, onConnected: OnConnected): () => void {
    return streamLasting(`${this.path}live`, onState, onConnected, () => this.check());
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
    return this.ask("keys/create", { ...fields });
  }

  async updateKey(keyId: string, fields: KeyFields): Promise<void> {
    await this.ask("keys/update", { key_id: keyId, ...fields });
  }

  async enableKey(keyId: string, enabled: boolean): Promise<void> {
    await this.ask("keys/enable", { key_id: keyId, enabled });
  }

  rotateKey(keyId: string): Promise<NewKey> {
    return this.ask("keys/rotate", { key_id: keyId });
  }

  async revokeKey(keyId: string): Promise<void> {
    await this.ask("keys/revoke", { key_id: keyId });
  }

  async budgets(): Promise<Budget[]> {
    const found = await this.ask<{ budgets: Omit<Budget, "currency">[]; currency: string }>("budgets");
    return found.budgets.map((budget) => ({ ...budget, currency: found.currency }));
  }

  async setBudget(budget: NewBudget): Promise<void> {
    const { scope, subject, period, amount, action, thresholds } = budget;
    await this.ask("budgets/set", { scope, subject, period, amount, action, thresholds });
  }

  async resetBudget({ scope, subject, period }: BudgetName): Promise<void> {
    await this.ask("budgets/reset", { scope, subject, period });
  }

  async removeBudget({ scope, subject, period }: BudgetName): Promise<void> {
    await this.ask("budgets/remove", { scope, subject, period });
  }

  useProvider(): Promise<void> {
    return Promise.reject(configured());
  }

  orderProviders(): Promise<void> {
    return Promise.reject(configured());
  }

  async checkProvider(backendId: string): Promise<void> {
    await this.ask("providers/check", { backend_id: backendId });
  }

  readonly serverModels = serverModelsApi((command, fields) => this.ask(command, fields));
  readonly clients = clientsApi((command, fields) => this.ask(command, fields));

  readonly finding = findingApi(
    (command, fields) => this.ask(command, fields),
    async (onFound) => {
      onFound(await this.ask<Discovered>("discovered"));
      return () => undefined;
    },
    () => this.ask<Scanned>("discovery/scan"),
  );

  link(tab: string): string {
    return `#${tab}`;
  }

  private async ask<T>(command: string, fields: Record<string, unknown> = {}): Promise<T> {
    try {
      return await send<T>(command, fields, this.path);
    } catch (error) {
      if (error instanceof PageError && error.code === "no_session") this.onEnd();
      throw error;
    }
  }

  /** Whether only a stream has ended; false: the session has. */
  private async check(): Promise<boolean> {
    const ended = (await currentSession(this.path).catch(() => undefined)) === null;
    if (ended) this.onEnd();
    return !ended;
  }
}

const configured = (): PageError =>
  new PageError("configured", "The order and the use of providers are set in the configuration file of the server.");
