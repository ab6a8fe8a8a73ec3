// The providers of the network, each at an address that its identity is known to have.

import { Advertisements } from "./advertisements.ts";
import { baseURLOf } from "./base-url.ts";
import { Browser, type OpenSocket } from "./browser.ts";
import { ApiError, NoProviderError } from "./errors.ts";
import { Endpoint } from "./http.ts";
import { locate } from "./locate.ts";
import { Provider } from "./provider.ts";
import type { ServiceRecord } from "./record.ts";
import { type Pin, TrustStore } from "./trust.ts";

/** The longest search when a client is opened; longer if nothing is found: on a busy machine or network, answers take their time. */
const SCAN_SECONDS = 2;
const LONGEST_SCAN_SECONDS = 5;
/** A search without news for this long ends. Responders may delay a repeated answer by a second (RFC 6762, 6). */
const QUIET_SECONDS = 1.5;
const CHECK_SECONDS = 30;
/** Seconds between two checks of a provider that has not answered yet, since it may announce itself before it listens. */
const EARLY_SECONDS = 2;
/** How long it is checked that often. */
const EARLY_UNTIL = 60;
/** Before a provider that has said goodbye is asked whether it is gone. */
const GOODBYE_SECONDS = 1;
/** Providers that are looked at at the same time. */
const PARALLEL = 16;
/** Providers of a client. More than a household needs. */
const MAX_PROVIDERS = 64;

/** Which providers to connect to, and how. */
export interface Wanted {
  /** The name or id of a provider on the network, or a URL; undefined: all that need no key. */
  readonly provider: string | undefined;
  /** The API key of `provider`. */
  readonly key: string | undefined;
  /** Whether to accept the new identity or the new address of a known provider. */
  readonly trust: boolean;
  /** IP addresses of the interfaces to search on; empty: all. */
  readonly interfaces: readonly string[];
  readonly trustFile: string | undefined;
}

export class Connections {
  readonly #wanted: Wanted;
  readonly #trust: TrustStore;
  readonly #advertisements = new Advertisements();
  readonly #browser: Browser;
  readonly #providers = new Map<string, Provider>();
  /** Why an advertised provider is not used, by its id. */
  readonly #refused = new Map<string, ApiError>();
  /** The advertisement that each provider was located with, by id. */
  readonly #locating = new Map<string, Promise<void>>();
  #running = 0;
  readonly #queue: (() => void)[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  /** During the first search: called with each advertisement. */
  #news: (() => void) | undefined;
  #closed = false;

