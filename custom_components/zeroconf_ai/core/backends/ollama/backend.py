"""`OllamaBackend`: an Ollama server with its native API."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
import time
from typing import Any, override

import aiohttp
import orjson

from ...dialects.images import web_images
from ...dialects.ollama.keep_alive import parse_keep_alive
from ...dialects.ollama.upstream_request import translate, translate_completion
from ...dialects.ollama.upstream_response import GenerateTranslator, OllamaTranslator
from ...dialects.openai.cache_control import without_cache_marks
from ...dialects.openai.embeddings import embedding_list, texts, wants_base64
from ...dialects.openai.text_completions import as_chat
from ...protocol.chunks import Chunk
from ...protocol.errors import ApiError, InvalidRequestError, StreamBrokenError, UpstreamError
from ...protocol.image_requests import has_images
from ...protocol.models import MAX_MODELS, ModelInfo
from ...protocol.record import Capability
from ...protocol.request import Kind, Request
from ...protocol.status import Health, ProviderStatus, Queue
from ...protocol.values import clean, mapping, parse_count
from ..answer_errors import no_audio
from ..answers import TextAnswer
from ..base import Answer, BackendInfo, Endpoint, ReleasingAnswer, StaticAnswer, Timeouts
from ..dialect_backend import DialectBackend, DialectUpstream
from ..media import ImageGate
from ..model_control import ModelControl
from .context import ContextSizes
from .model_control import OllamaModels

BASE_URL = "http://localhost:11434"
LOCAL_TIMEOUTS = Timeouts(first_token=120.0)
"""Ollama sends nothing while it loads a model; large ones take one or two minutes from a disk."""

_CAPABILITIES: Mapping[str, frozenset[Capability]] = {
    "completion": frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.JSON}),
    "tools": frozenset({Capability.TOOLS}),
    "vision": frozenset({Capability.VISION}),
    "audio": frozenset({Capability.AUDIO}),
    "embedding": frozenset({Capability.EMBEDDINGS}),
    "image": frozenset({Capability.IMAGE_GENERATION}),
}
_MAX_PARALLEL_SHOW = 4


@dataclass(frozen=True, slots=True)
class OllamaOptions:
    """The configurable options."""

    num_ctx: int | None = None
    """Context window in tokens for every model; None: as large as the prompts require."""
    keep_alive: str | float | None = None
    """How long a model stays loaded: seconds, "10m", -1: always; None: the server's default."""
    max_concurrent: int = 0
    """The server's OLLAMA_NUM_PARALLEL, which its API does not report; 0: unknown."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """The used values of `/api/show`; None: not reported."""

    capabilities: frozenset[str] | None = None
    context_window: int | None = None


class OllamaBackend(DialectBackend[DialectUpstream]):
    """An Ollama server."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        info: BackendInfo,
        endpoint: Endpoint,
        *,
        timeouts: Timeouts | None = None,
        options: OllamaOptions | None = None,
        gate: ImageGate | None = None,
    ) -> None:
        """`endpoint` is the server's root (a trailing `/v1` or `/api` is removed); `gate` fetches images by URL."""
        root = replace(endpoint, base_url=endpoint.base_url.rstrip("/").removesuffix("/v1").removesuffix("/api"))
        super().__init__(info, DialectUpstream(session, root, name=info.name, timeouts=timeouts or LOCAL_TIMEOUTS), gate)
        self._options = options or OllamaOptions()
        self._contexts = ContextSizes(self._options.num_ctx)
        self._shown: dict[str, _Shown] = {}
        """By model and digest: the values change only with the digest."""
        self._digests: dict[str, str] = {}
        self._active = 0
        self._memory: int | None = None
        """Graphics memory of the loaded models in bytes, as of the last look; None: not reported."""

    @property
    @override
    def model_control(self) -> ModelControl:
        return OllamaModels(self._upstream, lambda model: self._contexts.usual(model, self._known(model).context_window))

    @override
    async def health(self) -> Health:
        answer = mapping(await self._upstream.get_json("/api/version"))
        if "version" not in answer:
            raise UpstreamError(f"{self._info.name} answers, but is not an Ollama server.")
        return Health(provider="ollama", version=clean(answer["version"], 64) or None)

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        listed = _entries(await self._upstream.get_json("/api/tags"))
        self._digests = {name: str(entry.get("digest") or "") for name, entry in listed.items()}
        keys = {f"{name}@{digest}" for name, digest in self._digests.items()}
        self._shown = {key: shown for key, shown in self._shown.items() if key in keys}
        loaded, _ = await asyncio.gather(self._loaded(), self._show_all())
        return tuple(self._model(name, warm=name in loaded) for name in listed)

    def _model(self, name: str, *, warm: bool) -> ModelInfo:
        """A model; its context window is the configured one: Ollama cuts a longer prompt off without an error."""
        shown = self._known(name)
        if (fixed := self._options.num_ctx) is not None:
            shown = replace(shown, context_window=min(fixed, shown.context_window or fixed))
        return _info(name, shown, warm=warm)

    @override
    async def status(self) -> ProviderStatus:
        """The loaded models, and the number of own requests: Ollama does not report its queue."""
        loaded = await self._loaded()
        limit = self._options.max_concurrent
        active = min(self._active, limit) if limit else self._active
        return ProviderStatus(
            queue=Queue(depth=self._active - active, active=active, max_concurrent=limit),
            warm_models=frozenset(loaded),
            graphics_memory=self._memory,
        )

    @override
    async def send(self, request: Request) -> Answer:
        if request.kind.is_audio:
            raise no_audio(self._info.name, request.kind)
        self._active += 1
        try:
            if request.kind is Kind.IMAGES:
                answer: Answer = await self._make_images(request)
            elif request.kind is Kind.EMBEDDINGS:
                answer = await self._embed(request)
            elif request.kind is Kind.COMPLETION and (request.body.get("suffix") or request.body.get("raw") is True):
                answer = TextAnswer(await self._complete(request))
            elif request.kind is Kind.COMPLETION:
                answer = TextAnswer(await self._chat(as_chat(request)))
            else:
                answer = await self._chat(request)
        except BaseException:
            self._done()
            raise
        return ReleasingAnswer(answer, self._done)

    async def _make_images(self, request: Request) -> Answer:
        """Generate all images in sequence: Ollama's OpenAI-compatible API makes one image for each request, as base64."""
        body = {name: request.body[name] for name in ("model", "prompt", "size") if name in request.body}
        raw = orjson.dumps(body | {"response_format": "b64_json"})
        made: list[Any] = []
        for _ in range(request.body.get("n") or 1):
            answer = await self._upstream.post("/v1/images/generations", raw, stream=False)
            try:
                data = (await answer.completion()).data
            finally:
                await answer.close()
            if not has_images(data):
                raise StreamBrokenError(f"{self._info.name} answered without an image")
            made += data["data"]
        return StaticAnswer(Chunk.of({"created": int(time.time()), "data": made}))

    def _done(self) -> None:
        self._active -= 1

    async def _chat(self, request: Request) -> Answer:
        translated = translate(without_cache_marks(request), await self._gate.fetch_all(web_images(request)))
        make = partial(OllamaTranslator, forced_tool=translated.forced_tool, one_call=translated.one_call)
        return await self._ask("/api/chat", request, translated.body, make)

    async def _complete(self, request: Request) -> Answer:
        """A text completion that no chat can replace: with text after the gap, or without the model's template."""
        return await self._ask("/api/generate", request, translate_completion(request), GenerateTranslator)

    async def _ask(self, path: str, request: Request, body: dict[str, Any], make: Callable[..., OllamaTranslator]) -> Answer:
        """Send a translated request; `make` makes the translator of its answer."""
        shown = self._known(request.model)
        if shown.capabilities is not None and "thinking" not in shown.capabilities:
            body.pop("think", None)  # models without thinking reject it
        size = self._contexts.wanted(request, shown.context_window)
        if size is not None:
            body["options"] = {**body.get("options", {}), "num_ctx": size}
        self._add_keep_alive(body, request)
        while True:
            translator = make(
                request.model,
                prompt_estimate=request.estimated_prompt_tokens,
                usage=not request.stream or mapping(request.body.get("stream_options")).get("include_usage") is True,
                secrets=self._upstream.secrets,
            )
            try:
                return await self._upstream.translate(
                    path, body, translator, stream=request.stream, max_bytes=request.answer_bytes
                )
            except InvalidRequestError as err:
                if "think" not in body or "think" not in err.message:
                    raise
                del body["think"]  # the model has no thinking, or no levels of it: answer without

    async def _embed(self, request: Request) -> Answer:
        base64 = wants_base64(request)
        body: dict[str, Any] = {"model": request.model, "input": texts(request)}
        if (dimensions := request.body.get("dimensions")) is not None:
            body["dimensions"] = dimensions
        if options := mapping(request.body.get("options")):
            body["options"] = options
        self._add_keep_alive(body, request)
        answer = await self._upstream.post("/api/embed", orjson.dumps(body), stream=False)
        try:
            parsed = (await answer.completion()).data
        finally:
            await answer.close()
        vectors = parsed.get("embeddings")
        if not isinstance(vectors, list) or len(vectors) != len(body["input"]):
            raise UpstreamError(f"{self._info.name} did not return one embedding for each input.")
        tokens = parse_count(parsed["prompt_eval_count"]) if "prompt_eval_count" in parsed else request.estimated_prompt_tokens
        try:
            listed = embedding_list(vectors, request.model, tokens, base64=base64)
        except ValueError as err:
            message = f"{self._info.name} sent an embedding that cannot be read"
            raise UpstreamError(message, log_text=f"{message}: {err}") from None
        return StaticAnswer(Chunk.of(listed))

    def _add_keep_alive(self, body: dict[str, Any], request: Request) -> None:
        own = parse_keep_alive(request.body.get("keep_alive"))
        keep_alive = parse_keep_alive(self._options.keep_alive) if own is None else own
        if keep_alive is not None:
            body["keep_alive"] = keep_alive

    def _known(self, model: str) -> _Shown:
        name = model if model in self._digests else f"{model}:latest"
        return self._shown.get(f"{name}@{self._digests.get(name)}", _Shown())

    async def _loaded(self) -> set[str]:
        """The names of the loaded models."""
        entries = _entries(await self._upstream.get_json("/api/ps"))
        sizes = {name: parse_count(entry.get("context_length")) for name, entry in entries.items()}
        self._contexts.set_loaded({name: size for name, size in sizes.items() if size})
        used = [parse_count(entry["size_vram"]) for entry in entries.values() if "size_vram" in entry]
        self._memory = sum(used) if used or not entries else None
        return set(entries)

    async def _show_all(self) -> None:
        """Fetch the details of new models. Those that do not arrive in time are fetched again with the next list."""
        semaphore = asyncio.Semaphore(_MAX_PARALLEL_SHOW)

        async def show(name: str, key: str) -> None:
            async with semaphore:
                try:
                    self._shown[key] = _parse_shown(await self._upstream.ask("/api/show", {"model": name}))
                except ApiError:
                    return

        new = {name: key for name, digest in self._digests.items() if (key := f"{name}@{digest}") not in self._shown}
        try:
            async with asyncio.timeout(2 * self._upstream.timeouts.probe):
                await asyncio.gather(*(show(name, key) for name, key in new.items()))
        except TimeoutError:
            return


