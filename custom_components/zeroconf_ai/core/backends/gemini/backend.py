"""`GeminiBackend`: Google's Gemini API, or a compatible server."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
import re
from typing import Any, override
from urllib.parse import quote

import aiohttp
import orjson

from ...dialects.gemini.image_generation import image_body, image_list, image_of
from ...dialects.gemini.model_traits import Traits, entries
from ...dialects.gemini.signatures import SignatureMemory
from ...dialects.gemini.upstream_request import embedding_batches, translate
from ...dialects.gemini.upstream_response import GeminiTranslator
from ...dialects.images import web_images
from ...dialects.openai.embeddings import embedding_list, texts, wants_base64
from ...dialects.openai.text_completions import as_chat
from ...protocol.chunks import Chunk
from ...protocol.errors import ApiError, InvalidRequestError, NotFoundError, PermissionDeniedError, QuotaError, StreamBrokenError
from ...protocol.hosted_tools import HostedDialect
from ...protocol.models import MAX_MODELS, ModelInfo
from ...protocol.reasons import status_reason
from ...protocol.record import Capability, Cost, Placement
from ...protocol.request import Kind, Request
from ...protocol.status import Health
from ...protocol.values import mapping, parse_count
from ..answer_errors import no_audio, no_images
from ..answers import TextAnswer
from ..base import Answer, BackendInfo, Endpoint, ImageEdits, StaticAnswer, Timeouts
from ..dialect_backend import DialectBackend, DialectUpstream
from ..media import ImageGate
from ..rejected_params import RejectedParams

BASE_URL = "https://generativelanguage.googleapis.com/v1beta"
CLOUD_TIMEOUTS = Timeouts(connect=10.0, between_tokens=120.0)
_PAGE = 1000
_MAX_PAGES = 10

_MODEL = re.compile(r"(?:[A-Za-z0-9_][\w.:@-]*)(?:/[A-Za-z0-9_][\w.:@-]*)*", re.ASCII)
"""A model's id, of which no segment begins with a dot: it becomes a part of the path."""
_REJECTED = re.compile(
    r"not (?:be )?(?:supported|enabled|allowed)|unsupported|unknown name|invalid|must be|deprecated", re.IGNORECASE
)
_OPTIONAL: Mapping[str, re.Pattern[str]] = {
    name: re.compile(words, re.IGNORECASE)
    for name, words in {
        "thinkingConfig": r"thinking|thought",
        "temperature": r"temperature",
        "topP": r"top_?p\b",
        "topK": r"top_?k\b",
        "presencePenalty": r"penalty",
        "frequencyPenalty": r"penalty",
        "seed": r"\bseed\b",
        "mediaResolution": r"media_?resolution",
    }.items()
}
"""Generation parameters that may be removed without changing what is requested, and the words by which errors name them."""


def gemini_info(backend_id: str, name: str, **changes: Any) -> BackendInfo:
    """The default description of such a backend: in the cloud and metered. `changes` override fields."""
    info = BackendInfo(backend_id, name, frozenset(Capability), cost=Cost.METERED, placement=Placement.CLOUD)
    return replace(info, **changes)


class _GeminiUpstream(DialectUpstream):
    """Sends the key in Google's header, and maps errors whose HTTP status is ambiguous."""

    @override
    def credentials(self, key: str) -> dict[str, str]:
        return {"x-goog-api-key": key}  # never in the URL, where logs of proxies would contain it

    @override
    def error(self, err: ApiError) -> ApiError:
        words = err.log_text.lower()
        if isinstance(err, InvalidRequestError) and "location is not supported" in words:
            return err.as_type(PermissionDeniedError, f"the provider {status_reason(403)}")
        if isinstance(err, InvalidRequestError) and "billing" in words:
            return err.as_type(QuotaError, f"the provider {status_reason(402)}")
        if isinstance(err, InvalidRequestError) and "exceeds the maximum number of tokens" in words:
            return err.as_type(InvalidRequestError, code="context_length_exceeded", param="messages")
        return err


