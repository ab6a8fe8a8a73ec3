// `fetch` for libraries that use OpenAI's API: their requests go to the best provider and, if it fails, to the next.

import { ApiError } from "./errors.ts";
import type { ModelInfo } from "./models.ts";
import type { Reply } from "./reply.ts";
import { type Path, type Request, readRequest } from "./request.ts";
import { mapping } from "./text.ts";

/** The base URL for `fetch`. The name does not exist (RFC 2606), so requests that bypass `fetch` reach no server. */
export const BASE_URL = "http://zeroconf-ai.invalid/v1";
/** A placeholder: `fetch` sends each provider its own key. */
export const API_KEY = "zeroconf-ai";
const PATHS: readonly Path[] = ["/chat/completions", "/completions", "/embeddings"];

interface Asked {
  readonly route: (
    request: Request,
    signal: AbortSignal | undefined,
    headers: Readonly<Record<string, string>>,
  ) => Promise<Reply>;
  readonly models: () => Promise<readonly (ModelInfo & { readonly provider: string })[]>;
}

/** A `fetch` for the paths below BASE_URL. A failed request is a response with an error body, as from a server. */
export function fetchFor(client: Asked): typeof fetch {
  return async (input, init) => {
    const request = new globalThis.Request(input, init);
    const path = new URL(request.url).pathname.replace(/^\/v1(?=\/)/, "");
    const signal = init?.signal ?? (input instanceof globalThis.Request ? input.signal : undefined);
    try {
      if (request.method === "GET" && path === "/models") return json(200, modelList(await client.models()));
      const known = PATHS.find((one) => one === path);
      if (known === undefined || request.method !== "POST") {
        const offered = [...PATHS, "/models"].join(", ");
        throw new ApiError(404, `${path} is not supported. Supported paths: ${offered}.`, { kind: "request" });
      }
      const asked = readRequest(known, mapping(await bodyOf(request)));
      return answer(await client.route(asked, signal ?? undefined, forwarded(request.headers)));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return json(error.status, error.toJSON(), errorHeaders(error));
    }
  };
}

async function bodyOf(request: globalThis.Request): Promise<unknown> {
  try {
    return await request.json();
  } catch {
    throw new ApiError(400, "The body is not JSON.", { kind: "request" });
  }
}

/** Only the request id is passed on, because other headers may contain keys and names of cloud accounts. */
function forwarded(headers: Headers): Record<string, string> {
  const id = headers.get("x-request-id");
  return id === null ? {} : { "x-request-id": id };
}

function answer(reply: Reply): Response {
  const { provider, model } = reply.candidate;
  const headers = { "x-zeroconfai-provider": ascii(provider.name), "x-zeroconfai-model": ascii(model) };
  if (reply.body !== undefined) return json(200, reply.body, headers);
  const bytes: AsyncGenerator<Uint8Array, void> = reply.bytes();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await bytes.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await bytes.return(undefined);
      reply.close();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", ...headers } });
}

const ascii = (text: string): string => text.replace(/[^ -~]/g, "?");

function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}

/** Tells the library not to retry at once, because all providers have been tried. */
function errorHeaders({ status, retryAfter }: ApiError): Record<string, string> {
  if (retryAfter !== undefined) return { "retry-after": String(Math.max(1, Math.ceil(retryAfter))) };
  return status >= 500 ? { "x-should-retry": "false" } : {};
}

function modelList(models: readonly (ModelInfo & { readonly provider: string })[]): unknown {
  const data = models.map(({ id, provider, contextWindow, capabilities }) => ({
    id,
    object: "model",
    created: 0,
    owned_by: provider,
    ...(contextWindow === undefined ? {} : { context_window: contextWindow }),
    ...(capabilities === undefined ? {} : { capabilities: [...capabilities].sort() }),
  }));
  return { object: "list", data };
}
