// API errors in OpenAI's format (docs/protocol.md, section 2).

import { mapping, printable, textOf } from "./text.ts";

const LONGEST_WAIT = 31 * 86_400;
const SECRETS =
  /\b(bearer\s+)[^\s"',}]+|\b(?:sk|zai|pk|rk|gsk|hf|xai|ghp)[-_][\w\-*.]{6,}|\bAIza[\w-]{30,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]+/gi;

const TYPES = new Map([
  [400, "invalid_request_error"],
  [401, "authentication_error"],
  [403, "permission_error"],
  [404, "invalid_request_error"],
  [413, "invalid_request_error"],
  [422, "invalid_request_error"],
  [429, "rate_limit_error"],
  [502, "upstream_error"],
  [503, "service_unavailable"],
  [504, "timeout_error"],
]);
const CODES = new Map([
  [400, "invalid_value"],
  [401, "invalid_api_key"],
  [403, "key_disabled"],
  [404, "not_found"],
  [429, "rate_limit_exceeded"],
  [502, "provider_error"],
  [503, "no_provider"],
  [504, "provider_timeout"],
]);
const REASONS = new Map([
  [401, "refused the API key"],
  [402, "has no credit left"],
  [403, "refused the request"],
  [408, "timed out"],
  [429, "has reached its rate limit"],
  [503, "has no capacity right now"],
  [504, "timed out"],
  [508, "detected a request loop"],
  [529, "has no capacity right now"],
]);
const CONNECTIONS = new Map([
  ["ECONNREFUSED", "the connection was refused"],
  ["ECONNRESET", "the connection was closed"],
  ["EPIPE", "the connection was closed"],
  ["EHOSTUNREACH", "there is no route to it"],
  ["ENETUNREACH", "there is no route to it"],
  ["ETIMEDOUT", "the connection timed out"],
  ["ENOTFOUND", "its host name is not known"],
  ["EAI_AGAIN", "its host name is not known"],
]);

interface Details {
  readonly code?: string | undefined;
  readonly param?: string | undefined;
  /** Seconds to wait before the next request. */
  readonly retryAfter?: number | undefined;
  readonly kind?: Kind;
}

/** The kind of a failure, which decides whether another provider is tried (docs/protocol.md, section 3, rule 6).
 *
 * `request`: the request is invalid. `connection`: nothing was sent. `broken`: the answer cannot be read; the provider is not asked again.
 * `response`: the provider answered with an error.
 */
export type Kind = "request" | "connection" | "broken" | "response";

/** A failed request. `message` is one sentence; `status`, `type` and `code` are as in the OpenAI API. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly type: string;
  readonly code: string | undefined;
  readonly param: string | undefined;
  readonly retryAfter: number | undefined;
  /** @internal */
  readonly kind: Kind;

  constructor(status: number, message: string, details: Details = {}) {
    super(printable(message));
    this.status = status;
    this.type = TYPES.get(status) ?? (status < 500 ? "invalid_request_error" : "upstream_error");
    this.code = details.code ?? CODES.get(status);
    this.param = details.param;
    this.retryAfter = details.retryAfter;
    this.kind = details.kind ?? "response";
  }

  /** The body of an error response of the OpenAI API. */
  toJSON(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    return { error: { message: this.message, type: this.type, param: this.param ?? null, code: this.code ?? null } };
  }
}

/** No provider can be used. The message says why and what to do. */
export class NoProviderError extends ApiError {
  override name = "NoProviderError";

  constructor(message: string) {
    super(503, message);
  }
}

/** The error of a connection that failed or closed before the response. */
export function connectionError(name: string, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const code = textOf(mapping(error).code);
  const secure = /^(ERR_TLS|ERR_SSL|CERT|DEPTH|SELF_SIGNED|UNABLE_TO)/.test(code);
  const reason = secure ? "its certificate cannot be verified" : (CONNECTIONS.get(code) ?? "the connection failed");
  return new ApiError(502, `${name} could not be reached: ${reason}`, { kind: "connection" });
}

/** The error of a response with this status. `body` is untrusted text. */
export function responseError(
  name: string,
  status: number,
  body: string,
  retryAfter: number | undefined,
  secrets: readonly (string | undefined)[],
): ApiError {
  if (status >= 300 && status < 400) {
    const message = `${name} redirects to another address, which is never followed`;
    return new ApiError(502, message, { kind: "connection" });
  }
  let data: unknown;
  try {
    data = JSON.parse(body);
  } catch {
    data = body.trimStart().startsWith("<") ? "" : body.slice(0, 2000);
  }
  return reportedError(name, status, data, retryAfter, secrets);
}

/** The error in the parsed body of a response, or in an event of a stream. */
export function reportedError(
  name: string,
  status: number,
  data: unknown,
  retryAfter: number | undefined,
  secrets: readonly (string | undefined)[],
): ApiError {
  const told = redact(messageIn(data), secrets);
  const fields = Object.keys(mapping(mapping(data).error)).length > 0 ? mapping(mapping(data).error) : mapping(data);
  const field = (key: string) => redact(textOf(fields[key]), secrets).slice(0, 100) || undefined;
  const own = [400, 404, 405, 413, 415, 422].includes(status);
  const message = own && told ? told : `${name} ${REASONS.get(status) ?? `answered with an error (HTTP ${status})`}`;
  const aboutModel = status === 404 && (field("param") === "model" || /model/i.test(told));
  const code = field("code") ?? (aboutModel ? "model_not_found" : undefined);
  const known = { 402: 429, 408: 504, 529: 503 }[status] ?? (status > 504 ? 502 : status);
  const kind = own && status !== 405 && code !== "model_not_found" ? "request" : "response";
  return new ApiError(known, own ? message : told ? `${message}: ${told}` : message, {
    code,
    param: field("param"),
    retryAfter,
    kind,
  });
}

/** The seconds to wait by `retry-after-ms` or `Retry-After` (seconds or an HTTP date). */
export function parseRetryAfter(header: (name: string) => string | undefined): number | undefined {
  const milliseconds = Number(header("retry-after-ms") ?? NaN);
  const value = header("retry-after") ?? "";
  let seconds = Number.isFinite(milliseconds) ? milliseconds / 1000 : value.trim() === "" ? NaN : Number(value);
  if (!Number.isFinite(seconds)) seconds = (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(0, seconds), LONGEST_WAIT) : undefined;
}

/** The message in the JSON of an error: OpenAI's `{"error": {"message"}}`, Ollama's `{"error": "…"}`, FastAPI's `{"detail"}`. */
function messageIn(data: unknown, depth = 4): string {
  if (typeof data === "string") return data;
  if (depth === 0) return "";
  if (Array.isArray(data)) {
    return data
      .slice(0, 10)
      .map((item) => messageIn(item, depth - 1))
      .filter(Boolean)
      .join("; ");
  }
  const fields = mapping(data);
  for (const key of ["error", "detail", "message", "msg"]) {
    const found = messageIn(fields[key], depth - 1);
    if (found) return found;
  }
  return "";
}

/** `text` without the given secrets, text in the form of a key, and control characters. */
function redact(text: string, secrets: readonly (string | undefined)[]): string {
  let safe = text.slice(0, 4000);
  for (const secret of secrets) if (secret) safe = safe.replaceAll(secret, "***");
  return printable(safe.replace(SECRETS, (_, bearer: string | undefined) => `${bearer ?? ""}***`));
}
