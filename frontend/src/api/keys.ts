import type { ApiKey, Budget, NewKey } from "./types.js";

/** The fields of an API key that people set; null removes an owner, an expiry, a limit or the budget. */
export interface KeyFields {
  name?: string;
  labels?: string[];
  user_id?: string | null;
  models?: string[];
  /** Ids of the LLM APIs of Home Assistant whose tools its programs may use. */
  llm_apis?: string[];
  hosted_tools?: string[];
  background?: boolean;
  home_only?: boolean;
  /** Seconds since the epoch. */
  expires?: number | null;
  requests_per_minute?: number | null;
  tokens_per_minute?: number | null;
  parallel?: number | null;
  monthly_budget?: number | null;
}

/** What a person who is no administrator may do, and whom to ask for more. */
export interface OwnKeys {
  /** How many keys a user may have; 0: users create none. */
  limit: number;
  used: number;
  /** Why the person can create no key now. */
  refusal: "blocked" | "off" | "limit" | null;
  administrators: string[];
  models: string[];
  valid_days: number | null;
  requests_per_minute: number | null;
  tokens_per_minute: number | null;
  parallel: number | null;
  monthly_budget: number | null;
  /** The person's budgets. */
  budgets: Budget[];
  /** Budgets that are spent and stop all requests. */
  exhausted: { scope: Budget["scope"]; period: Budget["period"]; renews: string }[];
}

export interface Authority {
  /** The certificate. */
  pem: string;
  /** Its fingerprint, as openssl prints it. */
  sha256: string;
}

export interface KeyList {
  keys: ApiKey[];
  base_url: string;
  /** The server's certificate authority, for programs that know no pin; null if it speaks plain HTTP or has another one's. */
  authority: Authority | null;
  /** null for administrators. */
  own: OwnKeys | null;
  /** The users who can own a key; none without Home Assistant, and for others than administrators. */
  users: { id: string; name: string }[];
  /** The LLM APIs of Home Assistant; none without Home Assistant, and for others than administrators. */
  llm_apis: { id: string; name: string }[];
}

/** API keys: all of them for an administrator, for others their own. */
export interface KeysApi {
  keys(): Promise<KeyList>;
  createKey(fields: KeyFields & { name: string }): Promise<NewKey>;
  updateKey(keyId: string, fields: KeyFields): Promise<void>;
  enableKey(keyId: string, enabled: boolean): Promise<void>;
  rotateKey(keyId: string): Promise<NewKey>;
  revokeKey(keyId: string): Promise<void>;
}