  private constructor(wanted: Wanted, trust: TrustStore, openSocket?: OpenSocket) {
    this.#wanted = wanted;
    this.#trust = trust;
    this.#browser = new Browser(
      {
        found: (key, record) => this.#advertised(this.#advertisements.put(key, record)),
        lost: (key, goodbye) => this.#lost(this.#advertisements.remove(key), goodbye),
        known: (key) => this.#isKnown(this.#advertisements.get(key)),
      },
      wanted.interfaces,
      openSocket,
    );
  }

  /** Finds the providers. Throws NoProviderError if none can be used. `openSocket` opens multicast DNS on an interface. */
  static async open(wanted: Wanted, openSocket?: OpenSocket): Promise<Connections> {
    const made = new Connections(wanted, await TrustStore.open(wanted.trustFile), openSocket);
    try {
      const url = wanted.provider === undefined ? undefined : baseURLOf(wanted.provider);
      if (url === undefined) await made.#discover();
      else {
        made.#providers.set(url, new Provider(url, url, new Endpoint(url, { key: wanted.key })));
        await made.check();
      }
      if (!made.providers.some(({ online }) => online)) throw made.#whyNone();
      made.#timers.push(setInterval(() => void made.check(), CHECK_SECONDS * 1000).unref());
      made.#timers.push(setInterval(() => made.#checkEarly(), EARLY_SECONDS * 1000).unref());
    } catch (error) {
      made.close();
      throw error;
    }
    return made;
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#browser.close();
    for (const provider of this.#providers.values()) provider.close();
  }

  /** The providers in the order of preference, those that answer first. */
  get providers(): Provider[] {
    return [...this.#providers.values()].sort(
      (one, other) => Number(other.online) - Number(one.online) || one.priority - other.priority,
    );
  }

  /** Asks every provider for its health. One that does not answer may have moved; without an advertisement, it is left out. */
  async check(): Promise<void> {
    await Promise.all([...this.#providers.values()].map((provider) => provider.check()));
    const silent = [...this.#providers.values()].filter(({ online, record }) => !online && record !== undefined);
    await Promise.all(silent.map(({ id }) => this.#reconsider(id)));
  }

  async #reconsider(id: string): Promise<void> {
    if (this.#advertisements.find(id) !== undefined) await this.#consider(id);
    else if (this.#providers.get(id)?.active === 0) this.#drop(id);
  }

  #checkEarly(): void {
    for (const provider of this.#providers.values()) {
      if (provider.neverOnline && provider.age < EARLY_UNTIL) void provider.check();
    }
  }

  /** Keeps the identity of the provider that answered, at the address where it did. */
  async confirm(provider: Provider): Promise<void> {
    const { record, upstream } = provider;
    if (record === undefined) return;
    const pin = this.#trust.pin(record.id);
    const same = pin?.baseURL === upstream.endpoint.baseURL;
    if (same && (!this.#wanted.trust || pin.fingerprint === record.fingerprint)) return;
    await this.#trust.confirm(record, upstream.endpoint.baseURL);
  }

  async #discover(): Promise<void> {
    await this.#browser.start();
    const started = performance.now();
    const left = (seconds: number) => started + seconds * 1000 - performance.now();
    while (!this.#isWantedHeard() && (await this.#hearNews(left(LONGEST_SCAN_SECONDS))));
    while (await this.#hearNews(Math.min(QUIET_SECONDS * 1000, left(SCAN_SECONDS))));
    this.#news = undefined;
    await Promise.all(this.#advertisements.all().map(({ record }) => this.#consider(record.id)));
    if (this.#providers.size === 0) throw this.#whyNone();
  }

  /** Whether any provider is advertised that may be used, or that is wanted. */
  #isWantedHeard(): boolean {
    return this.#advertisements.all().some(({ record }) => this.#whyNotChosen(record) !== IRRELEVANT);
  }

  /** Whether an advertisement arrives within so many milliseconds. */
  #hearNews(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.max(milliseconds, 0));
      this.#news = () => {
        clearTimeout(timer);
        resolve(milliseconds > 0);
      };
    });
  }

  /** During the first search, nothing is sent before all are known: of two with the same name, neither may be first by speed. */
  #advertised(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#news !== undefined) {
        this.#news();
        continue;
      }
      const before = this.#locating.get(id) ?? Promise.resolve();
      const located = before.then(() => this.#consider(id));
      this.#locating.set(id, located);
      void located.finally(() => {
        if (this.#locating.get(id) === located) this.#locating.delete(id);
      });
    }
  }

  #lost(id: string | undefined, goodbye: boolean): void {
    const provider = this.#providers.get(id ?? "");
    if (provider === undefined || id === undefined || this.#advertisements.find(id) !== undefined) return;
    if (goodbye) provider.leave();
    // Anybody can say goodbye in its name: its health decides, a moment later.
    setTimeout(() => void this.#checkLost(provider), GOODBYE_SECONDS * 1000).unref();
  }

  async #checkLost(provider: Provider): Promise<void> {
    if (this.#isClosed()) return;
    await provider.check();
    if (!provider.online) await this.#reconsider(provider.id);
  }

  #isKnown(record: ServiceRecord | undefined): boolean {
    if (record === undefined) return false;
    return this.#providers.get(record.id)?.online === true || ["known", "moved"].includes(this.#trust.judge(record));
  }

  /** Adds or moves a provider if it may be used. */
  async #consider(id: string): Promise<void> {
    const advertisement = this.#advertisements.find(id);
    if (advertisement === undefined || this.#closed) return;
    const known = this.#providers.get(id);
    const refusal = this.#whyNotChosen(advertisement.record);
    if (refusal !== undefined) {
      if (refusal !== IRRELEVANT) this.#refused.set(id, new NoProviderError(refusal));
      this.#drop(id);
      return;
    }
    if (known === undefined && !this.#makeRoom()) return;
    try {
      const { record, endpoint } = await this.#limited(() =>
        locate(advertisement, this.#wanted.key, this.#confirmed(id)),
      );
      this.#refused.delete(id);
      if (this.#isClosed()) return;
      if (known === undefined) this.#providers.set(id, new Provider(id, record.name, endpoint, record));
      else known.move(endpoint, record);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#refused.set(id, error);
      return;
    }
    await this.#providers.get(id)?.check();
  }

  /** It may be closed while an answer is waited for. */
  #isClosed(): boolean {
    return this.#closed;
  }

  #drop(id: string): void {
    this.#providers.get(id)?.close();
    this.#providers.delete(id);
  }

  /** Whether one more provider may be kept: one that never answered gives its place. */
  #makeRoom(): boolean {
    if (this.#providers.size < MAX_PROVIDERS) return true;
    const silent = [...this.#providers.values()].find((provider) => provider.neverOnline);
    if (silent !== undefined) this.#drop(silent.id);
    return silent !== undefined;
  }

  /** Why an advertised provider may not be used; undefined if it may. */
  #whyNotChosen(record: ServiceRecord): string | undefined {
    const trust = this.#trust.judge(record);
    const { provider } = this.#wanted;
    if (provider === undefined) return trust !== "changed" && record.auth === "none" ? undefined : IRRELEVANT;
    const [wanted, id] = [provider.toLowerCase(), record.id];
    const byId = id.toLowerCase() === wanted;
    if (!byId && record.name.toLowerCase() !== wanted) return IRRELEVANT;
    if (trust === "changed" && !this.#wanted.trust) {
      return `${record.name} has another identity than when it was first used. If you expect this, pass trust: true once.`;
    }
    // An id is unique, a name is not: the key must not go to whoever takes it.
    const certain = byId || trust === "known" || trust === "moved" || this.#providers.has(id);
    const others = certain ? [] : this.#advertisements.all();
    const rival = others.some(({ record: other }) => other.id !== id && other.name.toLowerCase() === wanted);
    return rival
      ? `Several providers have the name ${record.name}. Set the id of one: ${this.#idsOf(wanted)}.`
      : undefined;
  }

  #idsOf(name: string): string {
    return this.#advertisements
      .all()
      .flatMap(({ record }) => (record.name.toLowerCase() === name ? record.id : []))
      .join(", ");
  }

  /** Runs at most PARALLEL of these at a time. */
  async #limited<Value>(run: () => Promise<Value>): Promise<Value> {
    if (this.#running >= PARALLEL) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#running += 1;
    try {
      return await run();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  /** Where a provider was confirmed: in this client, else before. */
  #confirmed(id: string): Pick<Pin, "baseURL" | "fingerprint"> | undefined {
    const known = this.#providers.get(id);
    if (known !== undefined && !known.neverOnline) return known.upstream.endpoint;
    return this.#wanted.trust ? undefined : this.#trust.pin(id);
  }

  #whyNone(): NoProviderError {
    const providers = this.providers;
    if (providers.length > 0) {
      const reasons = providers.map((provider) => {
        if (provider.state !== "unauthorized")
          return `${(provider.reason || `${provider.name} does not answer`).replace(/\.$/, "")}.`;
        const missing = `${provider.name} requires an API key. Set key.`;
        return this.#wanted.key === undefined ? missing : `${provider.name} does not accept this API key.`;
      });
      return new NoProviderError(reasons.join(" "));
    }
    const [refused] = this.#refused.values();
    if (refused instanceof NoProviderError) return refused;
    const advertised = this.#advertisements.all();
    if (advertised.length === 0) {
      return new NoProviderError('No provider was found on the network. Set a URL: new Client("http://HOST:PORT")');
    }
    const names = advertised.map(({ record }) => record.name).join(", ");
    const { provider } = this.#wanted;
    if (provider !== undefined) return new NoProviderError(`No provider named ${provider} was found. Found: ${names}.`);
    const why = refused?.message ?? "each provider requires an API key or has a changed identity";
    return new NoProviderError(`Set a provider, new Client("NAME"): ${why.replace(/\.$/, "")}. Found: ${names}.`);
  }
}

/** An advertisement that nobody asked for. */
const IRRELEVANT = "";
