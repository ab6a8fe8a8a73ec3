// Identifies the provider at an address, without sending a key or a prompt.

import { randomBytes, timingSafeEqual } from "node:crypto";

import { ApiError } from "./errors.ts";
import { type Step, isHandedOver, parseSteps } from "./hand-over.ts";
import { Endpoint, TIMEOUTS, Upstream, parsed } from "./http.ts";
import type { Reply, Target } from "./identity.ts";
import { CHALLENGE_BYTES, digest, isGenerated, keyId, prove } from "./key-proof.ts";
import { parseModels } from "./models.ts";
import { type ServiceRecord, namesPublicHost } from "./record.ts";
import { clean, mapping, textOf } from "./text.ts";

const CERTIFICATE_BYTES = 32;
/** Seconds before the next address is tried in parallel (RFC 8305, section 5). */
const STAGGER_SECONDS = 0.25;
/** Seconds to wait for better addresses after the first answer. */
const GRACE_SECONDS = 0.5;
/** In seconds. A host of the same network accepts a connection at once. */
const CONNECT_SECONDS = 2;

/** The response of `GET /v1/health`. A body without a known status counts as "ok". */
export interface Health {
  readonly status: "ok" | "degraded" | "unavailable";
  readonly id: string | undefined;
  readonly proof: string | undefined;
  readonly handover: readonly Step[];
}

export function parseHealth(data: unknown): Health {
  const { status, id, proof, handover } = mapping(data);
  const word = clean(textOf(status)).toLowerCase();
  return {
    status: word === "degraded" || word === "unavailable" ? word : "ok",
    id: clean(textOf(id), 64) || undefined,
    proof: clean(textOf(proof), 64) || undefined,
    handover: parseSteps(handover),
  };
}

/** Reads `/health`, or `/models` from an OpenAI-compatible server without `/health`. Throws ApiError. */
export async function health(upstream: Upstream, secret = false, connectSeconds = TIMEOUTS.connect): Promise<Health> {
  const sending = { seconds: TIMEOUTS.probe, connectSeconds, secret };
  try {
    return parseHealth(await upstream.json("/health", sending));
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    const listed = await upstream.json("/models", sending);
    // The list may be empty: no model is installed yet.
    if (parseModels(listed).length > 0 || mapping(listed).object === "list") return parseHealth(undefined);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const message = `${upstream.name} answers, but is not an LLM provider: it has neither /v1/health nor /v1/models`;
  throw new ApiError(502, message, { kind: "connection" });
}

export const isMissing = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 404 || error.status === 405);

/** The endpoint of an advertisement at one of its addresses. `pinned`: the confirmed fingerprint. Throws ApiError for an invalid fingerprint. */
export function endpointOf(record: ServiceRecord, baseURL: string, key?: string, pinned?: string): Endpoint {
  const fingerprint = pinned ?? (record.tls ? record.fingerprint : undefined);
  if (fingerprint !== undefined && Buffer.from(fingerprint, "base64url").length !== CERTIFICATE_BYTES) {
    throw new ApiError(502, `${record.name} advertises an invalid certificate fingerprint.`, { kind: "connection" });
  }
  return new Endpoint(baseURL, { key, fingerprint, publicOnly: record.isUpstream && namesPublicHost(baseURL) });
}

/** The first address of a record at which its provider answers without a key; the record's first address if none answers.
 *
 * An address that reports the advertised id precedes addresses without an id and addresses that require a key: in a container network,
 * another machine may have the same address.
 */
