// `Client`: finds the providers on the network and sends them requests.
//
//     const ai = new Client();
//     const { text } = await ai.chat("What is mDNS?");

import { type Answer, Stream, wholeAnswer } from "./answers.ts";
import { Connections } from "./connections.ts";
import { ApiError, NoProviderError } from "./errors.ts";
import { API_KEY, BASE_URL, fetchFor } from "./fetch.ts";
import { parseCode } from "./household.ts";
import { TIMEOUTS, type Timeouts } from "./http.ts";
import { AUTO, type ModelInfo } from "./models.ts";
import type { ProviderInfo } from "./provider.ts";
import type { Reply } from "./reply.ts";
import { type Message, type Path, type Question, type Request, readRequest } from "./request.ts";
import { Router } from "./router.ts";
import { mapping } from "./text.ts";

const SESSION_NAME = /^[\w-]{1,64}$/;
const MAX_SESSIONS = 1000;

export interface ClientOptions {
  /** The API key of the provider that the first argument of `new Client` names. */
  readonly key?: string;
  /** The code of `zeroconf-ai household`: providers with the same code are used without an API key. */
  readonly household?: string;
  /** The model for questions without a `model`. "auto" (the default): the provider chooses. */
  readonly model?: string;
  /** Accept the new identity or the new address of a known provider, once. */
  readonly trust?: boolean;
  /** The IP addresses of the interfaces to search on; empty or left out: all interfaces. */
  readonly interfaces?: readonly string[];
  /** A file that keeps the identities of providers between runs. The Python package and its command use the same format. */
  readonly trustFile?: string;
  /** The folder with the client certificate for one provider, `…/zeroconf-ai/clients/PROVIDER`, that `zeroconf-ai enroll` has made. */
  readonly enrolment?: string;
  /** In seconds. */
  readonly timeouts?: Partial<Timeouts>;
}

/** Options of one question, and any parameters of OpenAI's chat completions, such as `temperature` or `tools`. */
export interface ChatOptions {
  readonly model?: string;
  /** The name of a conversation, 1 to 64 letters, digits, `-` or `_`. Its earlier questions and answers are sent with the question. */
  readonly session?: string;
  /** Ends the request when it is aborted. */
  readonly signal?: AbortSignal;
  readonly [parameter: string]: unknown;
}

/** The address of one provider, for a program that uses OpenAI's API. */
export interface ProviderEndpoint {
  readonly baseURL: string;
  /** A placeholder if the provider needs no key, because most libraries require a key. */
  readonly apiKey: string;
  readonly name: string;
  readonly models: readonly string[];
}

/** Finds the providers on the network and sends requests to the best one; if it fails, to the next.
 *
 * The first call of any method searches the network. Methods throw ApiError: `message` is one sentence, `status` and `code` are as in
 * the OpenAI API. NoProviderError is a subclass of ApiError. An open client does not keep the program running.
 */
export class Client {
  /** A `fetch` for libraries that use OpenAI's API with `baseURL`: requests go to the best provider and, if it fails, to the next. */
  readonly fetch: typeof fetch;
  readonly baseURL = BASE_URL;
  readonly apiKey = API_KEY;
  readonly #provider: string | undefined;
  readonly #key: string | undefined;
  readonly #household: string | undefined;
  readonly #options: ClientOptions;
  readonly #timeouts: Timeouts;
  readonly #model: string;
  readonly #said = new Map<string, Message[]>();
  #opening: Promise<{ connections: Connections; router: Router }> | undefined;

