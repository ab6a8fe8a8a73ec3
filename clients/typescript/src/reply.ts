// Reads the answer of one provider, from its first token to its end.

import type { IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";

import type { Candidate } from "./candidates.ts";
import { ApiError, connectionError, reportedError } from "./errors.ts";
import { EventDecoder, choicesOf, hasChoices, readEvent } from "./events.ts";
import { MAX_BODY_BYTES, type Timeouts, type Upstream, parsed, reasonOf } from "./http.ts";
import type { Request } from "./request.ts";
import { mapping } from "./text.ts";

/** The error of each provider that was tried before and failed, by the provider's name. */
export type Failed = Readonly<Record<string, string>>;

/** A complete answer, or a stream whose first token has arrived. A stream must be read to its end or closed. */
export class Reply {
  readonly candidate: Candidate;
  readonly failed: Failed;
  /** The complete answer; undefined for a stream. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
  readonly #stream: Stream | undefined;
  readonly #over: (completed: boolean) => void;

  constructor(candidate: Candidate, failed: Failed, opened: Opened, over: (completed: boolean) => void) {
    this.candidate = candidate;
    this.failed = failed;
    this.body = opened.body;
    this.#stream = opened.stream;
    this.#over = over;
    if (opened.body !== undefined) over(true);
  }

  /** The bytes of the stream as they arrive. Throws ApiError if the provider stops answering. */
  async *bytes(): AsyncGenerator<Uint8Array, void> {
    if (this.#stream === undefined) return;
    let completed = false;
    try {
      yield* this.#stream.bytes();
      completed = true;
    } finally {
      this.#stream.close();
      this.#over(completed);
    }
  }

  /** The chunks of the stream. Throws the errors of `bytes`, and ApiError for an error in the stream or a stream without an end. */
  async *chunks(): AsyncGenerator<Readonly<Record<string, unknown>>> {
    const [characters, events] = [new StringDecoder("utf8"), new EventDecoder()];
    const { name } = this.candidate.provider;
    const seen = { end: false };
    const read = (data: string) => {
      const event = readEvent(data);
      if (event.kind === "error") throw brokenStream(name, event.data);
      seen.end ||=
        event.kind === "done" || choicesOf(event.data).some((choice) => typeof choice.finish_reason === "string");
      return event;
    };
    for await (const bytes of this.bytes()) {
      for (const data of fed(events, characters.write(Buffer.from(bytes)), name)) {
        const event = read(data);
        if (event.kind === "done") {
          this.#over(true);
          return;
        }
        yield event.data;
      }
    }
    for (const event of events.flush().map(read)) if (event.kind !== "done") yield event.data;
    if (!seen.end) throw new ApiError(502, `${name} ended its answer early`, { kind: "broken" });
  }

  close(): void {
    this.#stream?.close();
    this.#over(false);
  }
}

interface Opened {
  readonly body?: Readonly<Record<string, unknown>>;
  readonly stream?: Stream;
}

/** Sends a request to one provider; resolves to the complete answer, or after the first token to the stream. Throws ApiError. */
export async function open(
  { provider, model }: Candidate,
  request: Request,
  timeouts: Timeouts,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const { upstream } = provider;
  const seconds = request.stream ? timeouts.firstToken : timeouts.answer;
  const deadline = performance.now() + seconds * 1000;
  const body = JSON.stringify({ ...request.body, model });
  const connectSeconds = timeouts.connect;
  const response = await upstream.open(request.path, {
    method: "POST",
    body,
    headers,
    secret: true,
    seconds,
    connectSeconds,
    signal,
  });
  if (request.stream && !isJson(response)) {
    const stream = new Stream(upstream, response, timeouts.betweenTokens, signal);
    await stream.start(deadline);
    return { stream };
  }
  const left = request.stream ? timeouts.answer : Math.max((deadline - performance.now()) / 1000, 1);
  const answer = mapping(parsed(upstream.name, await upstream.read(response, { seconds: left, signal })));
  if (!hasChoices(answer) && !Array.isArray(answer.data) && !Array.isArray(answer.output))
    throw brokenStream(upstream.name, answer);
  return request.stream ? { stream: Stream.of(upstream, answer) } : { body: answer };
}

const isJson = (response: IncomingMessage): boolean =>
  /^application\/json\b/i.test(response.headers["content-type"] ?? "");

/** The error in an answer with HTTP status 200. A 4xx code inside the error replaces the HTTP status. */
function brokenStream(name: string, data: Readonly<Record<string, unknown>>): ApiError {
  const { error } = data;
  if (error === undefined || error === null)
    return new ApiError(502, `${name} sent an empty answer`, { kind: "broken" });
  const code = Number(mapping(error).code ?? mapping(error).status);
  if (code >= 400 && code < 500) return reportedError(name, code, data, undefined, []);
  const { message } = reportedError(name, 500, data, undefined, []);
  return new ApiError(502, message, { kind: "broken" });
}

function fed(events: EventDecoder, text: string, name: string): string[] {
  try {
    return events.feed(text);
  } catch (error) {
    throw new ApiError(502, `${name} sent too large an event: ${String(error)}`, { kind: "broken" });
  }
}

/** The stream of one response. */
class Stream {
  readonly #upstream: Upstream;
  readonly #response: IncomingMessage | undefined;
  readonly #seconds: number;
  readonly #signal: AbortSignal | undefined;
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  #parts: AsyncIterator<Buffer> | undefined;
  #stop: (() => void) | undefined;

  constructor(upstream: Upstream, response: IncomingMessage | undefined, seconds: number, signal?: AbortSignal) {
    this.#upstream = upstream;
    this.#response = response;
    this.#seconds = seconds;
    this.#signal = signal;
    this.#parts = response?.[Symbol.asyncIterator]() as AsyncIterator<Buffer> | undefined;
    const abort = () => response?.destroy(reasonOf(signal));
    signal?.addEventListener("abort", abort, { once: true });
    this.#stop = () => signal?.removeEventListener("abort", abort);
  }

  /** A complete answer as a stream of one chunk. */
  static of(upstream: Upstream, answer: Readonly<Record<string, unknown>>): Stream {
    const choices = choicesOf(answer).map(({ message, ...choice }) =>
      message === undefined ? choice : { ...choice, delta: message },
    );
    const chunk = JSON.stringify({ ...answer, object: "chat.completion.chunk", choices });
    const made = new Stream(upstream, undefined, 0);
    made.#held.push(Buffer.from(`data: ${chunk}\n\ndata: [DONE]\n\n`));
    return made;
  }

  /** Waits for the first token. Throws ApiError if none arrives by `deadline`, in milliseconds of `performance.now()`. */
  async start(deadline: number): Promise<void> {
    const [characters, events] = [new StringDecoder("utf8"), new EventDecoder()];
    try {
      for (;;) {
        const part = await this.#next((deadline - performance.now()) / 1000);
        const found =
          part === undefined ? events.flush() : fed(events, characters.write(Buffer.from(part)), this.#upstream.name);
        if (part !== undefined) this.#hold(part);
        for (const event of found.map(readEvent)) {
          if (event.kind === "error") throw brokenStream(this.#upstream.name, event.data);
          if (event.kind === "token") return;
          if (event.kind === "done") throw brokenStream(this.#upstream.name, {});
        }
        if (part === undefined) throw brokenStream(this.#upstream.name, {});
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Keeps the bytes up to the first token. Throws ApiError above MAX_BODY_BYTES. */
  #hold(part: Uint8Array): void {
    this.#held.push(part);
    this.#heldBytes += part.length;
    if (this.#heldBytes <= MAX_BODY_BYTES) return;
    throw new ApiError(502, `${this.#upstream.name} sent ${MAX_BODY_BYTES} bytes without a token`, { kind: "broken" });
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    yield* this.#held.splice(0);
    for (let part = await this.#next(this.#seconds); part !== undefined; part = await this.#next(this.#seconds))
      yield part;
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#parts = undefined;
    this.#response?.destroy();
  }

  /** The next part; undefined at the end. Throws ApiError if no part arrives within `seconds`. */
  async #next(seconds: number): Promise<Uint8Array | undefined> {
    const late = new ApiError(504, `${this.#upstream.name} stopped answering`);
    const timer = setTimeout(() => this.#response?.destroy(late), Math.max(seconds, 0) * 1000);
    try {
      const next = await this.#parts?.next();
      return next?.done === false ? next.value : undefined;
    } catch (error) {
      if (this.#signal?.aborted) throw reasonOf(this.#signal);
      throw connectionError(this.#upstream.name, error);
    } finally {
      clearTimeout(timer);
    }
  }
}
