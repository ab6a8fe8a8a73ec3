"""`AnthropicBackend`: Anthropic's API, or a compatible server."""

from collections.abc import Mapping
from dataclasses import replace
import re
from typing import Any, override

import aiohttp

from ...dialects.anthropic.hosted_tools import LIMITED, kind_of
from ...dialects.anthropic.model_traits import Traits
from ...dialects.anthropic.native_response import NativeMessagesTranslator
from ...dialects.anthropic.upstream_request import CONSERVATIVE_VERSION, SAMPLING, max_tokens, translate
from ...dialects.anthropic.upstream_response import AnthropicTranslator
from ...dialects.extras import PARAMETERS
from ...dialects.images import Image, web_images
from ...dialects.openai.message_forms import with_user_last
from ...dialects.openai.text_completions import as_chat
from ...protocol.errors import ApiError, InvalidRequestError, NotFoundError, PermissionDeniedError, QuotaError
from ...protocol.hosted_tools import HostedDialect, HostedTools
from ...protocol.models import MAX_MODELS, ModelInfo
from ...protocol.reasons import status_reason
from ...protocol.record import Capability, Cost, Placement
from ...protocol.request import Kind, Request
from ...protocol.status import Health
from ...protocol.values import clean, mapping
from ..answer_errors import no_audio, no_images
from ..answers import TextAnswer
from ..base import Answer, BackendInfo, Endpoint, Timeouts
from ..dialect_backend import DialectBackend, DialectUpstream, NativeAnswer
from ..media import ImageGate
from ..rejected_params import RejectedParams

BASE_URL = "https://api.anthropic.com/v1"
CLOUD_TIMEOUTS = Timeouts(connect=10.0, between_tokens=120.0)
_PAGE = 1000
_MAX_PAGES = 10
_UNSUPPORTED = re.compile(
    r"deprecated|not (?:be )?(?:supported|permitted|allowed|both)|unsupported|extra inputs|cannot both|expected", re.IGNORECASE
)
_OPTIONAL = (*SAMPLING, "thinking", *PARAMETERS)
_PREFILL = "prefill"
"""Recorded like a rejected parameter: the model does not continue an answer."""


def anthropic_info(backend_id: str, name: str, **changes: Any) -> BackendInfo:
    """The default description of such a backend: in the cloud and metered. `changes` override fields."""
    can = frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.TOOLS, Capability.VISION, Capability.JSON})
    info = BackendInfo(backend_id, name, can, cost=Cost.METERED, placement=Placement.CLOUD)
    return replace(info, **changes)


class _AnthropicUpstream(DialectUpstream):
    """Sends the key in Anthropic's header and maps errors whose HTTP status is ambiguous."""

    @override
    def credentials(self, key: str) -> dict[str, str]:
        return {"x-api-key": key}  # the API prefers it to a bearer token, and proxies support only it

    @override
    def error(self, err: ApiError) -> ApiError:
        words = err.log_text.lower()
        if isinstance(err, InvalidRequestError) and "credit balance" in words:
            # The account has no credit, which the older API version reports with a 400.
            return err.as_type(QuotaError, f"the provider {status_reason(402)}")
        if isinstance(err, InvalidRequestError) and "prompt is too long" in words:
            return err.as_type(InvalidRequestError, code="context_length_exceeded", param="messages")
        if isinstance(err, PermissionDeniedError) and "model" in words:
            # The key is valid, but not for this model.
            return err.as_type(NotFoundError, code="model_not_found", param="model")
        return err


