"""Readers of model lists, one for each kind of server that reports more than OpenAI's list."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ...protocol.addresses import url_parts
from ...protocol.errors import ApiError, AuthenticationError, InvalidRequestError, MethodNotAllowedError, NotFoundError
from ...protocol.models import MAX_MODELS, ModelInfo, parse_models
from ...protocol.prices import CHARACTERS, IMAGE, MILLION, MINUTE, Prices
from ...protocol.record import Capability
from ...protocol.values import NANO, NOTHING, mapping, money, parse_count
from ..audio_paths import AudioPaths
from ..dialect_backend import DialectUpstream

_CHAT = frozenset({Capability.COMPLETION, Capability.STREAMING})
_MAX_PAGES = 20
_NOT_IMPLEMENTED = 501
_EMBEDDING_FLAGS = frozenset({"--embedding", "--embeddings"})


@dataclass(frozen=True, slots=True)
class ApiRoots:
    """`api`: the base URL, which ends in /v1; `root`: the server's root above it."""

    api: DialectUpstream
    root: DialectUpstream
    embeds: dict[str, bool] = field(default_factory=dict)
    """Whether a model of llama.cpp is served for embeddings, as far as that is known."""
    audio: AudioPaths = field(default_factory=AudioPaths)


type ModelsReader = Callable[[ApiRoots], Awaitable[tuple[ModelInfo, ...]]]
"""Raises an ApiError if the server does not list its models."""


async def plain_models(roots: ApiRoots) -> tuple[ModelInfo, ...]:
    """OpenAI's list, with the additions of vLLM (`max_model_len`) and llama.cpp (`meta`)."""
    return parse_models(await roots.api.get_json("/models"))


async def described_models(roots: ApiRoots) -> tuple[ModelInfo, ...]:
    """The same, and what a server that serves nothing but speech says of its paths; it may have no list of models."""
    try:
        listed = await plain_models(roots)
    except (NotFoundError, MethodNotAllowedError):
        if found := await roots.audio.described(roots.api, ()):
            return found
        raise
    return await roots.audio.described(roots.api, listed)


async def openrouter_models(roots: ApiRoots) -> tuple[ModelInfo, ...]:
    """OpenRouter's list, page by page, with prices, limits and capabilities."""
    found: dict[str, ModelInfo] = {}
    query = "?output_modalities=text%2Cembeddings"
    for _ in range(_MAX_PAGES):
        page = mapping(await roots.api.get_json(f"/models{query}"))
        listed = page.get("data")
        for entry in listed if isinstance(listed, list) else ():
            if (model := _openrouter_model(mapping(entry))) is not None and len(found) < MAX_MODELS:
                found[model.id] = model
        following = mapping(page.get("links")).get("next")
        parts = url_parts(following) if isinstance(following, str) else None
        if parts is None or not listed:
            break
        # Only its parameters are used, so that the key is sent to the configured address only.
        next_query = "?" + urlencode(parse_qsl(parts.query))
        if next_query == query:
            break
        query = next_query
    return tuple(found.values())


def _openrouter_model(entry: Mapping[str, Any]) -> ModelInfo | None:
    # `pricing` and `capabilities` have another format than ours.
    model = ModelInfo.parse({key: value for key, value in entry.items() if key not in ("pricing", "capabilities")})
    if model is None:
        return None
    architecture = mapping(entry.get("architecture"))
    can: set[Capability] = set()
    outputs, inputs = _words(architecture.get("output_modalities")), _words(architecture.get("input_modalities"))
    if "embeddings" in outputs:
        can.add(Capability.EMBEDDINGS)
    if "text" in outputs or not outputs:
        can |= _CHAT
        parameters = _words(entry.get("supported_parameters"))
        can |= {Capability.VISION} if "image" in inputs else set()
        can |= {Capability.AUDIO} if "audio" in inputs else set()
        can |= {Capability.TOOLS} if "tools" in parameters else set()
        can |= {Capability.JSON} if parameters & {"structured_outputs", "response_format"} else set()
    pricing = mapping(entry.get("pricing"))
    return replace(
        model,
        capabilities=frozenset(can) or None,
        max_output_tokens=parse_count(mapping(entry.get("top_provider")).get("max_completion_tokens")) or None,
        pricing=_prices(
            input=pricing.get("prompt"),
            output=pricing.get("completion"),
            cached=pricing.get("input_cache_read"),
            reasoning=pricing.get("internal_reasoning"),
            cache_write=pricing.get("input_cache_write"),
        ),
    )


