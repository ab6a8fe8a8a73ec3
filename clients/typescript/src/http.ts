// Requests to one provider: limited in time and size, without redirects, with checks of its certificate and of its kind of address.

import { createHash } from "node:crypto";
import { type LookupAddress, lookup } from "node:dns";
import { Agent, type IncomingMessage, type RequestOptions, request } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import type { LookupFunction } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, type TLSSocket, connect } from "node:tls";

import { isPublic } from "./addresses.ts";
import { ApiError, connectionError, parseRetryAfter, responseError } from "./errors.ts";

/** The largest complete answer, in bytes. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 64 * 1024;
const URL_PARTS = /^(https?):\/\/(?:\[([\da-f:.]+(?:%[\w.:-]+)?)\]|([\w.-]+))(?::(\d{1,5}))?((?:\/[^\s?#]*)?)$/i;

/** In seconds (docs/protocol.md, section 3). `firstToken` includes the time to load a model; `answer` is for requests without streaming. */
export interface Timeouts {
  readonly connect: number;
  readonly firstToken: number;
  readonly betweenTokens: number;
  readonly answer: number;
  readonly probe: number;
}

export const TIMEOUTS: Timeouts = { connect: 5, firstToken: 30, betweenTokens: 60, answer: 300, probe: 5 };

/** An address, the requirements for its server, and the key. Neither `console.log` nor JSON shows the key. */
export class Endpoint {
  readonly baseURL: string;
  /** SHA-256 of the required certificate, base64url; undefined: the certificate must be signed by a trusted authority. */
  readonly fingerprint: string | undefined;
  /** Whether only connections to public addresses are allowed, because an advertisement named the host. */
  readonly publicOnly: boolean;
  readonly #key: string | undefined;
  readonly #certificate: string | undefined;

  /** `certificate`: the private key and the certificate of this client (PEM), only together with a `fingerprint`. */
  constructor(
    baseURL: string,
    options: {
      key?: string | undefined;
      fingerprint?: string | undefined;
      publicOnly?: boolean;
      certificate?: string | undefined;
    } = {},
  ) {
    this.baseURL = baseURL.replace(/\/+$/, "");
    this.fingerprint = options.fingerprint;
    this.publicOnly = options.publicOnly ?? false;
    this.#key = options.key;
    this.#certificate = options.certificate;
  }

  get certificate(): string | undefined {
    return this.#certificate;
  }

  get key(): string | undefined {
    return this.#key;
  }
}

export interface Sending {
  readonly method?: "GET" | "POST";
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the key is sent. */
  readonly secret?: boolean;
  /** Seconds until the response's headers. */
  readonly seconds: number;
  readonly connectSeconds?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The connections to one provider. `name` is the provider's name in error messages. */
export class Upstream {
  /** The same address and certificate as at first; another key applies from the next request on. */
  endpoint: Endpoint;
  readonly name: string;
  readonly #agent: Agent;
  readonly #at: { host: string; port: number; path: string; secure: boolean };

