// A request to an endpoint of the OpenAI API, and the capabilities that it requires.

import { ApiError } from "./errors.ts";
import { AUTO } from "./models.ts";
import type { Capability } from "./record.ts";
import { mapping, textOf } from "./text.ts";

const CHARACTERS_PER_TOKEN = 4;
const TOKENS_PER_IMAGE = 800;

export type Path = "/chat/completions" | "/completions" | "/embeddings";

/** A message of a conversation in OpenAI's format. */
export type Message = Readonly<Record<string, unknown>> & { readonly role: string };

/** A question, or the messages of a conversation in OpenAI's format. */
export type Question = string | readonly Message[];

export interface Request {
  readonly path: Path;
  readonly body: Readonly<Record<string, unknown>>;
  readonly model: string;
  readonly stream: boolean;
  /** The capabilities that the provider and its model must have. */
  readonly needs: ReadonlySet<Capability>;
  /** An estimate from the length of its texts; each image or other medium counts TOKENS_PER_IMAGE. */
  readonly estimatedTokens: number;
}

/** Reads the body of a request. Throws ApiError if the body is invalid. */
export function readRequest(path: Path, body: Readonly<Record<string, unknown>>): Request {
  const model = body.model ?? AUTO;
  if (typeof model !== "string" || model === "") {
    throw new ApiError(400, "model must be the name of a model.", { param: "model", kind: "request" });
  }
  const { characters, media, needs } = path === "/chat/completions" ? ofChat(body) : ofTexts(path, body);
  return {
    path,
    body,
    model,
    stream: body.stream === true && path !== "/embeddings",
    needs,
    estimatedTokens: Math.floor(characters / CHARACTERS_PER_TOKEN) + media * TOKENS_PER_IMAGE,
  };
}

interface Measured {
  characters: number;
  media: number;
  needs: Set<Capability>;
}

function ofChat(body: Readonly<Record<string, unknown>>): Measured {
  if (!Array.isArray(body.messages) || body.messages.length === 0) {
    throw new ApiError(400, "messages must be a list with at least one message.", {
      param: "messages",
      kind: "request",
    });
  }
  const needs = new Set<Capability>(["completion"]);
  let [characters, media] = [0, 0];
  if (Array.isArray(body.tools) && body.tools.length > 0) {
    needs.add("tools");
    characters += JSON.stringify(body.tools).length;
  }
  if (["json_schema", "json_object"].includes(textOf(mapping(body.response_format).type))) needs.add("json");
  for (const message of body.messages.map(mapping)) {
    if (message.tool_calls) characters += JSON.stringify(message.tool_calls).length;
    characters += textOf(message.content).length;
    for (const part of Array.isArray(message.content) ? message.content.map(mapping) : []) {
      if (part.type === "text") characters += textOf(part.text).length;
      else media += 1;
      if (part.type === "image_url") needs.add("vision");
      if (part.type === "input_audio") needs.add("audio");
    }
  }
  return { characters, media, needs };
}

function ofTexts(path: Path, body: Readonly<Record<string, unknown>>): Measured {
  const embeddings = path === "/embeddings";
  const given = embeddings ? body.input : body.prompt;
  const texts: unknown[] = Array.isArray(given) ? given : [given];
  const characters = texts.reduce<number>((sum, text) => sum + (textOf(text).length || CHARACTERS_PER_TOKEN), 0);
  return { characters, media: 0, needs: new Set([embeddings ? "embeddings" : "completion"]) };
}