class GeminiBackend(DialectBackend[_GeminiUpstream]):
    """Gemini and Gemma models."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        info: BackendInfo,
        endpoint: Endpoint,
        *,
        timeouts: Timeouts | None = None,
        gate: ImageGate | None = None,
    ) -> None:
        """`endpoint`'s URL ends with the API's version; `gate` fetches images by URL, which the API accepts by value only."""
        upstream = _GeminiUpstream(session, endpoint, name=info.name, timeouts=timeouts or CLOUD_TIMEOUTS)
        super().__init__(info, upstream, gate)
        self._signatures = SignatureMemory()
        self._traits: dict[str, Traits] = {}
        self._rejected = RejectedParams()

    @property
    @override
    def hosted_dialects(self) -> frozenset[HostedDialect]:
        return frozenset({HostedDialect.GEMINI})

    @property
    @override
    def image_edits(self) -> ImageEdits:
        return ImageEdits.WITHOUT_MASK

    @override
    async def health(self) -> Health:
        """The models list, limited to one entry: it is free and requires the key."""
        await self._upstream.get_json("/models?pageSize=1")
        return Health(provider="gemini")

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        found: dict[str, Traits] = {}
        after = ""
        for _ in range(_MAX_PAGES):
            page = mapping(await self._upstream.get_json(f"/models?pageSize={_PAGE}{after}"))
            found |= dict(filter(None, map(Traits.parse, entries(page)[: MAX_MODELS - len(found)])))
            token = page.get("nextPageToken")
            if not isinstance(token, str) or not token or len(found) >= MAX_MODELS:
                break
            after = f"&pageToken={quote(token, safe='')}"
        self._traits = found
        return tuple(traits.info(model) for model, traits in found.items())

    @override
    async def send(self, request: Request) -> Answer:
        if request.kind.is_audio:
            raise no_audio(self._info.name, request.kind)
        if request.kind.makes_images:
            return await self._make_images(request)
        if request.kind is Kind.EMBEDDINGS:
            return await self._embed(request)
        if request.kind is Kind.COMPLETION:
            return TextAnswer(await self._chat(as_chat(request)))
        return await self._chat(request)

    async def _chat(self, request: Request) -> Answer:
        model = request.model.removeprefix("models/")
        traits = self._traits.get(model) or Traits.by_name(model)
        translated = translate(request, traits, self._signatures, await self._gate.fetch_all(web_images(request)))
        method = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        path = f"{_path(model)}:{method}"
        config = translated.body.get("generationConfig", {})
        for name in self._rejected.of(model):
            config.pop(name, None)
        while True:
            translator = GeminiTranslator(
                request.model,
                self._signatures,
                json_tool=translated.json_tool,
                one_call=translated.one_call,
                usage=not request.stream or mapping(request.body.get("stream_options")).get("include_usage") is True,
                secrets=self._upstream.secrets,
            )
            try:
                return await self._upstream.translate(
                    path, translated.body, translator, stream=request.stream, max_bytes=request.answer_bytes
                )
            except InvalidRequestError as err:
                if not (rejected := _rejected_params(err, config)):
                    raise
            for name in rejected:
                del config[name]
            self._rejected.add(model, rejected)

    async def _make_images(self, request: Request) -> Answer:
        """Generate all images in parallel, one request for each. The first failure cancels the other requests."""
        model = request.model.removeprefix("models/")
        if not (self._traits.get(model) or Traits.by_name(model)).images:
            raise no_images(self._info.name)
        path, body = f"{_path(model)}:generateContent", image_body(request)
        makers = [
            GeminiTranslator(request.model, self._signatures, secrets=self._upstream.secrets) for _ in range(_count(request))
        ]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._make_image(path, body, maker)) for maker in makers]
        except* ApiError as failed:
            raise next(err for err in failed.exceptions if isinstance(err, ApiError)) from None
        known = [maker.usage for maker in makers if maker.usage is not None]
        total = sum(known[1:], known[0]) if known else None
        return StaticAnswer(Chunk.of(image_list([task.result() for task in tasks], total)))

    async def _make_image(self, path: str, body: Mapping[str, Any], translator: GeminiTranslator) -> str:
        """The base64 of one image."""
        answer = await self._upstream.translate(path, body, translator, stream=False)
        try:
            return image_of((await answer.completion()).data, self._info.name)
        finally:
            await answer.close()

    async def _embed(self, request: Request) -> Answer:
        base64 = wants_base64(request)
        path = f"{_path(request.model.removeprefix('models/'))}:batchEmbedContents"
        pages: list[Mapping[str, Any]] = []
        for body in embedding_batches(request):
            answer = await self._upstream.post(path, orjson.dumps(body), stream=False)
            try:
                pages.append((await answer.completion()).data)
            finally:
                await answer.close()
        vectors = [mapping(entry).get("values") for page in pages for entry in _embeddings(page)]
        found = [vector for vector in vectors if isinstance(vector, list)]
        if len(found) != len(texts(request)):
            raise StreamBrokenError(f"{self._info.name} did not return one embedding for each input")
        counted = sum(parse_count(mapping(page.get("usageMetadata")).get("promptTokenCount")) for page in pages)
        try:
            listed = embedding_list(found, request.model, counted or request.estimated_prompt_tokens, base64=base64)
        except ValueError as err:
            message = f"{self._info.name} sent an embedding that cannot be read"
            raise StreamBrokenError(message, log_text=f"{message}: {err}") from None
        if not counted:
            listed["usage"]["estimated"] = True
        return StaticAnswer(Chunk.of(listed))


def _count(request: Request) -> int:
    """The number of images that a request is for, from 1 to 10."""
    count: int = request.body.get("n") or 1
    return count


def _path(model: str) -> str:
    """The path of a model. Raises NotFoundError for an id that would lead to another path."""
    if not _MODEL.fullmatch(model):
        raise NotFoundError("Gemini has no model with this id.", code="model_not_found", param="model")
    return f"/{model}" if model.startswith("tunedModels/") else f"/models/{model}"


def _embeddings(page: Mapping[str, Any]) -> list[Any]:
    listed = page.get("embeddings")
    return listed if isinstance(listed, list) else []


def _rejected_params(err: InvalidRequestError, config: Mapping[str, Any]) -> frozenset[str]:
    """The optional parameters that the model rejects according to the error."""
    if not _REJECTED.search(err.message):
        return frozenset()
    return frozenset(name for name, words in _OPTIONAL.items() if name in config and words.search(err.message))
