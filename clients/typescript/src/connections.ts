// The providers of the network, each at an address where its identity is confirmed.

import { type Advertisement, Advertisements } from "./advertisements.ts";
import { baseURLOf } from "./base-url.ts";
import { Browser, type OpenSocket } from "./browser.ts";
import { type Enrolment, isAt, readEnrolment } from "./enrolment.ts";
import { ApiError, NoProviderError } from "./errors.ts";
import { Household, SealError } from "./household.ts";
import { Endpoint, Upstream } from "./http.ts";
import { MAX_RECORDS } from "./identity.ts";
import { followCertificate, locate } from "./locate.ts";
import { provesKey } from "./probe.ts";
import { Provider } from "./provider.ts";
import type { ServiceRecord } from "./record.ts";
import { type Pin, TrustStore } from "./trust.ts";

/** The longest search when a client is opened, in seconds. */
const SCAN_SECONDS = 2;
/** The longest search while no usable provider is found: answers may be slow on a busy machine or network. */
const LONGEST_SCAN_SECONDS = 5;
/** A search ends after this time without a new advertisement. Responders may delay a repeated answer by a second (RFC 6762, 6). */
const QUIET_SECONDS = 1.5;
/** Seconds between two checks of a provider. */
const CHECK_SECONDS = 30;
/** Seconds between two checks of a provider that has not answered yet: it may announce itself before it accepts connections. */
const EARLY_SECONDS = 2;
/** Age in seconds up to which a provider is checked every EARLY_SECONDS. */
const EARLY_UNTIL = 60;
/** Seconds before a provider is checked whose advertisement was withdrawn. */
const GOODBYE_SECONDS = 1;
/** The most providers that are located in parallel. */
const PARALLEL = 16;
/** The most providers of a client. More than a household needs. */
const MAX_PROVIDERS = 64;

/** Which providers to connect to, and how. */
export interface Wanted {
  /** The name or id of a provider on the network, or a URL; undefined: all that need no key. */
  readonly provider: string | undefined;
  /** The API key of `provider`. */
  readonly key: string | undefined;
  /** The household code; undefined: no household tokens are used. */
  readonly household?: string | undefined;
  /** Whether to accept the new identity or the new address of a known provider. */
  readonly trust: boolean;
  /** IP addresses of the interfaces to search on; empty: all. */
  readonly interfaces: readonly string[];
  readonly trustFile: string | undefined;
  /** The folder with the client certificate for one provider. */
  readonly enrolment?: string | undefined;
}

export class Connections {
  readonly #wanted: Wanted;
  readonly #trust: TrustStore;
  readonly #advertisements = new Advertisements();
  readonly #browser: Browser;
  readonly #household: Household | undefined;
  readonly #enrolment: Enrolment | undefined;
  readonly #providers = new Map<string, Provider>();
  /** The reason why an advertised provider is not used, by its id. */
  readonly #refused = new Map<string, ApiError>();
  /** The task that is locating each provider, by id. */
  readonly #locating = new Map<string, Promise<void>>();
  #running = 0;
  readonly #queue: (() => void)[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  /** Called for each advertisement during the first search; undefined later. */
  #news: (() => void) | undefined;
  #closed = false;

  private constructor(
    wanted: Wanted,
    trust: TrustStore,
    household: Household | undefined,
    enrolment: Enrolment | undefined,
    openSocket?: OpenSocket,
  ) {
    this.#wanted = wanted;
    this.#trust = trust;
    this.#household = household;
    this.#enrolment = enrolment;
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
    const household = wanted.household === undefined ? undefined : await Household.of(wanted.household);
    const enrolment = wanted.enrolment === undefined ? undefined : await readEnrolment(wanted.enrolment);
    const trust = await TrustStore.open(wanted.trustFile);
    const made = new Connections(wanted, trust, household, enrolment, openSocket);
    try {
      const url = wanted.provider === undefined ? undefined : baseURLOf(wanted.provider);
      if (url === undefined) await made.#discover();
      else {
        const endpoint = new Endpoint(url, { key: wanted.key, fingerprint: made.#trust.certificateAt(url) });
        const enrolled = enrolment !== undefined && isAt(enrolment, url) ? certified(endpoint, enrolment) : endpoint;
        made.#providers.set(url, new Provider(url, url, enrolled));
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

  /** The providers sorted by preference, online providers first. */
  get providers(): Provider[] {
    return [...this.#providers.values()].sort(
      (one, other) => Number(other.online) - Number(one.online) || one.priority - other.priority,
    );
  }

  /** Checks every provider. A provider that does not answer is located again, or removed if it is no longer advertised. */
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

  /** Keeps the identity of a provider that answered, together with its address. */
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

  /** Whether an advertised provider may be used, or is the named provider. */
  #isWantedHeard(): boolean {
    return this.#advertisements.all().some(({ record }) => this.#whyNotChosen(record) !== IRRELEVANT);
  }

  /** Resolves to whether an advertisement arrives within `milliseconds`. */
  #hearNews(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.max(milliseconds, 0));
      this.#news = () => {
        clearTimeout(timer);
        resolve(milliseconds > 0);
      };
    });
  }