async def litellm_models(roots: ApiRoots) -> tuple[ModelInfo, ...]:
    """OpenAI's list, with prices and limits from `/model/info` if the key may read it."""
    listed = await plain_models(roots)
    try:
        infos = mapping(await roots.root.get_json("/model/info")).get("data")
    except ApiError:
        return listed
    entries = map(mapping, infos if isinstance(infos, list) else ())
    known = {str(entry.get("model_name")): mapping(entry.get("model_info")) for entry in entries}
    return tuple(_litellm_model(model, known.get(model.id)) for model in listed)


def _litellm_model(model: ModelInfo, info: Mapping[str, Any] | None) -> ModelInfo:
    if info is None:
        return model
    can: set[Capability] | None = None
    if info.get("mode") in ("chat", "completion", "responses"):
        can = set(_CHAT)
        flags = {
            "supports_vision": Capability.VISION,
            "supports_function_calling": Capability.TOOLS,
            "supports_audio_input": Capability.AUDIO,
            "supports_response_schema": Capability.JSON,
        }
        # None: LiteLLM does not know the model, so the capability is assumed.
        can |= {capability for flag, capability in flags.items() if info.get(flag) is not False}
    elif info.get("mode") == "embedding":
        can = {Capability.EMBEDDINGS}
    elif info.get("mode") == "image_generation":
        can = {Capability.IMAGE_GENERATION}
    elif info.get("mode") == "audio_transcription":
        can = {Capability.TRANSCRIPTION}
    elif info.get("mode") == "audio_speech":
        can = {Capability.SPEECH}
    return replace(
        model,
        context_window=model.context_window or parse_count(info.get("max_input_tokens")) or None,
        max_output_tokens=model.max_output_tokens or parse_count(info.get("max_output_tokens")) or None,
        capabilities=model.capabilities or (frozenset(can) if can else None),
        pricing=_prices(
            input=info.get("input_cost_per_token"),
            output=info.get("output_cost_per_token"),
            cached=info.get("cache_read_input_token_cost"),
            reasoning=info.get("output_cost_per_reasoning_token"),
            cache_write=info.get("cache_creation_input_token_cost"),
            cache_write_1h=info.get("cache_creation_input_token_cost_above_1hr"),
            characters=info.get("input_cost_per_character"),
            audio=info.get("input_cost_per_audio_token"),
            units=_litellm_units(info),
        ),
    )


def _litellm_units(info: Mapping[str, Any]) -> dict[str, int | None]:
    """What an image and a minute of a recording cost. LiteLLM charges either for the input or for the output."""
    images = ["output_cost_per_image", *(["input_cost_per_image"] if info.get("mode") == "image_generation" else ())]
    seconds = ["output_cost_per_second", "input_cost_per_second"] if info.get("mode") == "audio_transcription" else ()
    return {
        IMAGE: next((price for name in images if (price := money(info.get(name)))), None),
        MINUTE: next((price for name in seconds if (price := _per_minute(info.get(name)))), None),
    }


async def llamacpp_models(roots: ApiRoots) -> tuple[ModelInfo, ...]:
    """OpenAI's list, with the context window, the modalities and the task of the running model."""
    body = await roots.api.get_json("/models")
    listed = parse_models(body)
    try:
        props = mapping(await roots.root.get_json("/props"))
    except AuthenticationError:
        raise  # the list needs no key, everything else does (tools/server/server-http.cpp)
    except ApiError:
        props = {}
    if len(listed) != 1:  # a router of several models, whose props describe none of them
        return tuple(_llamacpp_routed(listed, body))
    (model,) = listed
    if props.get("is_sleeping") is not True and (embeds := await _embeds(roots.api)) is not None:
        roots.embeds[model.id] = embeds  # a sleeping server would be woken by the question
    window = parse_count(mapping(props.get("default_generation_settings")).get("n_ctx"))
    model = replace(model, context_window=window or model.context_window, warm=True if props else model.warm)
    if roots.embeds.get(model.id, not replace(model, capabilities=None).for_chat):
        # The flag restricts a server to this use (tools/server/README.md, "--embedding").
        return (replace(model, capabilities=frozenset({Capability.EMBEDDINGS})),)
    if not props:
        return (model,)
    can = set(_CHAT) | {Capability.TOOLS, Capability.JSON}
    modalities = mapping(props.get("modalities"))
    can |= {Capability.VISION} if modalities.get("vision") is True else set()
    can |= {Capability.AUDIO} if modalities.get("audio") is True else set()
    return (replace(model, capabilities=frozenset(can)),)


