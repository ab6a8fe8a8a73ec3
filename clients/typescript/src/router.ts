// Tries the candidates in turn until one sends its first token (docs/protocol.md, section 3, rules 3 and 6 to 9).

import { type Candidate, candidates } from "./candidates.ts";
import type { Connections } from "./connections.ts";
import { ApiError } from "./errors.ts";
import type { Timeouts } from "./http.ts";
import { Reply, open } from "./reply.ts";
import type { Request } from "./request.ts";

/** Seconds before a request that failed with a 5xx status is sent to the same provider once more. */
const RETRY_SECONDS = 1;
/** The longest time in seconds that a request waits for free capacity at a provider. */
const MAX_WAIT = 30;
const MAX_SESSIONS = 1000;

interface Options {
  readonly signal?: AbortSignal | undefined;
  readonly session?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The providers sorted by preference, and `confirm`, which keeps the identity of a provider that answered. */
type Pool = Pick<Connections, "providers" | "confirm">;

interface Failure {
  readonly candidate: Candidate;
  readonly error: ApiError;
}

export class Router {
  readonly #connections: Pool;
  readonly #timeouts: Timeouts;
  /** The provider and the model of each session. */
  readonly #sessions = new Map<string, Candidate>();
  #uses = 0;

  constructor(connections: Pool, timeouts: Timeouts) {
    this.#connections = connections;
    this.#timeouts = timeouts;
  }

  /** The reply of the first candidate that answers. Throws ApiError: the error of an invalid request, or a list of all failures. */
  async route(request: Request, options: Options = {}): Promise<Reply> {
    const session = this.#sessions.get(options.session ?? "");
    const failures: Failure[] = [];
    let left = candidates(this.#connections.providers, request, session);
    for (let candidate = left.shift(); candidate !== undefined; candidate = left.shift()) {
      const { provider } = candidate;
      try {
        const reply = await this.#attempt(candidate, request, options, failures);
        if (options.session !== undefined) this.#remember(options.session, candidate);
        return reply;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        this.#record(error, candidate, request);
        failures.push({ candidate, error });
        const ofAllModels = error.kind === "connection" || error.status === 401 || error.status === 403;
        if (ofAllModels) left = left.filter((other) => other.provider !== provider);
      }
    }
    throw whyNone(failures);
  }

  #remember(session: string, candidate: Candidate): void {
    this.#sessions.delete(session);
    this.#sessions.set(session, candidate);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
  }

  async #attempt(
    candidate: Candidate,
    request: Request,
    options: Options,
    failures: readonly Failure[],
  ): Promise<Reply> {
    const { provider } = candidate;
    const release = await provider.acquire(MAX_WAIT);
    provider.lastUsed = this.#uses += 1;
    const send = () => open(candidate, request, this.#timeouts, options.headers ?? {}, options.signal);
    try {
      const opened = await send().catch(async (error: unknown) => {
        if (error instanceof ApiError && error.status === 401 && (await provider.renewKey?.())) return await send();
        if (!mayRetry(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_SECONDS * 1000));
        options.signal?.throwIfAborted();
        return await send();
      });
      const failed = Object.fromEntries(
        failures.map(({ candidate: { provider: tried }, error }) => [tried.name, error.message]),
      );
      const reply = new Reply(candidate, failed, opened, (completed) => {
        release();
        if (completed) provider.requestSucceeded();
      });
      await this.#connections.confirm(provider).catch((error: unknown) => {
        reply.close();
        throw error;
      });
      return reply;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Records a failure. Throws the error again if no other provider may be tried. */
  #record(error: ApiError, { provider }: Candidate, request: Request): void {
    if (error.kind === "request") throw error;
    if (error.code === "model_not_found") {
      provider.forgetModels();
      return;
    }
    provider.requestFailed(error);
    const mayBill = provider.cost === "metered" || provider.cost === "unknown";
    if (error.status === 504 && mayBill && request.path !== "/embeddings") throw error;
  }
}

/** Whether to ask the same provider once more: for a 5xx status without a time to wait. */
function mayRetry(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.kind === "response" &&
    error.status >= 500 &&
    error.status !== 504 &&
    error.retryAfter === undefined
  );
}

function whyNone(failures: readonly Failure[]): ApiError {
  const [first] = failures;
  const alone = [404, 429, 503, 504];
  if (first !== undefined && failures.length === 1 && alone.includes(first.error.status)) return first.error;
  if (first !== undefined && failures.every(({ error }) => error.status === 404)) return first.error;
  const waits = failures.flatMap(({ error }) => error.retryAfter ?? []);
  const reasons = failures.map(({ candidate: { provider }, error }) => `${provider.name}: ${error.message}`);
  const busy = failures.every(({ error }) => error.code === "provider_capacity_exceeded");
  const retryAfter = waits.length > 0 ? Math.min(...waits) : undefined;
  return new ApiError(busy ? 503 : 502, `No provider could answer. ${reasons.join("; ")}.`, { retryAfter });
}
