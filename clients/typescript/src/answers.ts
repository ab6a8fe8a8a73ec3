// What a client returns.

import { choicesOf, reasoningOf } from "./events.ts";
import type { Failed, Reply } from "./reply.ts";
import { ApiError } from "./errors.ts";
import { MAX_BODY_BYTES } from "./http.ts";
import { mapping, textOf } from "./text.ts";
import { type Piece, ThinkSplitter, joined, piecesOf } from "./thinking.ts";

/** Characters of an answer that is streamed, as many as bytes of one that is not. */
const MAX_CHARACTERS = MAX_BODY_BYTES;

/** Tokens as the provider reported them; undefined if it did not. */
export interface Usage {
  readonly promptTokens: number | undefined;
  readonly completionTokens: number | undefined;
}

/** A complete answer. */
export interface Answer {
  readonly text: string;
  /** What a reasoning model thought before; empty for others. */
  readonly reasoning: string;
  /** The name of the provider that answered. */
  readonly provider: string;
  readonly model: string;
  readonly usage: Usage;
  /** `stop`, `length`, `tool_calls` or `content_filter`; undefined if the provider did not say. */
  readonly finishReason: string | undefined;
  readonly toolCalls: readonly ToolCall[];
  /** Why each provider that was tried before did not answer, by its name. */
  readonly failed: Failed;
  /** The message as OpenAI's API has it, to be sent back with the results of its tools. */
  readonly message: Readonly<Record<string, unknown>> & { readonly role: string };
}

/** A call of a function. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON, as the model wrote it. */
  readonly arguments: string;
}

/** The answer of a request that was not streamed. */
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

/** The answer as it arrives: iterate over it for pieces of text. `answer` is complete afterwards. Leaving the loop ends it. */
export class Stream implements AsyncIterable<string> {
  readonly #start: () => Promise<Reply>;
  readonly #done: (answer: Answer) => void;
  #answer: Answer | undefined;

  /** @internal */
  constructor(start: () => Promise<Reply>, done: (answer: Answer) => void) {
    this.#start = start;
    this.#done = done;
  }

  /** The complete answer. Throws before the stream was read to its end. */
  get answer(): Answer {
    if (this.#answer === undefined) throw new Error("The stream was not read to its end");
    return this.#answer;
  }

  /** The pieces of the answer's text. Throws ApiError if no provider answers, or the one that does stops. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void> {
    for await (const { text, isReasoning } of this.pieces()) if (!isReasoning) yield text;
  }

  /** The pieces of the answer's text and of the reasoning before it. Throws like iteration does. */
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
    // What came before the tag was reasoning.
    if (splitter.unopened) pieces = [...pieces.filter(({ isReasoning }) => isReasoning), ...piecesOf(content)];
    this.#answer = answerOf(reply, pieces, [...calls.values()], finish, usage);
    this.#done(this.#answer);
  }
}

/** Joins the fragments of calls, which have an index; some servers leave it out and send whole calls. */
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
