// Decodes Server-Sent Events of limited size, and tells tokens, errors and the end apart.

import { mapping, textOf } from "./text.ts";

/** The largest event, in characters. The largest legitimate events contain an image as base64. */
export const MAX_EVENT_CHARACTERS = 16 * 1024 * 1024;

/** Decodes the text of a stream, split at any place, to the data of its events. Reads each character once. */
export class EventDecoder {
  /** The parts of an unfinished line. */
  #rest: string[] = [];
  /** The lines of an unfinished event. */
  #lines: string[] = [];
  #size = 0;
  #atStart = true;

  /** The data of the events that `text` completes. Throws RangeError for an event beyond the limit. */
  feed(text: string): string[] {
    this.#size += text.length;
    if (this.#size > MAX_EVENT_CHARACTERS) throw new RangeError("an event is too large");
    this.#rest.push(text);
    if (!/[\r\n]/.test(text) && this.#rest.at(-2)?.endsWith("\r") !== true) return [];
    const whole = this.#rest.join("");
    // A carriage return at the end may be half of a line end.
    const half = whole.endsWith("\r") ? "\r" : "";
    const lines = whole.slice(0, whole.length - half.length).split(/\r\n|\n|\r/);
    const rest = `${lines.pop() ?? ""}${half}`;
    this.#rest = rest === "" ? [] : [rest];
    const found = lines.flatMap((line) => this.#line(line));
    this.#size = rest.length + this.#lines.reduce((sum, line) => sum + line.length, 0);
    return found;
  }

  /** The unfinished event at the end of the stream: some servers omit the last blank line. */
  flush(): string[] {
    const rest = this.#rest.join("").replace(/\r$/, "");
    this.#rest = [];
    return rest === "" ? this.#end() : [...this.#line(rest), ...this.#end()];
  }

  #line(given: string): string[] {
    const line = this.#atStart ? given.replace(/^\ufeff/, "") : given;
    this.#atStart = false;
    if (line === "") return this.#end();
    // In JSON, no brace or bracket opens directly after a closing brace: the server left out a blank line.
    const missing = this.#lines.at(-1)?.endsWith("}") === true && /^data: ?[{[]/.test(line);
    const found = missing ? this.#end() : [];
    this.#lines.push(line);
    return found;
  }

  #end(): string[] {
    return dataOf(this.#lines.splice(0));
  }
}

/** The data of an event. Some servers send an error as JSON without a field, or in a field `error` (llama.cpp). */
function dataOf(lines: readonly string[]): string[] {
  const data: string[] = [];
  let bare = "";
  for (const line of lines) {
    if (line.startsWith("{") || (bare !== "" && !/^(data|event):/.test(line))) {
      bare += line;
      continue;
    }
    const [, name = "", value = ""] = /^([^:]*):? ?([^]*)$/.exec(line) ?? [];
    if (name === "data") data.push(value);
    else if (name === "error" && value.startsWith("{")) return [value];
  }
  if (bare !== "" && (data.length === 0 || (data.length === 1 && data[0] === "[DONE]"))) return [bare];
  return data.length > 0 ? [data.join("\n")] : [];
}

/** One parsed event. `token`: a chunk with text, audio, a tool call or a finish reason. */
export interface ChunkEvent {
  readonly kind: "chunk" | "token" | "error" | "done";
  readonly data: Readonly<Record<string, unknown>>;
}

/** Parses the data of one event. Invalid JSON becomes an `error` without data. */
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

/** The reasoning in a delta or a message. Servers use different names for its field. */
export const reasoningOf = (message: Readonly<Record<string, unknown>>): string =>
  textOf(message.reasoning_content) || textOf(message.reasoning);

function saysSomething(choice: Readonly<Record<string, unknown>>): boolean {
  const delta = mapping(choice.delta);
  const calls = Array.isArray(delta.tool_calls) && delta.tool_calls.length > 0;
  const said = textOf(delta.content) || textOf(choice.text) || textOf(delta.refusal) || reasoningOf(delta);
  return said !== "" || calls || typeof choice.finish_reason === "string" || delta.audio !== undefined;
}
