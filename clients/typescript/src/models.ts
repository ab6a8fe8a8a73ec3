// Parses the model lists (`/v1/models`) of all kinds of servers, and finds a model by any spelling of its name.

import { type Capability, CAPABILITIES } from "./record.ts";
import { clean, countOf, mapping, textOf } from "./text.ts";

/** The model name for any model of any provider. */
export const AUTO = "auto";
/** The `provider` part in names of the aliases that this project's gateways list. */
const GATEWAY = "zeroconf-ai";
const MAX_MODELS = 10_000;
const NOT_FOR_CHAT = [...["embed", "rerank", "bge-", "minilm", "moderation", "realtime", "sora-"]];
const MAKES_IMAGES = [
  ...["dall-e", "gpt-image", "chatgpt-image", "stable-diffusion", "stablediffusion", "sdxl", "flux", "imagen-"],
  ...["qwen-image", "z-image", "hidream", "kandinsky", "seedream", "ideogram", "recraft", "grok-2-image"],
  ...["grok-imagine-image"],
];
const TRANSCRIBES = [
  ...["whisper", "transcribe", "transcription", "parakeet", "canary-", "moonshine", "sensevoice", "-asr"],
  ...["speech-to-text", "-stt"],
];
const SPEAKS = [
  ...["tts", "kokoro", "piper", "chatterbox", "orpheus", "playai", "vibevoice", "voxcpm", "zonos", "text-to-speech"],
];
/** Most models with one of these capabilities have no other capability. */
const ONLY: readonly Capability[] = ["embeddings", "image_generation", "transcription", "speech"];
/** The values of Together's field `type` and of the field `task` of speaches and this project's gateways, for models that do not chat. */
const TYPES = new Map<unknown, Capability>([
  ["embedding", "embeddings"],
  ["embeddings", "embeddings"],
  ["image", "image_generation"],
  ["transcribe", "transcription"],
  ["audio", "speech"],
  ["automatic-speech-recognition", "transcription"],
  ["text-to-speech", "speech"],
  ["transcription", "transcription"],
  ["speech", "speech"],
]);
const SYNONYMS = new Map<string, Capability>([
  ["chat", "completion"],
  ["completion_chat", "completion"],
  ["embed", "embeddings"],
  ["embedding", "embeddings"],
  ["function_calling", "tools"],
  ["tool_use", "tools"],
  ["multimodal", "vision"],
]);

/** One model of one provider. A field is undefined if the provider does not report it. */
export interface ModelInfo {
  readonly id: string;
  readonly contextWindow: number | undefined;
  readonly maxOutputTokens: number | undefined;
  readonly capabilities: ReadonlySet<Capability> | undefined;
  readonly warm: boolean | undefined;
  /** Whether it is a gateway's alias for other models. */
  readonly virtual: boolean;
}

/** A model with unknown properties. */
export const named = (id: string): ModelInfo => {
  return {
    id,
    contextWindow: undefined,
    maxOutputTokens: undefined,
    capabilities: undefined,
    warm: undefined,
    virtual: false,
  };
};

/** Parses a list, `{"data": …}` or `{"models": …}` with a list or with objects by id. Any other body results in an empty list. */
export function parseModels(body: unknown): ModelInfo[] {
  let listed: unknown = body;
  if (!Array.isArray(body)) {
    const { data, models } = mapping(body);
    listed = isFilled(data) ? data : models;
  }
  if (!Array.isArray(listed)) {
    const objects = Object.entries(mapping(listed)).filter(([, entry]) => mapping(entry) === entry);
    listed = objects.map(([id, entry]) => ({ id, ...mapping(entry) }));
  }
  const found = new Map<string, ModelInfo>();
  for (const item of (listed as unknown[]).slice(0, MAX_MODELS)) {
    const model = parseModel(item);
    if (model) found.set(model.id, model);
  }
  return [...found.values()];
}

const isFilled = (value: unknown): boolean => Object.keys(Object(value) as object).length > 0;

function parseModel(data: unknown): ModelInfo | undefined {
  if (typeof data === "string") return clean(data) ? named(clean(data)) : undefined;
  const fields = mapping(data);
  const id = ["id", "name", "model"].map((key) => clean(textOf(fields[key]))).find(Boolean);
  if (!id) return undefined;
  const meta = mapping(fields.meta);
  const windows = [fields.context_window, fields.context_length, fields.max_model_len, meta.n_ctx, meta.n_ctx_train];
  return {
    id,
    contextWindow: windows.map(countOf).find((window) => window !== undefined),
    maxOutputTokens: countOf(fields.max_output_tokens),
    capabilities: capabilitiesOf(fields),
    warm: typeof fields.warm === "boolean" ? fields.warm : undefined,
    virtual: fields.virtual === true,
  };
}