  /** `provider`: the name, id or URL of a provider; undefined: all providers on the network that need no key.
   *
   * Throws TypeError for a key without a provider, because every provider would get the key, and for an invalid household code.
   */
  constructor(provider?: string, options: ClientOptions = {}) {
    const { key, household, ...others } = options;
    if (household !== undefined) parseCode(household);
    if (key !== undefined && provider === undefined) throw new TypeError("A key requires the name of its provider");
    this.#provider = provider;
    this.#key = key;
    this.#household = household;
    this.#options = others;
    this.#timeouts = { ...TIMEOUTS, ...options.timeouts };
    this.#model = options.model ?? AUTO;
    this.fetch = fetchFor({
      route: async (request, signal, headers) => (await this.#opened()).router.route(request, { signal, headers }),
      models: async () => await this.models(),
    });
  }

  /** Finds the providers. Throws NoProviderError if none can be used. */
  async open(): Promise<this> {
    await this.#opened();
    return this;
  }

  /** Closes all connections. Safe to call twice. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#said.clear();
    const opened = await opening?.catch(() => undefined);
    opened?.connections.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The providers, sorted by preference. */
  async providers(): Promise<ProviderInfo[]> {
    const { connections } = await this.#opened();
    return connections.providers.map(({ info }) => info);
  }

  /** The models of all online providers, sorted by the preference of the providers. `provider`: the provider's name. */
  async models(): Promise<(ModelInfo & { readonly provider: string })[]> {
    const { connections } = await this.#opened();
    const online = connections.providers.filter(({ online }) => online);
    const found = new Map<string, ModelInfo & { readonly provider: string }>();
    for (const { name: provider, models } of online) {
      for (const model of models)
        if (!model.virtual && !found.has(model.id)) found.set(model.id, { ...model, provider });
    }
    return [...found.values()];
  }

  /** Reads health and models of every provider now, and returns the result of `providers`. */
  async check(): Promise<ProviderInfo[]> {
    const { connections } = await this.#opened();
    for (const provider of connections.providers) provider.forgetModels();
    await connections.check();
    return await this.providers();
  }

  /** The complete answer. */
  async chat(question: Question, options: ChatOptions = {}): Promise<Answer> {
    const answer = wholeAnswer(await this.#chat(question, options, false));
    this.#keep(question, options.session, answer);
    return answer;
  }

  /** The answer as a stream.
   *
   *     for await (const piece of ai.stream("Tell me a story")) process.stdout.write(piece);
   */
  stream(question: Question, options: ChatOptions = {}): Stream {
    return new Stream(
      () => this.#chat(question, options, true),
      (answer) => this.#keep(question, options.session, answer),
    );
  }

  /** The embeddings of texts, in the order of the texts. */
  async embed(texts: string | readonly string[], { signal, ...parameters }: ChatOptions = {}): Promise<number[][]> {
    const input = typeof texts === "string" ? [texts] : texts;
    const body = { ...parameters, model: parameters.model ?? this.#model, input, encoding_format: "float" };
    const reply = await this.#route(readRequest("/embeddings", body), signal);
    const rows = (Array.isArray(reply.body?.data) ? reply.body.data : []).map(mapping);
    const found = rows
      .sort((one, other) => Number(one.index ?? 0) - Number(other.index ?? 0))
      .map(({ embedding }) => embedding);
    if (found.length !== input.length || !found.every(isVector)) {
      throw new ApiError(502, `${reply.candidate.provider.name} answered without embeddings`);
    }
    return found;
  }

  /** Base URL and key of the best provider, for a program that uses OpenAI's API. Its requests do not move to another provider.
   *
   * Throws NoProviderError if no provider is online, or if only this client can check the certificates of the online providers.
   */
  async endpoint(): Promise<ProviderEndpoint> {
    const { connections } = await this.#opened();
    const online = connections.providers.filter((provider) => provider.online);
    const usable = online.filter(
      ({ upstream: { endpoint } }) => endpoint.fingerprint === undefined && !endpoint.publicOnly,
    );
    const [best] = [...usable.filter(({ notNow }) => notNow === undefined), ...usable];
    if (best !== undefined) {
      const { baseURL, key } = best.upstream.endpoint;
      return { baseURL, apiKey: key ?? API_KEY, name: best.name, models: best.info.models };
    }
    if (online.length === 0) throw new NoProviderError("No provider answers.");
    throw new NoProviderError(
      `Only this client can check the certificate of ${online[0]?.name ?? ""}: use client.fetch.`,
    );
  }

  async #chat(question: Question, options: ChatOptions, stream: boolean): Promise<Reply> {
    const { session, signal, ...parameters } = options;
    const messages: readonly Message[] =
      typeof question === "string" ? [{ role: "user", content: question }] : question;
    if (session !== undefined && (typeof question !== "string" || !SESSION_NAME.test(session))) {
      const why =
        "A session has a name of 1 to 64 letters, digits, - or _ and keeps the messages itself: ask with a text.";
      throw new ApiError(400, why, { param: "session", kind: "request" });
    }
    const said = session === undefined ? [] : (this.#said.get(session) ?? []);
    const more = stream ? { stream_options: { include_usage: true } } : {};
    const body = {
      ...more,
      ...parameters,
      model: options.model ?? this.#model,
      messages: [...said, ...messages],
      stream,
    };
    return await this.#route(readRequest("/chat/completions" satisfies Path, body), signal, session);
  }

  async #route(request: Request, signal?: AbortSignal, session?: string): Promise<Reply> {
    const { router } = await this.#opened();
    return await router.route(request, { signal, session });
  }

  #keep(question: Question, session: string | undefined, answer: Answer): void {
    if (session === undefined || typeof question !== "string" || !answer.text) return;
    const said = this.#said.get(session) ?? [];
    said.push({ role: "user", content: question }, { role: "assistant", content: answer.text });
    this.#said.delete(session);
    this.#said.set(session, said);
    const [oldest] = this.#said.keys();
    if (this.#said.size > MAX_SESSIONS && oldest !== undefined) this.#said.delete(oldest);
  }

  async #opened(): Promise<{ connections: Connections; router: Router }> {
    this.#opening ??= this.#open();
    const opening = this.#opening;
    try {
      return await opening;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined; // the next request searches again
      throw error;
    }
  }

  async #open(): Promise<{ connections: Connections; router: Router }> {
    const { trust = false, interfaces = [], trustFile, enrolment } = this.#options;
    const connections = await Connections.open({
      provider: this.#provider,
      key: this.#key,
      household: this.#household,
      trust,
      interfaces,
      trustFile,
      enrolment,
    });
    return { connections, router: new Router(connections, this.#timeouts) };
  }
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}