  /** `keep`: whether connections are reused. Throws ApiError if the endpoint's address is not a URL. */
  constructor(endpoint: Endpoint, name: string, keep = true) {
    const found = URL_PARTS.exec(endpoint.baseURL);
    const port = Number(found?.[4] ?? (found?.[1]?.toLowerCase() === "https" ? 443 : 80));
    if (!found || port < 1 || port > 65535)
      throw new ApiError(502, `${name} has an invalid address`, { kind: "connection" });
    this.endpoint = endpoint;
    this.name = name;
    const secure = found[1]?.toLowerCase() === "https";
    this.#at = { host: found[2] ?? found[3] ?? "", port, path: found[5] ?? "", secure };
    const options = { keepAlive: keep, maxFreeSockets: 2, timeout: 4000 };
    if (secure && endpoint.fingerprint !== undefined) this.#agent = new PinnedAgent(endpoint, name, options);
    else this.#agent = secure ? new SecureAgent(options) : new Agent(options);
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Uses another key from the next request on. Running requests continue. */
  authorize(key: string | undefined): void {
    const { baseURL, fingerprint, publicOnly, certificate } = this.endpoint;
    this.endpoint = new Endpoint(baseURL, { key, fingerprint, publicOnly, certificate });
  }

  /** The response with a 2xx status; its body is not read yet. Throws ApiError for any other status, and the signal's reason if it aborts. */
  async open(path: string, sending: Sending): Promise<IncomingMessage> {
    const response = await this.#send(path, sending);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const body = await this.read(response, { bytes: MAX_ERROR_BYTES, seconds: sending.seconds, cut: true });
    const wait = parseRetryAfter((header) => [response.headers[header]].flat()[0]);
    throw responseError(this.name, status, body, wait, [this.endpoint.key]);
  }

  /** The JSON of a response with a 2xx status. */
  async json(path: string, sending: Sending): Promise<unknown> {
    const response = await this.open(path, sending);
    return parsed(this.name, await this.read(response, { seconds: sending.seconds, signal: sending.signal }));
  }

  /** The body of a response as text. `cut`: shorten a body above the limit instead of throwing. Throws ApiError. */
  async read(
    response: IncomingMessage,
    limits: { bytes?: number; seconds: number; cut?: boolean; signal?: AbortSignal | undefined },
  ): Promise<string> {
    const limit = limits.bytes ?? MAX_BODY_BYTES;
    const parts: Buffer[] = [];
    let size = 0;
    const late = new ApiError(504, `${this.name} did not answer within ${limits.seconds} s`);
    const timer = setTimeout(() => response.destroy(late), limits.seconds * 1000);
    const stop = () => response.destroy(reasonOf(limits.signal));
    limits.signal?.addEventListener("abort", stop, { once: true });
    try {
      for await (const part of response as AsyncIterable<Buffer>) {
        parts.push(part);
        size += part.length;
        if (size <= limit) continue;
        if (limits.cut) break;
        throw new ApiError(502, `${this.name} answered with more than ${limit} bytes`, { kind: "broken" });
      }
    } catch (error) {
      if (limits.signal?.aborted) throw reasonOf(limits.signal);
      throw connectionError(this.name, error);
    } finally {
      clearTimeout(timer);
      limits.signal?.removeEventListener("abort", stop);
      response.destroy();
    }
    return Buffer.concat(parts).toString("utf8");
  }

  #send(path: string, sending: Sending): Promise<IncomingMessage> {
    const { host, port, secure } = this.#at;
    const options: RequestOptions = {
      host,
      port,
      path: `${this.#at.path}${path}`,
      method: sending.method ?? "GET",
      agent: this.#agent,
      headers: this.#headers(sending),
      maxHeaderSize: MAX_HEADER_BYTES,
    };
    if (this.endpoint.publicOnly) options.lookup = publicLookup;
    if (sending.signal?.aborted) return Promise.reject(reasonOf(sending.signal));
    return new Promise((resolve, reject) => {
      const made = secure ? secureRequest(options) : request(options);
      const connectSeconds = sending.connectSeconds ?? TIMEOUTS.connect;
      const unconnected = new ApiError(502, `${this.name} did not accept the connection within ${connectSeconds} s`, {
        kind: "connection",
      });
      const late = new ApiError(
        504,
        `${this.name} accepted the request but did not respond within ${sending.seconds} s`,
      );
      const connecting = setTimeout(() => made.destroy(unconnected), connectSeconds * 1000);
      const waiting = setTimeout(() => made.destroy(late), sending.seconds * 1000);
      const stop = () => made.destroy(reasonOf(sending.signal));
      const done = () => {
        clearTimeout(connecting);
        clearTimeout(waiting);
        sending.signal?.removeEventListener("abort", stop);
      };
      sending.signal?.addEventListener("abort", stop, { once: true });
      made.on("socket", (socket) => {
        if (socket.connecting) socket.once(secure ? "secureConnect" : "connect", () => clearTimeout(connecting));
        else clearTimeout(connecting);
      });
      made.once("response", (response) => {
        done();
        // Without a listener, an error before the body is read would end the process. The reader gets the error when it reads.
        response.on("error", () => undefined);
        resolve(response);
      });
      made.on("error", (error: NodeJS.ErrnoException) => {
        done();
        // The server closed a reused connection before it received the request.
        const stale = made.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
        if (stale && !sending.signal?.aborted) resolve(this.#send(path, sending));
        else reject(sending.signal?.aborted ? reasonOf(sending.signal) : connectionError(this.name, error));
      });
      made.end(sending.body);
    });
  }

  #headers({ body, headers, secret }: Sending): Record<string, string> {
    const found: Record<string, string> = { ...headers, accept: "application/json, text/event-stream" };
    if (body !== undefined) {
      found["content-type"] = "application/json";
      found["content-length"] = String(Buffer.byteLength(body));
    }
    if (secret && this.endpoint.key !== undefined) found.authorization = `Bearer ${this.endpoint.key}`;
    return found;
  }
}

/** The JSON of an answer. Throws ApiError. */
export function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(502, `${name} answered with something other than JSON`, { kind: "broken" });
  }
}

/** The reason of an aborted signal, as an error. */
export function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error("The request was aborted", { cause: reason });
}

/** Connects only to a server with the pinned certificate. A server with another certificate receives nothing, not even the path. */
class PinnedAgent extends SecureAgent {
  readonly #fingerprint: Buffer;
  readonly #certificate: string | undefined;
  readonly #name: string;

  constructor({ fingerprint, certificate }: Endpoint, name: string, options: object) {
    super({ ...options, maxCachedSessions: 0 });
    this.#fingerprint = Buffer.from(fingerprint ?? "", "base64url");
    this.#certificate = certificate;
    this.#name = name;
  }

  override createConnection(
    options: ConnectionOptions,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    const certificate = this.#certificate === undefined ? {} : { cert: this.#certificate, key: this.#certificate };
    const socket: TLSSocket = connect({ ...options, ...certificate, rejectUnauthorized: false });
    const fail = (error: Error) => callback?.(error, socket);
    socket.once("error", fail);
    socket.once("secureConnect", () => {
      const { raw } = socket.getPeerCertificate() as { raw?: Buffer };
      socket.removeListener("error", fail);
      if (raw !== undefined && createHash("sha256").update(raw).digest().equals(this.#fingerprint)) {
        callback?.(null, socket);
        return;
      }
      const error = new ApiError(502, `${this.#name} presents a different certificate from the confirmed one`, {
        kind: "connection",
      });
      socket.on("error", () => undefined);
      socket.destroy();
      fail(error);
    });
    return undefined;
  }
}

/** Resolves a name, and fails if any of its addresses is not public (protection against DNS rebinding). */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
    const [first] = found as (LookupAddress | undefined)[];
    if (error || !first || !found.every(({ address }) => isPublic(address))) {
      callback(error ?? new ApiError(502, "The address is not public", { kind: "connection" }), "");
    } else if (options.all) callback(null, found);
    else callback(null, first.address, first.family);
  });
};