  /** Locates the advertised providers. During the first search this waits until the search ends, so that of two providers with
   * the same name, the faster one gets no advantage. */
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
    // Any host can withdraw the advertisement, so a later check decides whether the provider is gone.
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

  /** Adds a provider, or changes its address, if the provider may be used. */
  async #consider(id: string): Promise<void> {
    const advertisement = this.#advertisements.find(id);
    if (advertisement === undefined || this.#closed) return;
    const known = this.#providers.get(id);
    await this.#followCertificate(advertisement);
    const refusal = this.#whyNotChosen(advertisement.record);
    if (refusal !== undefined) {
      if (refusal !== IRRELEVANT) this.#refused.set(id, new NoProviderError(refusal));
      this.#drop(id);
      return;
    }
    if (known === undefined && !this.#makeRoom()) return;
    try {
      const { record, endpoint } = await this.#limited(() => this.#locate(advertisement));
      this.#refused.delete(id);
      if (this.#isClosed()) return;
      if (known === undefined) {
        const provider = new Provider(id, record.name, endpoint, record);
        if (this.#byHousehold(record)) provider.renewKey = () => this.#renewToken(provider);
        this.#providers.set(id, provider);
      } else known.move(endpoint, record);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#refused.set(id, error);
      return;
    }
    await this.#providers.get(id)?.check();
  }

  /** Pins the new certificate of a provider if the pinned one's key signed it. */
  async #followCertificate(advertisement: Advertisement): Promise<void> {
    const pin = this.#trust.pin(advertisement.record.id);
    if (pin?.fingerprint === undefined || this.#trust.judge(advertisement.record) !== "changed") return;
    const found = await this.#limited(() => followCertificate(advertisement, pin));
    if (found !== undefined) await this.#trust.confirm(found.record, found.baseURL);
  }

  /** The endpoint of a provider, with its key or its household token. Throws ApiError. */
  async #locate(advertisement: Advertisement): Promise<{ record: ServiceRecord; endpoint: Endpoint }> {
    const { record: best, records } = advertisement;
    const confirmed = this.#confirmed(best.id);
    if (this.#enrolment?.providerId === best.id) {
      const { record, endpoint } = await locate(advertisement, this.#wanted.key, confirmed);
      return { record, endpoint: certified(endpoint, this.#enrolment, endpoint.fingerprint) };
    }
    if (!this.#byHousehold(best)) return await locate(advertisement, this.#wanted.key, confirmed);
    const opening = this.#opening(records);
    let refused = "";
    // Anybody can advertise the id, also with a copied token.
    for (const record of opening.length > 0 ? opening : [best]) {
      const token = this.#tokenOf(record);
      const found = await locate({ record, records }, token, confirmed);
      if (token === undefined || (await proves(found.endpoint, record, token))) return found;
      refused ||= `${record.name} does not prove at ${found.endpoint.baseURL} that it knows the household's token. Nothing was sent there.`;
    }
    throw new NoProviderError(refused);
  }

  /** The advertisements of one provider whose household token can be used now. */
  #opening(records: readonly ServiceRecord[]): ServiceRecord[] {
    return records.slice(0, MAX_RECORDS).filter((record) => this.#household?.opens(record));
  }

  /** Whether a provider is used with the household's token. */
  #byHousehold(record: ServiceRecord): boolean {
    return this.#wanted.key === undefined && this.#household?.applies(record) === true;
  }

  /** The token in an advertisement. Throws NoProviderError. */
  #tokenOf(record: ServiceRecord): string | undefined {
    try {
      return this.#household?.token(record);
    } catch (error) {
      if (!(error instanceof SealError)) throw error;
      throw new NoProviderError(`${record.name} cannot be used with the household code: ${error.message}.`);
    }
  }

  /** Uses the token that a provider advertises now; resolves to whether it is another one than before. */
  async #renewToken(provider: Provider): Promise<boolean> {
    const { upstream } = provider;
    for (const record of this.#opening(this.#advertisements.find(provider.id)?.records ?? [])) {
      const token = this.#tokenOf(record);
      if (token === undefined || token === upstream.endpoint.key || !(await proves(upstream.endpoint, record, token)))
        continue;
      upstream.authorize(token);
      return true;
    }
    return false;
  }

  /** A function, because the client may be closed during an `await`, which TypeScript does not expect of a field. */
  #isClosed(): boolean {
    return this.#closed;
  }

  #drop(id: string): void {
    this.#providers.get(id)?.close();
    this.#providers.delete(id);
  }

  /** Whether one more provider may be kept. If all places are taken, removes a provider that never answered. */
  #makeRoom(): boolean {
    if (this.#providers.size < MAX_PROVIDERS) return true;
    const silent = [...this.#providers.values()].find((provider) => provider.neverOnline);
    if (silent !== undefined) this.#drop(silent.id);
    return silent !== undefined;
  }

  /** The reason why an advertised provider may not be used; undefined if it may be used. */
  #whyNotChosen(record: ServiceRecord): string | undefined {
    const trust = this.#trust.judge(record);
    const { provider } = this.#wanted;
    const enrolled = this.#enrolment?.providerId === record.id; // its pin is checked when it is located
    if (provider === undefined) {
      if (enrolled) return undefined;
      const records = this.#advertisements.find(record.id)?.records ?? [record];
      const usable = record.auth === "none" || (this.#byHousehold(record) && this.#opening(records).length > 0);
      return trust !== "changed" && usable ? undefined : IRRELEVANT;
    }
    const [wanted, id] = [provider.toLowerCase(), record.id];
    const byId = id.toLowerCase() === wanted;
    if (!byId && record.name.toLowerCase() !== wanted) return IRRELEVANT;
    if (trust === "changed" && !this.#wanted.trust && !enrolled) {
      return `${record.name} has another identity than when it was first used. If you expect this, pass trust: true once.`;
    }
    // Several providers may have the same name: the key must not go to an impostor.
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

  /** Runs at most PARALLEL functions at a time. */
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

  /** The confirmed address and certificate of a provider, from this client or else from the trust file. */
  #confirmed(id: string): Pick<Pin, "baseURL" | "fingerprint"> | undefined {
    const known = this.#providers.get(id);
    if (known !== undefined && !known.neverOnline) return known.upstream.endpoint;
    if (this.#enrolment?.providerId === id) return this.#enrolment;
    return this.#wanted.trust ? undefined : this.#trust.pin(id);
  }

  #whyNone(): NoProviderError {
    const providers = this.providers;
    if (providers.length > 0) {
      const reasons = providers.map((provider) => {
        if (provider.state !== "unauthorized") return sentence(provider.reason || `${provider.name} does not answer`);
        const missing = `${provider.name} requires an API key. Set key.`;
        return this.#wanted.key === undefined ? missing : `${provider.name} does not accept this API key.`;
      });
      return new NoProviderError(reasons.join(" "));
    }
    const [refused] = this.#refused.values();
    if (refused !== undefined) return new NoProviderError(sentence(refused.message));
    const advertised = this.#advertisements.all();
    if (advertised.length === 0) {
      return new NoProviderError('No provider was found on the network. Set a URL: new Client("http://HOST:PORT")');
    }
    const names = advertised.map(({ record }) => record.name).join(", ");
    const { provider } = this.#wanted;
    if (provider !== undefined) return new NoProviderError(`No provider named ${provider} was found. Found: ${names}.`);
    return new NoProviderError(
      'Set a provider, new Client("NAME"): an API key is sent only to the provider that you name, and each provider requires' +
        ` one or has a changed identity. Found: ${names}.`,
    );
  }
}

/** The endpoint with the client certificate of an enrolment. `pin`: the fingerprint of the server's certificate. */
function certified(
  { baseURL, key, publicOnly }: Endpoint,
  enrolment: Enrolment,
  pin = enrolment.fingerprint,
): Endpoint {
  return new Endpoint(baseURL, { key, publicOnly, fingerprint: pin, certificate: enrolment.pem });
}

/** Whether the server at an endpoint proves that it knows a token, which is not sent. */
async function proves(endpoint: Endpoint, record: ServiceRecord, token: string): Promise<boolean> {
  const { baseURL, fingerprint, publicOnly } = endpoint;
  const upstream = new Upstream(new Endpoint(baseURL, { fingerprint, publicOnly }), record.name, false);
  try {
    return await provesKey(upstream, record.id, token);
  } finally {
    upstream.close();
  }
}

const sentence = (text: string): string => `${text.replace(/\.$/, "")}.`;

/** The reason for a provider that is not the named provider, or that may not be used without being named. */
const IRRELEVANT = "";
