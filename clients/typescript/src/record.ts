// A provider's advertisement: `ServiceRecord`, parsed from a TXT record in this project's or Saturn's format (docs/protocol.md,
// section 1). The Python package follows the same rules; test/vectors/records.json compares both.

import { createHash } from "node:crypto";

import { canonical, isLoopback, ordered } from "./addresses.ts";
import { clean, countOf } from "./text.ts";

export const SERVICE_TYPE = "_zeroconfai._tcp.local";
export const SATURN_TYPE = "_saturn._tcp.local";
export const SERVICE_TYPES = [SERVICE_TYPE, SATURN_TYPE] as const;
export const DEFAULT_PRIORITY = 100;
const PROTOCOL_MAJOR = "1";
const SATURN_MAJORS = ["1", "2"];
/** The most addresses of one advertisement. Each may be probed. */
const MAX_ADDRESSES = 16;
/** The most keys of one TXT record. The protocol has fewer than 30. */
const MAX_KEYS = 64;
const MAX_ID = 64;
const NAMESPACE = Buffer.from("5b0f3a526a0e5c0c9a550f2f8a4d8f10", "hex");

export const CAPABILITIES = [
  "completion",
  "streaming",
  "embeddings",
  "vision",
  "tools",
  "json",
  "audio",
  "image_generation",
  "transcription",
  "speech",
] as const;
export type Capability = (typeof CAPABILITIES)[number];
export type Auth = "none" | "token" | "mtls";
export type Cost = "free" | "metered" | "subscription" | "unknown";
/** Where the inference runs. `cloud`: clients connect directly to the upstream that a Saturn record names. */
export type Placement = "local" | "proxy" | "cloud";
/** `full`: a new request would wait. */
export type Load = "idle" | "busy" | "full";

/** An invalid advertisement; the message gives the reason. */
export class RecordError extends Error {
  override name = "RecordError";
}