class AnthropicBackend(DialectBackend[_AnthropicUpstream]):
    """Claude models."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        info: BackendInfo,
        endpoint: Endpoint,
        *,
        timeouts: Timeouts | None = None,
        version: str = CONSERVATIVE_VERSION,
        gate: ImageGate | None = None,
    ) -> None:
        """`version`: the `anthropic-version` header; `gate` fetches images that Anthropic does not (plain http)."""
        headers = {"anthropic-version": version}
        upstream = _AnthropicUpstream(session, endpoint, name=info.name, timeouts=timeouts or CLOUD_TIMEOUTS, headers=headers)
        super().__init__(info, upstream, gate)
        self._version = version
        self._traits: dict[str, Traits] = {}
        self._rejected = RejectedParams()

    @override
    async def health(self) -> Health:
        """The models list, limited to one entry: it is free and requires the key."""
        await self._upstream.get_json("/models?limit=1")
        return Health(provider="anthropic")

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        found: dict[str, Traits] = {}
        after = ""
        for _ in range(_MAX_PAGES):
            page = mapping(await self._upstream.get_json(f"/models?limit={_PAGE}{after}"))
            listed = page.get("data")
            for model in listed if isinstance(listed, list) else ():
                if isinstance(model, Mapping) and (model_id := clean(model.get("id") or "")) and len(found) < MAX_MODELS:
                    found[model_id] = Traits.parse(model)
            last = page.get("last_id")
            if page.get("has_more") is not True or not isinstance(last, str) or not re.fullmatch(r"[\w.:-]{1,255}", last):
                break
            after = f"&after_id={last}"
        self._traits = found
        return tuple(traits.info(model) for model, traits in found.items())

    @override
    async def send(self, request: Request) -> Answer:
        if request.kind is Kind.EMBEDDINGS:
            raise NotFoundError(f"{self._info.name} has no embedding models.", code="model_not_found", param="model")
        if request.kind.is_audio:
            raise no_audio(self._info.name, request.kind)
        if request.kind.makes_images:
            raise no_images(self._info.name)
        if request.kind is Kind.COMPLETION:
            return TextAnswer(await self._chat(as_chat(request)))
        return await self._chat(request)

    @property
    @override
    def hosted_dialects(self) -> frozenset[HostedDialect]:
        return frozenset({HostedDialect.MESSAGES})

    async def _pass_on(self, request: Request, hosted: HostedTools) -> Answer:
        """Send a request with hosted tools as the client sent it. Parameters that the model rejects are left out."""
        traits = self._traits.get(request.model) or Traits.by_name(request.model)
        limit = max_tokens(request.body, traits, stream=request.stream)
        body = {**hosted.body, "model": request.model, "stream": request.stream, "max_tokens": limit}
        if (mapping(body.get("thinking")).get("budget_tokens") or 0) >= limit:  # the budget of the caller has reduced the limit
            del body["thinking"]
        if (most := hosted.most_calls) is not None:
            limited = (
                {**tool, "max_uses": min(most, tool.get("max_uses") or most)} if kind_of(tool) in LIMITED else tool
                for tool in body["tools"]
            )
            body["tools"] = list(limited)
        while True:
            translator = NativeMessagesTranslator(request.model, self._upstream.secrets)
            try:
                return await self._upstream.translate(
                    "/messages",
                    body,
                    translator,
                    stream=request.stream,
                    max_bytes=request.answer_bytes,
                    headers=hosted.headers,
                    kind=NativeAnswer,
                )
            except InvalidRequestError as err:
                rejected = _rejected_param(err, body)
                if rejected is None or rejected == _PREFILL:
                    raise
                del body[rejected]

    async def _chat(self, request: Request) -> Answer:
        if request.hosted is not None and request.hosted.dialect is HostedDialect.MESSAGES:
            return await self._pass_on(request, request.hosted)
        traits = self._traits.get(request.model) or Traits.by_name(request.model)
        images = await self._images(request)
        without = self._rejected.of(request.model)
        betas = True
        while True:
            if _PREFILL in without:
                request = request.with_body(messages=with_user_last(request.body["messages"]))
            translated = translate(request, traits, self._version, images)
            headers = {"anthropic-beta": ",".join(translated.betas)} if translated.betas and betas else {}
            body = {key: value for key, value in translated.body.items() if key not in without}
            translator = AnthropicTranslator(
                request.model,
                json_tool=translated.json_tool,
                usage=not request.stream or mapping(request.body.get("stream_options")).get("include_usage") is True,
                secrets=self._upstream.secrets,
            )
            try:
                return await self._upstream.translate(
                    "/messages", body, translator, stream=request.stream, max_bytes=request.answer_bytes, headers=headers
                )
            except InvalidRequestError as err:
                if traits.structured and "format" in body.get("output_config", {}) and _is_about_schema(err):
                    traits = replace(traits, structured=False)  # a tool accepts any schema
                    continue
                if not traits.signs and "signature" in err.message:
                    traits = replace(traits, signs=True)  # a Claude model under another name
                    continue
                if headers and "beta" in err.message:
                    betas = False  # an unknown name; what needs it is refused next, and left out
                    continue
                rejected = _rejected_param(err, body)
                if rejected is None:
                    raise
                without |= {rejected}
                if rejected in (*SAMPLING, _PREFILL):
                    self._rejected.add(request.model, frozenset({rejected}))

    async def _images(self, request: Request) -> dict[str, Image]:
        """The images that Anthropic does not fetch itself."""
        plain = [(url, where) for url, where in web_images(request) if not url.startswith("https://")]
        return await self._gate.fetch_all(plain)


def _rejected_param(err: InvalidRequestError, body: Mapping[str, Any]) -> str | None:
    """The optional parameter that this model rejects according to the error, else None."""
    if "prefill" in err.message and body["messages"][-1]["role"] == "assistant":
        return _PREFILL
    if not _UNSUPPORTED.search(err.message):
        return None
    return next((param for param in _OPTIONAL if param in body and param in err.message), None)


def _is_about_schema(err: InvalidRequestError) -> bool:
    """Whether structured output does not support the schema (open objects, bounds of numbers)."""
    return "output_config" in err.message or "schema" in err.message.lower()
