import type { Ask } from "./routing.js";

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

/** What `PageApi` offers for the switch that keeps requests at home, and for finding and adding providers. */
export interface FindingApi {
  /** Set whether no request leaves the home. */
  setHomeOnly(enabled: boolean): Promise<void>;
  /** Listen to multicast DNS for some seconds, and say why no provider is found. */
  checkDiscovery(): Promise<DiscoveryCheck>;
}

/** What both homes answer by commands of the same names. */
export const findingApi = (ask: Ask): FindingApi => ({
  setHomeOnly: async (enabled) => {
    await ask("home_only", { enabled });
  },
  checkDiscovery: () => ask("discovery/check"),
});