async def _embeds(api: DialectUpstream) -> bool | None:
    """Whether a llama.cpp server runs with `--embeddings`, which neither its list nor its props report; None: unknown.

    It checks that before the input, so a request without one, which costs nothing, is a 501 without the flag and a 400 with it
    (`handle_embeddings_impl` in tools/server/server-context.cpp). Without pooling, embeddings have another format than OpenAI's.
    """
    try:
        answer = mapping(await api.ask("/embeddings", {}))
    except InvalidRequestError as err:
        return "pooling" not in err.message.lower()
    except ApiError as err:
        return False if err.upstream_status == _NOT_IMPLEMENTED else None
    return True if isinstance(answer.get("data"), list) else None


def _llamacpp_routed(listed: tuple[ModelInfo, ...], body: object) -> Iterator[ModelInfo]:
    """The models of a router, which reports the state and the arguments of each one's server."""
    data = mapping(body).get("data")
    entries = map(mapping, data if isinstance(data, list) else ())
    states = {str(entry.get("id")): mapping(entry.get("status")) for entry in entries}
    for model in listed:
        status = states.get(model.id, {})
        state = status.get("value")
        embeds = bool(_words(status.get("args")) & _EMBEDDING_FLAGS)
        yield replace(
            model,
            warm=state == "loaded" if isinstance(state, str) else model.warm,
            capabilities=frozenset({Capability.EMBEDDINGS}) if embeds else model.capabilities,
        )


async def lmstudio_models(roots: ApiRoots) -> tuple[ModelInfo, ...]:
    """LM Studio's native list (`/api/v0/models`) with load state, type and context window; OpenAI's if it has none."""
    try:
        body = mapping(await roots.root.get_json("/api/v0/models"))
    except ApiError:
        return await plain_models(roots)
    listed = body.get("data")
    found = (_lmstudio_model(mapping(entry)) for entry in (listed if isinstance(listed, list) else ())[:MAX_MODELS])
    return tuple(model for model in found if model is not None)


def _lmstudio_model(entry: Mapping[str, Any]) -> ModelInfo | None:
    model = ModelInfo.parse({"id": entry.get("id")})
    if model is None:
        return None
    kind = entry.get("type")
    can = {Capability.EMBEDDINGS} if kind == "embeddings" else set(_CHAT) | {Capability.JSON}
    if kind == "vlm":
        can.add(Capability.VISION)
    if kind != "embeddings" and ("tool_use" in _words(entry.get("capabilities")) or "capabilities" not in entry):
        can.add(Capability.TOOLS)
    return replace(
        model,
        context_window=parse_count(entry.get("loaded_context_length")) or parse_count(entry.get("max_context_length")) or None,
        capabilities=frozenset(can),
        warm=entry.get("state") == "loaded",
        owned_by=str(entry.get("publisher") or ""),
    )


def _per_minute(rate: object) -> int | None:
    """The price of a minute in nano-units, from USD per second."""
    return None if (amount := money(rate)) is None or amount >= NANO else round(float(str(rate)) * 60 * NANO)


def _prices(units: Mapping[str, int | None] = NOTHING, **rates: object) -> dict[str, Any] | None:
    """`pricing` of a model in our format, from USD per token (numbers or decimal strings) by class of tokens.

    `units`: nano-units of an image and of a minute.

    None without a price: OpenRouter's -1 means that it depends on the provider that will answer.
    """
    found = {name: _per_million(rate) for name, rate in rates.items()}
    by_unit = {**units, CHARACTERS: found.get(CHARACTERS)}
    if any(by_unit.values()):
        found |= {name: found[name] or 0 for name in ("input", "output")}
    price, answer = found["input"], found["output"]
    if price is None or answer is None:
        return None
    return Prices(
        price,
        answer,
        found["cached"],
        found["reasoning"] or None,  # OpenRouter reports 0 if reasoning tokens cost as much as others
        cache_write=found["cache_write"],
        cache_write_1h=found.get("cache_write_1h"),
        audio=found.get("audio"),
        image=by_unit.get(IMAGE) or None,
        minute=by_unit.get(MINUTE) or None,
        characters=by_unit.get(CHARACTERS) or None,
    ).to_json()


def _per_million(rate: object) -> int | None:
    """The price of a million tokens in nano-units; None if `rate` is not a valid price."""
    amount = money(rate)
    return None if amount is None or amount >= NANO else round(float(str(rate)) * MILLION * NANO)


def _words(value: object) -> set[str]:
    return {word for word in value if isinstance(word, str)} if isinstance(value, list) else set()
