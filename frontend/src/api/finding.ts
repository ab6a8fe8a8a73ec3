import type { Ask } from "./routing.js";

/** What `PageApi` offers for the switch that keeps requests at home, and for finding and adding providers. */
export interface FindingApi {
  /** Set whether no request leaves the home. */
  setHomeOnly(enabled: boolean): Promise<void>;
}

/** What both homes answer by commands of the same names. */
export const findingApi = (ask: Ask): FindingApi => ({
  setHomeOnly: async (enabled) => {
    await ask("home_only", { enabled });
  },
});
