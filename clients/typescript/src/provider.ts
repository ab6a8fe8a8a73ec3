// One provider and its state: health, models and load.

import { ApiError } from "./errors.ts";
import { type Endpoint, TIMEOUTS, Upstream } from "./http.ts";
import { type ModelInfo, named, parseModels } from "./models.ts";
import { health, isMissing } from "./probe.ts";
import { type Capability, DEFAULT_PRIORITY, type Cost, type Load, type ServiceRecord } from "./record.ts";
import { mapping } from "./text.ts";

/** `unauthorized`: the provider rejects the API key, or requires a key that is not set. */
export type State = "healthy" | "degraded" | "offline" | "unauthorized";

/** Parallel requests to a provider that does not report a limit in `/status` (docs/protocol.md, section 3). */
const MAX_CONNECTIONS = 5;
const MAX_MODELS_SECONDS = 300;
const DEGRADED_SECONDS = 5;
const FAILURES_UNTIL_OFFLINE = 3;
const FAILURES_UNTIL_OPEN = 3;
const FIRST_PAUSE = 30;
const LONGEST_PAUSE = 600;
const DEFAULT_REST = 10;

/** The state of a provider at the time of the call. */
export interface ProviderInfo {
  readonly id: string;
  readonly name: string;
  readonly online: boolean;
  /** Model ids, without aliases such as `auto`. */
  readonly models: readonly string[];
  /** Why the provider is offline; empty if it is online. */
  readonly reason: string;
  /** The base URL, ending in `/v1`. */
  readonly baseURL: string;
  /** Lower values are preferred. */
  readonly priority: number;
  readonly load: Load | undefined;
}

export class Provider {
  readonly id: string;
  readonly name: string;
  /** Undefined for a provider that was given by its URL. */
  record: ServiceRecord | undefined;
  upstream: Upstream;
  state: State = "offline";
  reason = "";
  models: readonly ModelInfo[] = [];
  /** Whether it has a list of models. Without a list, it may serve any model. */
  listsModels = true;
  active = 0;
  maxConcurrent = MAX_CONNECTIONS;
  /** The number of the last request to this provider, counted over all requests of the client. */
  lastUsed = 0;
  neverOnline = true;
  /** Sets a newer key after a 401, if there is one; resolves to whether it did. */
  renewKey: (() => Promise<boolean>) | undefined;
  readonly #since = seconds();
  #leftAt = 0;
  #reported = 0;
  #failures = 0;
  #modelsAt = -Infinity;
  #wantsKey = false;
  #offersStatus = true;
  #restingUntil = 0;
  #failedRequests = 0;
  #retryAt = 0;
  #pause = FIRST_PAUSE;
  #checking: Promise<void> | undefined;
  readonly #waiting: (() => void)[] = [];

  constructor(id: string, name: string, endpoint: Endpoint, record?: ServiceRecord) {
    this.id = id;
    this.name = name;
    this.record = record;
    this.upstream = new Upstream(endpoint, name);
    this.models = (record?.models ?? []).map(named);
  }

  get info(): ProviderInfo {
    return {
      id: this.id,
      name: this.name,
      online: this.online,
      models: this.models.flatMap((model) => (model.virtual ? [] : model.id)),
      reason: this.online ? "" : this.reason,
      baseURL: this.upstream.endpoint.baseURL,
      priority: this.priority,
      load: this.record?.load,
    };
  }

  get online(): boolean {
    return this.state === "healthy" || this.state === "degraded";
  }

  /** Seconds since the provider was found. */
  get age(): number {
    return seconds() - this.#since;
  }

  get priority(): number {
    return this.record?.priority ?? DEFAULT_PRIORITY;
  }

  get cost(): Cost {
    return this.record?.cost ?? "free";
  }

  /** Undefined: unknown, so all capabilities are assumed. */
  get capabilities(): ReadonlySet<Capability> | undefined {
    return this.record?.capabilitiesStated ? this.record.capabilities : undefined;
  }