export async function answeringURL(record: ServiceRecord): Promise<string> {
  const urls = record.urls();
  const results = urls.map((): Answering => "pending");
  const found = await new Promise<number>((resolve) => {
    let grace: NodeJS.Timeout | undefined;
    const decide = (last = false) => {
      const [confirmed, answered] = [results.indexOf("confirmed"), results.indexOf("answered")];
      const best = confirmed >= 0 ? confirmed : answered;
      const sure = confirmed >= 0 && !results.slice(0, confirmed).includes("pending");
      if (last || sure || !results.includes("pending")) {
        clearTimeout(grace);
        over = true;
        resolve(Math.max(best, 0));
      } else if (best >= 0) grace ??= setTimeout(() => decide(true), GRACE_SECONDS * 1000);
    };
    let over = false;
    urls.forEach((url, index) => {
      setTimeout(
        () => {
          if (over) return;
          void ask(record, url).then((result) => {
            results[index] = result;
            decide();
          });
        },
        index * STAGGER_SECONDS * 1000,
      );
    });
  });
  return urls[found] ?? record.baseURL();
}

/** `confirmed`: reports the advertised id. `answered`: reports no id. `silent`: does not answer, or reports another id. */
type Answering = "pending" | "confirmed" | "answered" | "silent";

async function ask(record: ServiceRecord, url: string): Promise<Answering> {
  let upstream: Upstream | undefined;
  try {
    upstream = new Upstream(endpointOf(record, url), record.name, false);
    const { id } = await health(upstream, false, CONNECT_SECONDS);
    if (id === record.id) return "confirmed";
    return id === undefined || record.idDerived ? "answered" : "silent";
  } catch (error) {
    return error instanceof ApiError && error.status === 401 ? "answered" : "silent";
  } finally {
    upstream?.close();
  }
}

/** The `Probe` of identity.ts for one provider. Only generated keys are proved. */
export function identityProbe(
  name: string,
  providerId: string,
  key: string | undefined,
): (target: Target) => Promise<Reply> {
  return async (target) => {
    const options = { fingerprint: target.fingerprint, publicOnly: namesPublicHost(target.baseURL) };
    let upstream: Upstream | undefined;
    try {
      upstream = new Upstream(new Endpoint(target.baseURL, options), name, false);
      if (target.handedOverBy !== undefined) return await handedOver(upstream, providerId, target.handedOverBy);
      const { id } = await health(upstream);
      if (id === undefined) return "unnamed";
      if (id !== providerId) return "other";
      const proven =
        target.prove && key !== undefined && isGenerated(key) && (await provesKey(upstream, providerId, key));
      return proven ? "proven" : "known";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return error.status === 401 ? "wants_key" : "silent";
    } finally {
      upstream?.close();
    }
  };
}

/** `handed_over` if the server, which presents the endpoint's certificate, has the signature of the certificate `pinned`. */
async function handedOver(upstream: Upstream, providerId: string, pinned: string): Promise<Reply> {
  const query = `handover=${encodeURIComponent(pinned)}`;
  const { id, handover } = parseHealth(await upstream.json(`/health?${query}`, { seconds: TIMEOUTS.probe }));
  if (id !== providerId) return "other";
  return isHandedOver(providerId, pinned, upstream.endpoint.fingerprint ?? "", handover) ? "handed_over" : "known";
}

/** Whether the server proves that it is the provider and knows the key. The key is not sent.
 *
 * The proof must match the remote address and port of this connection.
 */
export async function provesKey(upstream: Upstream, providerId: string, key: string): Promise<boolean> {
  const challenge = randomBytes(CHALLENGE_BYTES);
  const query = `kid=${keyId(digest(key)).toString("base64url")}&challenge=${challenge.toString("base64url")}`;
  try {
    const response = await upstream.open(`/health?${query}`, { seconds: TIMEOUTS.probe });
    const { remoteAddress, remotePort } = response.socket;
    const body = await upstream.read(response, { seconds: TIMEOUTS.probe });
    const { proof } = parseHealth(parsed(upstream.name, body));
    if (proof === undefined || remoteAddress === undefined || remotePort === undefined) return false;
    const expected = prove(digest(key), challenge, providerId, remoteAddress, remotePort).toString("base64url");
    return proof.length === expected.length && timingSafeEqual(Buffer.from(proof), Buffer.from(expected));
  } catch (error) {
    if (error instanceof ApiError) return false;
    throw error;
  }
}