def _entries(body: object) -> dict[str, Mapping[str, Any]]:
    """The models of `/api/tags` or `/api/ps`, by name."""
    listed = mapping(body).get("models")
    entries = (mapping(entry) for entry in (listed[:MAX_MODELS] if isinstance(listed, list) else ()))
    named = ((clean(entry.get("name") or entry.get("model") or ""), entry) for entry in entries)
    return {name: entry for name, entry in named if name}


def _parse_shown(body: object) -> _Shown:
    shown = mapping(body)
    named = shown.get("capabilities")
    capabilities = frozenset(word for word in named if isinstance(word, str)) if isinstance(named, list) else None
    sizes = (parse_count(value) for key, value in mapping(shown.get("model_info")).items() if key.endswith(".context_length"))
    return _Shown(capabilities, max(sizes, default=0) or None)


def _info(name: str, shown: _Shown, *, warm: bool) -> ModelInfo:
    can = None
    if shown.capabilities is not None:
        can = frozenset[Capability]().union(*(_CAPABILITIES.get(word, ()) for word in shown.capabilities)) or None
    return ModelInfo(name, shown.context_window, capabilities=can, warm=warm, owned_by="ollama")


def ollama_info(backend_id: str, name: str, **changes: Any) -> BackendInfo:
    """The default description of such a backend: local and free. `changes` override fields."""
    can = frozenset(Capability) - {Capability.AUDIO}
    return replace(BackendInfo(backend_id, name, can), **changes)
