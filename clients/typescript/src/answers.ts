// The answers that a client returns, complete or streamed.

import { choicesOf, reasoningOf } from "./events.ts";
import type { Failed, Reply } from "./reply.ts";
import { ApiError } from "./errors.ts";
import { MAX_BODY_BYTES } from "./http.ts";
import { mapping, textOf } from "./text.ts";
import { type Piece, ThinkSplitter, joined, piecesOf } from "./thinking.ts";

/** The longest streamed answer, in characters. A complete answer has the same limit in bytes. */
const MAX_CHARACTERS = MAX_BODY_BYTES;

/** The tokens that the provider reported; undefined if it reported none. */
export interface Usage {
  readonly promptTokens: number | undefined;
  readonly completionTokens: number | undefined;
}

/** A complete answer. */
export interface Answer {
  readonly text: string;
  /** The reasoning before the answer; empty for models without reasoning. */
  readonly reasoning: string;
  /** The name of the provider that answered. */
  readonly provider: string;
  readonly model: string;
  readonly usage: Usage;
  /** `stop`, `length`, `tool_calls` or `content_filter`; undefined if the provider did not report it. */
  readonly finishReason: string | undefined;
  readonly toolCalls: readonly ToolCall[];
  /** The error of each provider that was tried before and failed, by the provider's name. */
  readonly failed: Failed;
  /** The message in OpenAI's format. Send it back together with the results of its tool calls. */
  readonly message: Readonly<Record<string, unknown>> & { readonly role: string };
}

/** A function call that the model requests. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON, as the model wrote it. */
  readonly arguments: string;
}

/** The answer to a request without streaming. */
export function wholeAnswer(reply: Reply): Answer {
  const body = reply.body ?? {};
  const [choice = {}] = choicesOf(body);
  const message = mapping(choice.message);
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls.map(mapping) : [];
  const pieces = [{ text: reasoningOf(message), isReasoning: true }, ...piecesOf(textOf(message.content))];
  return answerOf(reply, pieces, calls.map(callOf), choice.finish_reason, body.usage);
}

function callOf(call: Readonly<Record<string, unknown>>): ToolCall {
  const { name, arguments: given } = mapping(call.function);
  // Some servers send the arguments as an object.
  return {
    id: textOf(call.id),
    name: textOf(name),
    arguments: typeof given === "string" ? given : JSON.stringify(given ?? {}),
  };
}

function answerOf(
  { candidate, failed }: Reply,
  pieces: readonly Piece[],
  toolCalls: readonly ToolCall[],
  finishReason: unknown,
  usage: unknown,
): Answer {
  const text = joined(pieces, false);
  const { prompt_tokens: prompt, completion_tokens: completion } = mapping(usage);
  const calls = toolCalls.map(({ id, name, arguments: given }) => {
    return { id, type: "function", function: { name, arguments: given } };
  });
  return {
    text,
    reasoning: joined(pieces, true),
    provider: candidate.provider.name,
    model: candidate.model,
    usage: {
      promptTokens: typeof prompt === "number" ? prompt : undefined,
      completionTokens: typeof completion === "number" ? completion : undefined,
    },
    finishReason: typeof finishReason === "string" ? finishReason : undefined,
    toolCalls,
    failed,
    message: { role: "assistant", content: text || null, ...(calls.length > 0 ? { tool_calls: calls } : {}) },
  };
}

/** A streamed answer: iterate over it to get pieces of text. `answer` is complete afterwards. Leaving the loop ends the request. */
export class Stream implements AsyncIterable<string> {
  readonly #start: () => Promise<Reply>;
  readonly #done: (answer: Answer) => void;
  #answer: Answer | undefined;

  /** @internal */
  constructor(start: () => Promise<Reply>, done: (answer: Answer) => void) {
    this.#start = start;
    this.#done = done;
  }

  /** The complete answer. Throws Error until the stream has been read to its end. */
  get answer(): Answer {
    if (this.#answer === undefined) throw new Error("The stream was not read to its end");
    return this.#answer;
  }

  /** The pieces of the answer's text. Throws ApiError if no provider answers, or if the provider stops before the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void> {
    for await (const { text, isReasoning } of this.pieces()) if (!isReasoning) yield text;
  }

  /** The pieces of the answer's text and of the reasoning before it. Throws the same errors as iteration. */
  async *pieces(): AsyncGenerator<Piece, void> {
    const reply = await this.#start();
    const splitter = new ThinkSplitter();
    const calls = new Map<number, { id: string; name: string; arguments: string }>();
    let size = 0;
    let [pieces, content, finish, usage]: [Piece[], string, unknown, unknown] = [[], "", undefined, undefined];
    for await (const chunk of reply.chunks()) {
      usage = chunk.usage ?? usage;
      const [choice = {}] = choicesOf(chunk);
      const delta = mapping(choice.delta);
      finish = choice.finish_reason ?? finish;
      addCalls(calls, delta.tool_calls);
      content += textOf(delta.content);
      size += textOf(delta.content).length + reasoningOf(delta).length + JSON.stringify(delta.tool_calls ?? "").length;
      if (size > MAX_CHARACTERS) {
        throw new ApiError(
          502,
          `${reply.candidate.provider.name} answered with more than ${MAX_CHARACTERS} characters`,
        );
      }
      const thought: Piece[] = reasoningOf(delta) ? [{ text: reasoningOf(delta), isReasoning: true }] : [];
      for (const piece of [...thought, ...splitter.feed(textOf(delta.content))]) {
        pieces.push(piece);
        yield piece;
      }
    }
    for (const piece of splitter.flush()) {
      pieces.push(piece);
      yield piece;
    }
    // The text before the closing tag was reasoning.
    if (splitter.unopened) pieces = [...pieces.filter(({ isReasoning }) => isReasoning), ...piecesOf(content)];
    this.#answer = answerOf(reply, pieces, [...calls.values()], finish, usage);
    this.#done(this.#answer);
  }
}

/** Joins the fragments of each call by their index. Some servers send complete calls without an index. */
function addCalls(calls: Map<number, { id: string; name: string; arguments: string }>, given: unknown): void {
  for (const fragment of Array.isArray(given) ? given.map(mapping) : []) {
    const { id, name, arguments: added } = callOf(fragment);
    const index = typeof fragment.index === "number" ? fragment.index : calls.size;
    const call = calls.get(index);
    if (call === undefined)
      calls.set(index, { id, name, arguments: mapping(fragment.function).arguments === undefined ? "" : added });
    else {
      call.id ||= id;
      call.name ||= name;
      if (mapping(fragment.function).arguments !== undefined) call.arguments += added;
    }
  }
}