  /** The running requests, our own or the number that it reports if larger, divided by its limit of parallel requests. */
  get load(): number {
    const told = { idle: 0, busy: 0.5, full: 1 }[this.record?.load ?? "idle"];
    return Math.max(Math.max(this.active, this.#reported) / this.maxConcurrent, told);
  }

  /** Why the provider should be tried only after all others; undefined if it is ready. */
  get notNow(): string | undefined {
    const now = seconds();
    if (this.state === "unauthorized") return this.reason || "it rejects its API key";
    if (!this.online) return this.reason || "offline";
    if (this.#restingUntil > now) return `it asked for a pause of ${Math.ceil(this.#restingUntil - now)} s`;
    if (this.#retryAt > now) return `failed repeatedly; next attempt in ${Math.ceil(this.#retryAt - now)} s`;
    return undefined;
  }

  /** Uses `endpoint` for all further requests. */
  move(endpoint: Endpoint, record: ServiceRecord): void {
    const { baseURL, fingerprint, key } = this.upstream.endpoint;
    this.record = record;
    this.#offersStatus = true;
    if (baseURL === endpoint.baseURL && fingerprint === endpoint.fingerprint) {
      if (key !== endpoint.key) this.upstream.authorize(endpoint.key);
      return;
    }
    this.upstream.close();
    this.upstream = new Upstream(endpoint, this.name);
    this.#wantsKey = false;
  }

  close(): void {
    this.upstream.close();
  }

  /** Makes the next check read the models again. */
  forgetModels(): void {
    this.#modelsAt = -Infinity;
  }

  /** Marks the provider offline because it withdrew its advertisement. A successful check that starts later marks it online again. */
  leave(): void {
    this.#leftAt = seconds();
    this.state = "offline";
    this.reason = "it is no longer advertised on the network";
  }

  /** Reads health and load, and the models if they are not fresh. Never rejects. Parallel calls share one check. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  async #check(): Promise<void> {
    const { upstream } = this;
    const wasOnline = this.online;
    const started = seconds();
    try {
      const { status, id } = await this.#health(upstream);
      const slow = seconds() - started > DEGRADED_SECONDS;
      if (this.record !== undefined && !this.record.idDerived && id !== undefined && id !== this.id) {
        throw new ApiError(502, "a different provider answers at the confirmed address", { kind: "connection" });
      }
      if (status === "unavailable") throw new ApiError(502, `${this.name} is unavailable`);
      if (!wasOnline || seconds() - this.#modelsAt > MAX_MODELS_SECONDS) await this.#readModels(upstream);
      await this.#readStatus(upstream);
      if (upstream !== this.upstream || this.#leftAt > started) return;
      this.#failures = 0;
      this.neverOnline = false;
      this.reason = "";
      this.state = status === "ok" && !slow ? "healthy" : "degraded";
    } catch (error) {
      if (upstream === this.upstream) this.#fail(error, wasOnline);
    }
  }

  /** Reads the health without the key first, because the server must identify itself before it gets the key. */
  async #health(upstream: Upstream) {
    try {
      return await health(upstream, this.#wantsKey);
    } catch (error) {
      const refused = error instanceof ApiError && error.status === 401;
      if (!refused || this.#wantsKey || upstream.endpoint.key === undefined) throw error;
      const found = await health(upstream, true);
      this.#wantsKey = true; // Saturn's servers require the key for every path
      return found;
    }
  }

  async #readModels(upstream: Upstream): Promise<void> {
    const advertised = (this.record?.models ?? []).map(named);
    try {
      const listed = parseModels(await upstream.json("/models", { seconds: TIMEOUTS.probe, secret: true }));
      this.models = listed.length > 0 ? listed : advertised;
      this.listsModels = true;
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.models = advertised;
      this.listsModels = advertised.length > 0;
    }
    this.#modelsAt = seconds();
  }

  /** Reads the load from `/status`, an optional path. */
  async #readStatus(upstream: Upstream): Promise<void> {
    if (!this.#offersStatus) return;
    try {
      const { queue } = mapping(await upstream.json("/status", { seconds: TIMEOUTS.probe, secret: true }));
      const { active, depth, max_concurrent: most } = mapping(queue);
      this.#reported = count(active) + count(depth);
      this.maxConcurrent = count(most) || MAX_CONNECTIONS;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) throw error;
      this.#offersStatus = !isMissing(error);
    }
  }

  #fail(error: unknown, wasOnline: boolean): void {
    if (!(error instanceof ApiError)) throw error;
    this.reason = error.message;
    this.#failures += 1;
    if (error.status === 401 || error.status === 403) this.state = "unauthorized";
    else if (!wasOnline || this.#failures >= FAILURES_UNTIL_OFFLINE) this.state = "offline";
  }

  /** Records a failed request. Only a connection error marks the provider offline. */
  requestFailed(error: ApiError): void {
    if (error.status === 401 || error.status === 403) {
      this.state = "unauthorized";
      this.reason = error.message;
    } else if (error.status === 429 || error.status === 503) {
      this.#restingUntil = seconds() + Math.min(error.retryAfter ?? DEFAULT_REST, LONGEST_PAUSE);
    } else {
      this.#failedRequests += 1;
      if (this.#failedRequests >= FAILURES_UNTIL_OPEN && this.#retryAt <= seconds()) {
        this.#retryAt = seconds() + this.#pause;
        this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
      }
      if (error.kind === "connection") {
        this.state = "offline";
        this.reason = error.message;
      }
    }
  }

  requestSucceeded(): void {
    this.#failedRequests = 0;
    this.#retryAt = 0;
    this.#pause = FIRST_PAUSE;
  }

  /** Waits until a request may be sent; returns the function that ends the request. Throws ApiError after `limit` seconds. */
  async acquire(limit: number): Promise<() => void> {
    if (this.active < this.maxConcurrent) this.active += 1;
    else {
      await new Promise<void>((resolve, reject) => {
        const proceed = () => {
          clearTimeout(timer);
          resolve();
        };
        const timer = setTimeout(() => {
          this.#waiting.splice(this.#waiting.indexOf(proceed), 1);
          reject(new ApiError(503, `${this.name} is busy`, { code: "provider_capacity_exceeded" }));
        }, limit * 1000);
        this.#waiting.push(proceed);
      });
    }
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const next = this.#waiting.shift(); // the next waiting request takes over the place
      if (next === undefined) this.active -= 1;
      else next();
    };
  }
}

const seconds = (): number => performance.now() / 1000;
const count = (value: unknown): number =>
  typeof value === "number" && value > 0 && value < 1e6 ? Math.trunc(value) : 0;
