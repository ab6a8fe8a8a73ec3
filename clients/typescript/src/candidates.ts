// The providers that may answer a request, in order, and why the others may not (docs/protocol.md, section 3, rules 1 to 5 and 8).

import { ApiError, NoProviderError } from "./errors.ts";
import { AUTO, findModel, isAny, nameKey, ranked, spellings, splits, supports } from "./models.ts";
import type { Provider } from "./provider.ts";
import type { Capability } from "./record.ts";
import type { Request } from "./request.ts";

/** Capabilities that a provider may omit in its record although one of its models has them. */
const MODEL_NEEDS: readonly Capability[] = ["vision", "embeddings", "audio"];

/** A provider, and the id of the model that would answer there. */
export interface Candidate {
  readonly provider: Provider;
  readonly model: string;
}

/** A model id or `auto`, of one provider or of any. */
interface Target {
  readonly model: string;
  readonly provider?: Provider;
}

/** Throws ApiError if no candidate is left. */
export function candidates(providers: readonly Provider[], request: Request, session?: Candidate): Candidate[] {
  const found: Candidate[] = [];
  const rejections: string[] = [];
  let served = false;
  for (const { model, provider } of targetsOf(providers, request.model)) {
    for (const one of provider === undefined ? providers : [provider]) {
      const chosen = choose(one, model, request, provider !== undefined);
      served ||= chosen.model !== undefined || chosen.served;
      if (chosen.model === undefined) rejections.push(`${one.name}: ${chosen.why}`);
      else found.push({ provider: one, model: chosen.model });
    }
  }
  if (found.length === 0) throw noCandidate(request, rejections, served);
  const ready = found.filter(({ provider }) => provider.notNow === undefined);
  const own = ready.find(({ provider }) => provider === session?.provider);
  const sorted = (ready.length > 0 ? ready : found).sort((one, other) => compare(one.provider, other.provider));
  return own === undefined
    ? sorted
    : [ofSession(own, session, request), ...sorted.filter((candidate) => candidate !== own)];
}

/** A session stays with its model too, if any may answer. */
function ofSession(own: Candidate, session: Candidate | undefined, request: Request): Candidate {
  if (session === undefined || !isAny(request.model)) return own;
  const kept = choose(own.provider, session.model, request, false).model;
  return kept === undefined ? own : { provider: own.provider, model: kept };
}

/** Those with a free place first, then by priority; among equal ones by state, load, and whose turn it is. */
function compare(one: Provider, other: Provider): number {
  const key = (provider: Provider) => {
    const full = provider.load >= 1 ? 1 : 0;
    return [full, provider.priority, provider.state === "degraded" ? 1 : 0, provider.load, provider.lastUsed];
  };
  const [mine, theirs] = [key(one), key(other)];
  const at = mine.findIndex((value, index) => value !== theirs[index]);
  return at < 0 ? 0 : (mine[at] ?? 0) - (theirs[at] ?? 0);
}

/** A model with this exact id precedes a model of one provider (`provider/model`), that an equivalent id, and that a provider's id or name. */
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

type Choice =
  { readonly model: string } | { readonly model?: undefined; readonly why: string; readonly served: boolean };

/** The model that would answer there, or why none can. A pinned provider is used as requested. */
function choose(provider: Provider, requested: string, request: Request, pinned: boolean): Choice {
  const needs = new Set([...request.needs].filter((capability) => capability !== "json"));
  const cannot = (missing: Iterable<string>, what = "cannot do"): Choice => {
    return { why: `${what} ${[...missing].sort().join(", ")}`, served: true };
  };
  const { capabilities } = provider;
  if (capabilities !== undefined && !pinned) {
    const missing = [...needs].filter(
      (capability) => !capabilities.has(capability) && !MODEL_NEEDS.includes(capability),
    );
    if (missing.length > 0) return cannot(missing);
  }
  const fits = (window: number | undefined) =>
    window === undefined || needs.has("embeddings") || request.estimatedTokens <= window;
  const tooLong: Choice = {
    why: `the prompt of about ${request.estimatedTokens} tokens exceeds its context window`,
    served: true,
  };
  if (requested === AUTO) {
    const able = ranked(provider.models, needs);
    const model = able.find(({ contextWindow }) => fits(contextWindow));
    if (model !== undefined) return { model: model.id };
    if (able.length > 0) return tooLong;
    const why = provider.models.length === 0 ? "its models are not known" : "has no model that can do this";
    return { why, served: provider.models.length > 0 };
  }
  const found = findModel(provider.models, requested);
  if (found === undefined) {
    // One that was never reached or has no list may serve the model, and the list of a pinned one may be incomplete.
    const unknown = !provider.listsModels || provider.neverOnline || pinned;
    return unknown ? { model: requested } : { why: `does not serve ${requested}`, served: false };
  }
  const needed = pinned ? [...needs].filter((capability) => MODEL_NEEDS.includes(capability)) : [...needs];
  if (!supports(found, needed)) {
    return cannot(
      needed.filter((capability) => !found.capabilities?.has(capability)),
      `its model ${found.id} cannot do`,
    );
  }
  return fits(found.contextWindow) ? { model: found.id } : tooLong;
}

function noCandidate(request: Request, rejections: readonly string[], served: boolean): ApiError {
  const details = rejections.join("; ");
  if (rejections.length === 0) return new NoProviderError("No provider is known.");
  if (isAny(request.model) && !served) return new NoProviderError(`No provider could answer. ${details}.`);
  if (!served) {
    return new ApiError(404, `No provider serves the model ${request.model}. ${details}.`, {
      code: "model_not_found",
      param: "model",
    });
  }
  return new ApiError(400, `No provider can answer this request. ${details}.`, {
    code: "unsupported_capability",
    kind: "request",
  });
}
