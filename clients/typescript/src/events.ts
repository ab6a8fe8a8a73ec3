// Server-Sent Events, bounded, and whether they contain a token, an error or the end.

import { mapping, textOf } from "./text.ts";

/** The largest legitimate events contain an image as base64. */
export const MAX_EVENT_CHARACTERS = 16 * 1024 * 1024;

/** Decodes the text of a stream to the data of its events, wherever it is split. */
export class EventDecoder {
  #buffer = "";

  /** The data of the events that `text` completes. Throws RangeError for an event beyond the limit. */
  feed(text: string): string[] {
    // A carriage return at the end may be half of a line end.
    let added = (this.#buffer + text).replace(/\r\n/g, "\n");
    const held = added.endsWith("\r") ? "\r" : "";
    added = added.slice(0, added.length - held.length).replace(/\r/g, "\n");
    // No JSON continues with a brace after a brace: a blank line is missing there.
    const blocks = added.replace(/\}\n(?=data: ?[{[])/g, "}\n\n").split("\n\n");
    this.#buffer = (blocks.pop() ?? "") + held;
    if (this.#buffer.length > MAX_EVENT_CHARACTERS) throw new RangeError("an event is too large");
    return blocks.flatMap(dataOf);
  }

  /** The unfinished event at the end of the stream: some servers omit the last blank line. */
  flush(): string[] {
    const rest = this.#buffer;
    this.#buffer = "";
    return dataOf(rest.trimEnd());
  }
}

function dataOf(block: string): string[] {
  const lines = block.replace(/^\ufeff/, "").split("\n");
  // Some servers send an error as JSON without a field, or in a field `error` (llama.cpp).
  const bare = lines.find((line) => line.startsWith("{") || /^error: ?\{/.test(line));
  if (bare !== undefined) return [bare.replace(/^error: ?/, "")];
  const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ /, ""));
  return data.length > 0 ? [data.join("\n")] : [];
}

/** What one event says. */
export interface ChunkEvent {
  readonly kind: "chunk" | "token" | "error" | "done";
  readonly data: Readonly<Record<string, unknown>>;
}

/** Reads the data of one event. Data that is no JSON is a broken answer: `error` without a message. */
export function readEvent(data: string): ChunkEvent {
  if (/^\s*"?\[DONE\]/i.test(data)) return { kind: "done", data: {} };
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    return { kind: "error", data: {} };
  }
  const fields = mapping(chunk);
  if (fields.error !== undefined && fields.error !== null && !hasChoices(fields))
    return { kind: "error", data: fields };
  return { kind: choicesOf(fields).some(saysSomething) ? "token" : "chunk", data: fields };
}

export const choicesOf = (fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>[] =>
  Array.isArray(fields.choices) ? fields.choices.map(mapping) : [];

export const hasChoices = (fields: Readonly<Record<string, unknown>>): boolean => choicesOf(fields).length > 0;

/** The reasoning in a delta or a message, whose field has several names. */
export const reasoningOf = (message: Readonly<Record<string, unknown>>): string =>
  textOf(message.reasoning_content) || textOf(message.reasoning);

function saysSomething(choice: Readonly<Record<string, unknown>>): boolean {
  const delta = mapping(choice.delta);
  const calls = Array.isArray(delta.tool_calls) && delta.tool_calls.length > 0;
  const said = textOf(delta.content) || textOf(choice.text) || textOf(delta.refusal) || reasoningOf(delta);
  return said !== "" || calls || typeof choice.finish_reason === "string" || delta.audio !== undefined;
}
