// Chooses the providers that may answer a request, in order, or says why none may (docs/protocol.md, section 3, rules 1 to 5 and 8).

import { ApiError, NoProviderError } from "./errors.ts";
import { AUTO, findModel, isAny, nameKey, ranked, spellings, splits, supports } from "./models.ts";
import type { Provider, State } from "./provider.ts";
import type { Capability } from "./record.ts";
import type { Request } from "./request.ts";

/** Capabilities that a provider may omit in its record although one of its models has them. */
const MODEL_NEEDS: readonly Capability[] = [
  ...(["vision", "embeddings", "audio", "image_generation", "transcription", "speech"] as const),
];

/** All states, the best first. */
const STATES: readonly State[] = ["healthy", "degraded", "offline", "unauthorized"];
/** The most models that an error message lists. */
const SUGGESTED = 10;

/** A provider, and the id of its model that would answer the request. */
export interface Candidate {
  readonly provider: Provider;
  readonly model: string;
}

/** A model id or `auto`. `provider`: the only provider that may serve it; left out: any provider. */
interface Target {
  readonly model: string;
  readonly provider?: Provider;
}

/** The providers that can answer, the first to be tried first. Throws ApiError if no provider can answer. */
export function candidates(providers: readonly Provider[], request: Request, session?: Candidate): Candidate[] {
  const found: Candidate[] = [];
  const rejections: Rejection[] = [];
  const targets = targetsOf(providers, request.model);
  for (const { model, provider } of targets) {
    for (const one of provider === undefined ? providers : [provider]) {
      const chosen = choose(one, model, request);
      if (typeof chosen === "string") found.push({ provider: one, model: chosen });
      else rejections.push({ ...chosen, why: `${one.name}: ${chosen.why}` });
    }
  }
  if (found.length === 0) throw noCandidate(providers, targets, request, rejections);
  const ready = found.filter(({ provider }) => provider.notNow === undefined);
  const own = ready.find(({ provider }) => provider === session?.provider);
  const sorted = (ready.length > 0 ? ready : found).sort((one, other) => compare(one.provider, other.provider));
  return own === undefined
    ? sorted
    : [ofSession(own, session, request), ...sorted.filter((candidate) => candidate !== own)];
}

/** A session keeps its model as well as its provider, if the request names no model. */
function ofSession(own: Candidate, session: Candidate | undefined, request: Request): Candidate {
  if (session === undefined || !isAny(request.model)) return own;
  const kept = choose(own.provider, session.model, request);
  return typeof kept === "string" ? { provider: own.provider, model: kept } : own;
}

/** Sorts providers with free capacity first, then by priority, state, load, and least recent use. */
function compare(one: Provider, other: Provider): number {
  const key = (provider: Provider) => {
    const full = provider.load >= 1 ? 1 : 0;
    return [full, provider.priority, STATES.indexOf(provider.state), provider.load, provider.lastUsed];
  };
  const [mine, theirs] = [key(one), key(other)];
  const at = mine.findIndex((value, index) => value !== theirs[index]);
  return at < 0 ? 0 : (mine[at] ?? 0) - (theirs[at] ?? 0);
}

/** The readings of a model name, in this order: an exact model id, `provider/model`, an equivalent model id, a provider's id or name. */
function targetsOf(providers: readonly Provider[], asked: string): Target[] {
  for (const name of spellings(asked)) {
    if (isAny(name)) return [{ model: AUTO }];
    const targets = known(providers, name);
    if (targets.length > 0) return targets;
  }
  return [{ model: asked }];
}

function known(providers: readonly Provider[], name: string): Target[] {
  if (providers.some(({ models }) => models.some(({ id }) => id === name))) return [{ model: name }];
  const named = (provider: Provider, head: string) =>
    [provider.id, provider.name].some((own) => nameKey(own) === nameKey(head));
  const ofOne = splits(name).flatMap(([head, model]) =>
    providers.flatMap((provider) => (named(provider, head) ? { provider, model: isAny(model) ? AUTO : model } : [])),
  );
  const serving = ofOne.filter(
    ({ provider, model }) => model === AUTO || findModel(provider.models, model) !== undefined,
  );
  if (serving.length > 0) return serving;
  if (providers.some(({ models }) => findModel(models, name) !== undefined)) return [{ model: name }];
  if (ofOne.length > 0) return ofOne.slice(0, 1);
  return providers.filter((provider) => named(provider, name)).map((provider) => ({ provider, model: AUTO }));
}