/** Reads `capabilities`, a list of words or flags by word (Mistral), else `type` (Together). */
function capabilitiesOf(fields: Readonly<Record<string, unknown>>): ReadonlySet<Capability> | undefined {
  const listed = fields.capabilities;
  const words: unknown[] = Array.isArray(listed)
    ? listed
    : Object.entries(mapping(listed)).flatMap(([word, flag]) => (flag === true ? [word] : []));
  const known = words.map(
    (word) => SYNONYMS.get(textOf(word)) ?? CAPABILITIES.find((capability) => capability === word),
  );
  const found = new Set(known.filter((capability) => capability !== undefined));
  if (found.size === 0) {
    const only = TYPES.get(fields.type || fields.task);
    return only === undefined ? undefined : new Set([only]);
  }
  // Some providers list only capabilities beyond chat.
  return ONLY.some((capability) => found.has(capability)) ? found : found.add("completion");
}

/** Whether a model can chat, according to its capabilities or, if they are unknown, to its name. */
export function isForChat(model: ModelInfo): boolean {
  if (model.capabilities !== undefined) return model.capabilities.has("completion");
  const id = model.id.toLowerCase();
  return ![...NOT_FOR_CHAT, ...MAKES_IMAGES, ...TRANSCRIBES, ...SPEAKS].some((word) => id.includes(word));
}

/** Whether a model makes images from texts, according to its capabilities or, if they are unknown, to its name. */
function makesImages(model: ModelInfo): boolean {
  const id = model.id.toLowerCase();
  return model.capabilities?.has("image_generation") ?? MAKES_IMAGES.some((word) => id.includes(word));
}

/** Whether a model transcribes or speaks, according to its capabilities or, if they are unknown, to its name. */
function isAudio(model: ModelInfo): boolean {
  const { id, capabilities: known } = model;
  const name = id.toLowerCase();
  if (known !== undefined) return known.has("transcription") || known.has("speech");
  return [...TRANSCRIBES, ...SPEAKS].some((word) => name.includes(word));
}

/** Whether a model has all capabilities in `needs`, or its capabilities are unknown. */
export function supports(model: ModelInfo, needs: Iterable<Capability>): boolean {
  return model.capabilities === undefined || [...needs].every((capability) => model.capabilities?.has(capability));
}

/** The models, without aliases, with all capabilities in `needs`: models with tools first, then loaded models, then the provider's order. */
export function ranked(models: readonly ModelInfo[], needs: ReadonlySet<Capability>): ModelInfo[] {
  const real = models.filter((model) => !model.virtual);
  if (needs.has("embeddings")) {
    // Embeddings of different models cannot be compared, so only the provider's order decides: it does not change with the state of models.
    return real.filter(
      (model) => model.capabilities?.has("embeddings") ?? !(isForChat(model) || makesImages(model) || isAudio(model)),
    );
  }
  const rank = (model: ModelInfo) => (supports(model, ["tools"]) ? 0 : 2) + (model.warm === true ? 0 : 1);
  return real
    .filter((model) => isForChat(model) && supports(model, needs))
    .sort((one, other) => rank(one) - rank(other));
}

/** The form of a name for comparisons: without case, surrounding spaces and the tag `:latest`. */
export const nameKey = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replace(/:latest$/, "");

/** The model with that name. An exact match precedes an equivalent name. */
export function findModel(models: readonly ModelInfo[], name: string): ModelInfo | undefined {
  const same = name.endsWith(":latest") ? name.slice(0, -":latest".length) : `${name}:latest`;
  for (const exact of [name, same]) {
    const found = models.find(({ id }) => id === exact);
    if (found) return found;
  }
  return models.find(({ id }) => nameKey(id) === nameKey(name));
}

/** The readings of a requested name, in order: as it is, percent-decoded, without a leading `zeroconf-ai/`. */
export function spellings(asked: string): string[] {
  let plain = asked;
  try {
    plain = decodeURIComponent(asked);
  } catch {
    // The name is not percent-encoded.
  }
  plain = plain.trim().replace(/^\/+|\/+$/g, "");
  const found = plain && plain !== asked ? [asked, plain] : [asked];
  const [provider = "", ...rest] = plain.split("/");
  return nameKey(provider) === GATEWAY ? [...found, rest.join("/") || AUTO] : found;
}

/** The pairs (provider, model) from a split at each slash, the longest provider first, because names of providers may contain slashes. */
export function splits(name: string): [string, string][] {
  const parts = name.split("/");
  return parts.slice(1).map((_, index): [string, string] => {
    const at = parts.length - 1 - index;
    return [parts.slice(0, at).join("/"), parts.slice(at).join("/")];
  });
}

/** Whether a name stands for any model. */
export const isAny = (name: string): boolean => name === "" || nameKey(name) === AUTO;
