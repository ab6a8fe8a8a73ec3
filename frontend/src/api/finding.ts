import type { Ask } from "./routing.js";
import type { LiveMember } from "./types.js";

/** One result of a check, for which there is a text of the same name. */
export interface Finding {
  code: string;
  level: "ok" | "hint" | "problem";
  values: Record<string, string | number>;
}

/** Why no provider is found. Times are seconds since the epoch. */
export interface DiscoveryCheck {
  seconds: number;
  findings: Finding[];
  interfaces: {
    name: string;
    addresses: string[];
    sent: boolean;
    advertised: boolean;
    packets: number;
    hosts: number;
    providers: number;
    error: string | null;
  }[];
  packets: { when: number; address: string; interface: string; query: boolean; kinds: string[] }[];
}

export interface DiscoveredProvider {
  id: string;
  name: string;
  base_url: string;
  kind: string;
  /** `changed`: it has the name of a provider that is set up, and another identity. */
  state: "new" | "set_up" | "ignored" | "changed" | "unanswered";
  needs_key: boolean;
  needs_certificate: boolean;
  cost: LiveMember["cost"];
  local: boolean;
  models: string[];
  models_total: number;
  last_seen: number;
  /** The flow that adds it, if one waits. */
  flow_id: string | null;
}

export interface BackendKind {
  name: string;
  title: string;
  cloud: boolean;
}

/** What can be added. `gateway` is the id of its entry. */
export interface Discovered {
  providers: DiscoveredProvider[];
  kinds: BackendKind[];
  gateway: string | null;
}

/** A server that does not announce itself. `type` is the backend type that uses it. */
export interface ScannedServer {
  title: string;
  kind: string;
  type: string;
  base_url: string;
  host: string;
  port: number;
  state: "new" | "set_up";
  models: string[];
  /** Whether it requires an API key. */
  locked: boolean;
}

/** What a search of the network has found. `silent`: machines that are there, and on which no server answers. */
export interface Scanned {
  networks: string[];
  servers: ScannedServer[];
  silent: string[];
}

/** What Home Assistant tells of a search: how far it is, then what it has found, or why it has failed. */
export type ScanEvent = { progress: number } | { found: Scanned } | { failed: string };

/** What `PageApi` offers for the switch that keeps requests at home, and for finding and adding providers. */
export interface FindingApi {
  /** Set whether no request leaves the home. */
  setHomeOnly(enabled: boolean): Promise<void>;
  /** Calls `onFound` now and, where the home tells of changes, after each; the promise resolves to what ends it. */
  discovered(onFound: (found: Discovered) => void): Promise<() => void>;
  /** Search the home's networks for servers that do not announce themselves; `onProgress` gets 0 to 1. `signal` ends it. */
  scan(onProgress: (share: number) => void, signal: AbortSignal): Promise<Scanned>;
  /** Listen to multicast DNS for some seconds, and say why no provider is found. */
  checkDiscovery(): Promise<DiscoveryCheck>;
}

/** What both homes answer by commands of the same names. */
export const findingApi = (ask: Ask, discovered: FindingApi["discovered"], scan: FindingApi["scan"]): FindingApi => ({
  discovered,
  scan,
  setHomeOnly: async (enabled) => {
    await ask("home_only", { enabled });
  },
  checkDiscovery: () => ask("discovery/check"),
});
