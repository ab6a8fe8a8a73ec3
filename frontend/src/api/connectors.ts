import type { Ask } from "./routing.js";

/** A machine that connects itself to the server. Times in seconds since the epoch. */
export interface Connector {
  id: string;
  name: string;
  backend_id: string;
  enabled: boolean;
  connected: boolean;
  created: number;
  last_seen: number | null;
  models: string[];
  version: string;
}

/** An open one-time code, and the command that asks for it. */
export interface ConnectorCode {
  code: string;
  seconds_left: number;
  command: string;
}

/** The connectors of a server. */
export interface Relay {
  connectors: Connector[];
  code: ConnectorCode | null;
}

/** What `PageApi` offers for connectors. */
export interface ConnectorsApi {
  /** The connectors; null: the server takes none. */
  list(): Promise<Relay | null>;
  /** Make a one-time code. */
  pair(): Promise<ConnectorCode>;
  /** End the open code. */
  cancel(): Promise<void>;
  rename(connectorId: string, name: string): Promise<void>;
  /** Let a connector connect, or disconnect and refuse it. */
  enable(connectorId: string, enabled: boolean): Promise<void>;
  /** Forget a connector, which must be paired again. */
  remove(connectorId: string): Promise<void>;
}

export const connectorsApi = (ask: Ask): ConnectorsApi => ({
  list: async () => {
    const { connectors, code } = await ask<{ connectors: Relay["connectors"] | null; code: Relay["code"] }>("relay");
    return connectors && { connectors, code };
  },
  pair: () => ask<ConnectorCode>("relay/pair"),
  cancel: async () => {
    await ask("relay/cancel");
  },
  rename: async (connectorId, name) => {
    await ask("relay/update", { connector_id: connectorId, name });
  },
  enable: async (connectorId, enabled) => {
    await ask("relay/update", { connector_id: connectorId, enabled });
  },
  remove: async (connectorId) => {
    await ask("relay/remove", { connector_id: connectorId });
  },
});