/** Why a provider is not a candidate. */
interface Rejection {
  readonly reason: "not_served" | "cannot" | "too_long" | "not_known";
  readonly why: string;
}

/** The id of the provider's model that would answer, or why it has none. */
function choose(provider: Provider, requested: string, request: Request): string | Rejection {
  // A model without a JSON mode gets an instruction to answer in JSON.
  const needs = new Set([...request.needs].filter((capability) => capability !== "json"));
  const { capabilities } = provider;
  if (capabilities !== undefined) {
    const missing = [...needs].filter(
      (capability) => !capabilities.has(capability) && !MODEL_NEEDS.includes(capability),
    );
    if (missing.length > 0) return cannot(missing, "cannot do");
  }
  if (isAny(requested)) return chooseAny(provider, needs, request);
  const found = findModel(provider.models, requested);
  if (found === undefined) {
    // A provider whose model list was never read may serve the model.
    const unknown = !provider.listsModels || provider.neverOnline;
    return unknown ? requested : { reason: "not_served", why: `does not serve ${requested}` };
  }
  if (!supports(found, needs)) {
    const missing = [...needs].filter((capability) => !found.capabilities?.has(capability));
    return cannot(missing, `its model ${found.id} cannot do`);
  }
  const { contextWindow } = found;
  return contextWindow !== undefined && request.estimatedTokens > contextWindow
    ? tooLong(contextWindow, request)
    : found.id;
}

function chooseAny(provider: Provider, needs: ReadonlySet<Capability>, request: Request): string | Rejection {
  const able = ranked(provider.models, needs);
  const fits = (window: number | undefined) =>
    window === undefined || needs.has("embeddings") || request.estimatedTokens <= window;
  const model = able.find(({ contextWindow }) => fits(contextWindow));
  if (model !== undefined) return model.id;
  if (able.length > 0) return tooLong(Math.max(...able.map(({ contextWindow }) => contextWindow ?? 0)), request);
  if (provider.models.length > 0) return { reason: "cannot", why: "has no model that can do this" };
  const listed = provider.listsModels && !provider.neverOnline;
  return listed
    ? { reason: "cannot", why: "lists no models" }
    : { reason: "not_known", why: "its models are not known yet" };
}

function cannot(missing: readonly string[], what: string): Rejection {
  return { reason: "cannot", why: `${what} ${[...missing].sort().join(", ")}` };
}

function tooLong(window: number, request: Request): Rejection {
  return { reason: "too_long", why: `the prompt of about ${request.estimatedTokens} tokens exceeds its ${window}` };
}

function noCandidate(
  providers: readonly Provider[],
  targets: readonly Target[],
  request: Request,
  rejections: readonly Rejection[],
): ApiError {
  if (providers.length === 0) return new NoProviderError("No provider is known.");
  const isKnown = targets.some(({ model, provider }) =>
    (provider === undefined ? providers : [provider]).some(
      ({ models }) => isAny(model) || findModel(models, model) !== undefined,
    ),
  );
  if (!isKnown) {
    const ids = [...new Set(providers.flatMap(({ models }) => models.map(({ id }) => id)))].slice(0, SUGGESTED);
    const hint = ids.length > 0 ? ` Available: ${ids.join(", ")}.` : "";
    return new ApiError(404, `The model ${request.model} is not known here.${hint}`, {
      code: "model_not_found",
      param: "model",
    });
  }
  const lasting = rejections.filter(({ reason }) => reason !== "not_served");
  const listed = lasting.map(({ why }) => why).join("; ");
  if (lasting.length > 0 && lasting.every(({ reason }) => reason !== "not_known")) {
    if (lasting.some(({ reason }) => reason === "too_long")) {
      const message = `The prompt is too long. ${listed}. Shorten it, or choose a model with a larger context window.`;
      return new ApiError(400, message, { code: "context_length_exceeded", param: "messages", kind: "request" });
    }
    const message = `No provider here can do what this request asks. ${listed}. Choose another model, or leave out what it cannot do.`;
    return new ApiError(400, message, { code: "unsupported_capability", kind: "request" });
  }
  return new NoProviderError(`No provider can take this request. ${rejections.map(({ why }) => why).join("; ")}.`);
}