const DEFAULT_CAPABILITIES: readonly Capability[] = ["completion", "streaming"];
/** Values of `auth`, `tls` and `mtrunc` that mean "no". For safety, any other value means "yes". */
const NEGATIVE = new Set(["none", "no", "0", "false", "off", "open", "anonymous", "disabled"]);
const SATURN_COST = new Map<string, Cost>([
  ["paid", "metered"],
  ["free", "free"],
  ["unknown", "unknown"],
]);
const SATURN_PLACEMENT = new Map<string, Placement>([
  ["network", "proxy"],
  ["local", "local"],
  ["cloud", "cloud"],
]);
const SATURN_FEATURES = new Map<string, Capability>([
  ["chat", "completion"],
  ["function_calling", "tools"],
  ["images", "vision"],
]);
const PRIVATE_SUFFIXES = [
  ...[".local", ".localhost", ".localdomain", ".internal", ".intranet", ".private", ".lan", ".home", ".corp"],
  ".home.arpa",
];
/** A domain name. The last label begins with a letter, because resolvers treat `127.1` and `10.0.0.0x1` as addresses. */
const DOMAIN = /^(?:[a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{1,62}\.?$/;
/** A host name that mDNS resolves. Other texts, such as `localhost` or a URL, are refused. */
const LOCAL_HOST = /^[\p{L}\p{N}_-]{1,63}(?:\.[\p{L}\p{N}_-]{1,63})*\.local\.?$/iu;
const API_BASE = /^(https?):\/\/(\[[\da-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?((?:\/[\w.~!$&'()*+,;=:%-]*)*)$/i;

/** The parts of an advertisement outside its TXT record. */
export interface Advertised {
  /** The instance name without the service type. */
  readonly name: string;
  /** The host name, such as `box.local.` */
  readonly host: string;
  readonly port: number;
  readonly addresses?: Iterable<string>;
  readonly serviceType?: string;
  readonly srvPriority?: number;
}

/** One advertisement. Its secrets are getters, which neither `console.log` nor JSON shows. */
export class ServiceRecord {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Sorted by the probability that they are reachable. */
  readonly addresses: readonly string[];
  readonly serviceType: string;
  readonly id: string;
  /** Whether `id` was derived from instance name and host, because the record has none. */
  readonly idDerived: boolean;
  readonly version: string;
  readonly models: readonly string[];
  readonly modelsTruncated: boolean;
  readonly provider: string;
  readonly capabilities: ReadonlySet<Capability>;
  /** False: the record lists no capabilities, so `capabilities` is the protocol's default and the server may have more. */
  readonly capabilitiesStated: boolean;
  readonly auth: Auth;
  /** Lower values are preferred. */
  readonly priority: number;
  readonly cost: Cost;
  readonly placement: Placement;
  readonly admin: string | undefined;
  readonly tls: boolean;
  /** SHA-256 of the server certificate, base64url. */
  readonly fingerprint: string | undefined;
  readonly contextWindow: number | undefined;
  readonly load: Load | undefined;
  /** Saturn: the base URL of the upstream; undefined if it is missing or unsafe. */
  readonly apiBase: string | undefined;
  /** The household token, which only members of the household can open. */
  readonly sealedToken: string | undefined;
  readonly #ephemeralKey: string | undefined;

  /** Parses a TXT record. Throws RecordError. */
  constructor(txt: Iterable<readonly [string, string]>, at: Advertised) {
    if (!Number.isInteger(at.port) || at.port <= 0 || at.port > 65535) throw new RecordError(`invalid port ${at.port}`);
    this.serviceType = at.serviceType ?? SERVICE_TYPE;
    const saturn = this.serviceType === SATURN_TYPE;
    const values = valuesOf(txt);
    this.version = version(values, saturn);
    this.name = clean(at.name, 63);
    this.host = clean(at.host);
    this.port = at.port;
    this.addresses = ordered(Array.from(at.addresses ?? [], required), MAX_ADDRESSES);
    if (this.addresses.length === 0 && !LOCAL_HOST.test(this.host)) {
      throw new RecordError(`no address, and ${JSON.stringify(this.host)} is not a host name of the local network`);
    }
    let id = (values.get("id") ?? "").replace(/[^\p{L}\p{N}\-_.:]/gu, "");
    id = Array.from(id).slice(0, MAX_ID).join("");
    // The id in a Saturn record is the machine's, and a machine may have several providers with different names.
    if (id && values.has("v")) id = uuid5(`${id}/${this.name}`);
    this.idDerived = id === "";
    this.id = id || uuid5(`${this.name}@${this.host}`);
    this.models = [...new Set(listed(values.get("models") ?? ""))];
    this.modelsTruncated = affirmed(values.get("mtrunc"));
    this.provider = (values.get("provider") ?? values.get("api_type") ?? values.get("api") ?? "custom")
      .toLowerCase()
      .slice(0, 32);
    const named = capabilities(values);
    this.capabilities = new Set(named.length > 0 ? named : DEFAULT_CAPABILITIES);
    // Saturn's servers advertise "chat" if no capabilities are configured.
    this.capabilitiesStated = named.length > 0 && !(saturn && named.length === 1 && named[0] === "completion");
    this.auth = auth(values.get("auth"));
    this.priority = priority(values.get("priority"), at.srvPriority ?? 0);
    this.cost = cost(values.get("cost"));
    this.placement = placement(values);
    this.admin = values.get("admin");
    this.tls = affirmed(values.get("tls"));
    this.fingerprint = values.get("fp");
    this.contextWindow = countOf(values.get("context"));
    const load = (values.get("load") ?? "").toLowerCase();
    this.load = load === "idle" || load === "busy" || load === "full" ? load : undefined;
    this.apiBase = checkedApiBase(values.get("api_base") ?? "", this.addresses);
    this.sealedToken = values.get("tok");
    this.#ephemeralKey = values.get("ephemeral_key");
  }

  /** Saturn: a short-lived bearer token for `apiBase`. It is neither stored nor logged. */
  get ephemeralKey(): string | undefined {
    return this.#ephemeralKey;
  }

  /** `http(s)://host:port/v1` at `address` (default: the first address, else the host name), or the upstream of a cloud record. */
  baseURL(address?: string): string {
    if (this.isUpstream && this.apiBase !== undefined) return this.apiBase;
    const target = address ?? this.addresses[0] ?? this.host.replace(/\.$/, "");
    const host = target.includes(":") ? `[${target}]` : target;
    return `${this.tls ? "https" : "http"}://${host}:${this.port}/v1`;
  }

  /** Whether the record points to a cloud upstream instead of the advertising host. */
  get isUpstream(): boolean {
    return this.placement === "cloud" && this.apiBase !== undefined;
  }

  /** `baseURL` at each address, in the order in which to try them. */
  urls(): string[] {
    return this.addresses.length > 0
      ? [...new Set(this.addresses.map((address) => this.baseURL(address)))]
      : [this.baseURL()];
  }

  /** `baseURL` at each address and by host name. */
  baseURLs(): Set<string> {
    return new Set([...this.addresses, this.host.replace(/\.$/, "")].map((address) => this.baseURL(address)));
  }
}

/** The pairs (key, value) of a TXT record's strings (RFC 6763, 6.4). */
export function pairsOf(strings: Iterable<Uint8Array>): [string, string][] {
  const pairs: [string, string][] = [];
  for (const bytes of strings) {
    const [key = "", ...rest] = Buffer.from(bytes).toString("utf8").split("=");
    if (key && pairs.length < MAX_KEYS) pairs.push([key, rest.join("=")]);
  }
  return pairs;
}

/** Whether a URL's host has the form of a public host name. */
export function namesPublicHost(url: string): boolean {
  return isPublicName(/^https?:\/\/([^/:]+)/i.exec(url)?.[1]?.toLowerCase() ?? "");
}

function valuesOf(txt: Iterable<readonly [string, string]>): Map<string, string> {
  const values = new Map<string, string>();
  for (const [key, raw] of txt) {
    const [name, value] = [key.toLowerCase(), clean(raw)];
    if (value && !values.has(name)) values.set(name, value);
  }
  return values;
}

/** The protocol version. Saturn records and records of the original project (`api`, no `id`) have their own major versions. */
function version(values: ReadonlyMap<string, string>, saturn: boolean): string {
  const found = (values.get("version") ?? values.get("v") ?? "1.0").replace(/^v/, "");
  const [major = ""] = found.split(".");
  if (!/^\d+$/.test(major)) throw new RecordError(`invalid protocol version ${JSON.stringify(found)}`);
  const original = saturn || (values.has("api") && !values.has("id"));
  const plain = major.replace(/^0+(?=\d)/, "");
  if (!(original ? SATURN_MAJORS : [PROTOCOL_MAJOR]).includes(plain)) {
    throw new RecordError(`protocol version ${found} is not supported, only ${PROTOCOL_MAJOR}.x: update this package`);
  }
  return found;
}

function required(text: string): string {
  const address = canonical(text);
  if (address === undefined) throw new RecordError(`invalid address: ${JSON.stringify(text)}`);
  return address;
}

const listed = (value: string): string[] => value.split(",").flatMap((part) => part.trim() || []);
const affirmed = (value = "0"): boolean => !NEGATIVE.has(value.toLowerCase());

/** An unknown word counts as a method with a key, so that no prompt goes to the provider unless the user names it. */
function auth(value = "none"): Auth {
  const word = value.toLowerCase();
  if (NEGATIVE.has(word)) return "none";
  return word === "mtls" ? "mtls" : "token";
}

/** An unknown word counts as `unknown`, not as `free`. */
function cost(value = "free"): Cost {
  const word = value.toLowerCase();
  const known = SATURN_COST.get(word);
  return known ?? (word === "metered" || word === "subscription" ? word : "unknown");
}

function capabilities(values: ReadonlyMap<string, string>): Capability[] {
  const words = listed(values.get("capabilities") ?? values.get("caps") ?? values.get("features") ?? "");
  const known = words.map((word) => {
    const lowered = word.toLowerCase();
    return SATURN_FEATURES.get(lowered) ?? CAPABILITIES.find((capability) => capability === lowered);
  });
  return [...new Set(known.filter((capability) => capability !== undefined))];
}

/** An unknown word counts as `proxy`, because prompts may leave the network. */
function placement(values: ReadonlyMap<string, string>): Placement {
  const saturn = (values.get("deployment") ?? values.get("dep") ?? "").toLowerCase();
  if (saturn) return SATURN_PLACEMENT.get(saturn) ?? "proxy";
  const word = (values.get("backend") ?? "local").toLowerCase();
  return word === "local" || word === "cloud" ? word : "proxy";
}

function priority(value: string | undefined, srvPriority: number): number {
  if (value !== undefined && /^\d+$/.test(value)) return Math.min(Number(value), 65535);
  return srvPriority || DEFAULT_PRIORITY;
}

/** `url` without a slash at its end, if it is https to a public host name or leads to an address in `own`, the advertising host's.
 *
 * Undefined for other URLs:
 *
 * an advertisement must not direct prompts to a loopback or link-local address or to the private address of another host.
 */
function checkedApiBase(url: string, own: readonly string[]): string | undefined {
  const found = API_BASE.exec(url.replace(/\/+$/, ""));
  if (!found) return undefined;
  const [, scheme = "", host = "", port, path = ""] = found;
  const [protocol, name] = [scheme.toLowerCase(), host.toLowerCase()];
  if (port !== undefined && (Number(port) === 0 || Number(port) > 65535)) return undefined;
  if (path.split("/").some((part) => part === "." || part === "..")) return undefined;
  const address = canonical(name.replace(/^\[|\]$/g, ""));
  const shown = address?.includes(":") ? `[${address}]` : (address ?? name);
  const usual = { http: 80, https: 443 }[protocol];
  const base = `${protocol}://${shown}${port === undefined || Number(port) === usual ? "" : `:${Number(port)}`}${path}`;
  if (address === undefined) return protocol === "https" && isPublicName(name) ? base : undefined;
  return own.includes(address) && !isLoopback(address) ? base : undefined;
}

function isPublicName(host: string): boolean {
  return DOMAIN.test(host) && !PRIVATE_SUFFIXES.some((suffix) => host.replace(/\.+$/, "").endsWith(suffix));
}

function uuid5(name: string): string {
  const hash = createHash("sha1").update(NAMESPACE).update(name).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
