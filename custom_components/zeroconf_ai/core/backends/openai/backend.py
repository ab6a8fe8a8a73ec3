"""`OpenAIBackend`: a server with OpenAI's API, of any flavor."""

from collections.abc import Mapping
from dataclasses import replace
import re
from typing import Any, override

import aiohttp

from ...dialects.openai.cache_control import without_cache_marks, without_extras
from ...dialects.openai.embeddings import texts, wants_base64
from ...dialects.openai.expected import Expected
from ...dialects.openai.reasoning_fields import reasoning_fields, with_both_names, without_reasoning
from ...dialects.parameter_schemas import with_plain_parameters
from ...dialects.reasoning import FIELDS as REASONING
from ...protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    UnavailableError,
    UpstreamError,
)
from ...protocol.hosted_tools import HostedDialect
from ...protocol.models import ModelInfo
from ...protocol.reasons import status_reason
from ...protocol.request import Kind, Request
from ...protocol.status import Health, ProviderStatus
from ...protocol.values import mapping
from ..answers import PackedAnswer
from ..base import Answer, Backend, BackendInfo, Endpoint, ImageEdits, Timeouts
from ..dialect_backend import DialectUpstream
from ..media import ImageGate
from ..message_forms import MessageForms
from ..model_control import ModelControl
from ..rejected_params import RejectedParams
from ..voices import Voices
from .flavors import FOREIGN, Flavor
from .image_answer import ImagesAnswer
from .image_edits import ImageEditor, edit_form
from .listing import ApiRoots
from .load import is_not_offered
from .responses import ResponsesRequests

_OPTIONAL = (
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stream_options", "reasoning_effort", "verbosity",
    "store", "metadata", "service_tier", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prediction",
    "encoding_format", *sorted(FOREIGN - REASONING),
)  # fmt: skip
"""Parameters that may be removed without changing what is requested."""
_OPTIONAL_OF_IMAGES = ("response_format", "style", "moderation", "background", "input_fidelity", "user")
"""The same for images: the GPT image models always answer by value, and reject `response_format`."""
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_REJECTED = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|extra (?:inputs|fields)|not (?:permitted|allowed)|deprecated",
    re.IGNORECASE,
)
_MODELS = "/models"
_REJECTED_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter"})


class _OpenAIUpstream(DialectUpstream):
    """Maps errors of these servers whose status is not enough."""

    @override
    def error(self, err: ApiError) -> ApiError:
        words = err.log_text.lower()
        if isinstance(err, PermissionDeniedError) and ("moderation" in words or "flagged" in words):
            # OpenRouter rejects the prompt, not the key.
            return err.as_type(InvalidRequestError, code="content_policy_violation", param="messages")
        if isinstance(err, PermissionDeniedError) and "does not have access to model" in words:
            return err.as_type(NotFoundError, code="model_not_found", param="model")
        if isinstance(err, InvalidRequestError) and "budget has been exceeded" in words:
            return err.as_type(QuotaError, f"the provider {status_reason(402)}")  # LiteLLM answers with a 400
        if isinstance(err, InvalidRequestError) and "no connected db" in words:
            # LiteLLM without a database rejects every key but its own with this.
            return AuthenticationError("LiteLLM does not accept the API key", upstream_status=400)
        return err


class OpenAIBackend(Backend):
    """OpenAI, OpenRouter, LiteLLM, vLLM, llama.cpp, LM Studio, or a compatible server."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        info: BackendInfo,
        endpoint: Endpoint,
        flavor: Flavor,
        *,
        timeouts: Timeouts | None = None,
        gate: ImageGate | None = None,
    ) -> None:
        """`endpoint`'s URL ends in /v1 or an equivalent path; `gate` fetches images by URL for servers at home."""
        self._info = info
        self._health_with_key = flavor.health_with_key or bool(endpoint.headers)  # a proxy before it may require them
        self._gate = gate or ImageGate()
        self._flavor = flavor
        api, root = (
            _OpenAIUpstream(
                session,
                replace(endpoint, base_url=url),
                name=info.name,
                timeouts=timeouts or flavor.timeouts,
                headers=flavor.headers,
            )
            for url in (endpoint.base_url, endpoint.base_url.rstrip("/").removesuffix("/v1"))
        )
        self._roots = ApiRoots(api, root)
        self._offers_load = flavor.load is not None
        self._forms = MessageForms(flavor.least_form)
        self._native = ResponsesRequests(api, offered=flavor.responses, fetches_images=flavor.fetches_images)
        self._rejected = RejectedParams()
        self._editor = ImageEditor(root)
        self._voices = Voices()

    @override
    def __repr__(self) -> str:
        """Id, flavor and address."""
        return f"<OpenAIBackend {self._info.id} ({self._flavor.name}) at {self._roots.api.base_url}>"

    @property
    @override
    def info(self) -> BackendInfo:
        return self._info

    @property
    @override
    def address(self) -> str:
        return self._roots.api.base_url

    @property
    @override
    def image_edits(self) -> ImageEdits:
        return self._editor.edits

    @property
    @override
    def model_control(self) -> ModelControl | None:
        make = self._flavor.model_control
        return None if make is None else make(self._roots.root)

    @property
    @override
    def hosted_dialects(self) -> frozenset[HostedDialect]:
        return frozenset({HostedDialect.CHAT, HostedDialect.RESPONSES} if self._native.offered else {HostedDialect.CHAT})

    @property
    def flavor(self) -> Flavor:
        """The kind of server."""
        return self._flavor

    @override
    async def health(self) -> Health:
        path = self._flavor.health
        at_root = path.startswith("//")
        upstream = self._roots.root if at_root else self._roots.api
        try:
            # Not JSON: vLLM sends an empty body, LiteLLM a plain sentence.
            await upstream.get_text(path.removeprefix("/") if at_root else path, secret=self._health_with_key)
        except (NotFoundError, MethodNotAllowedError):
            if path != _MODELS:
                raise
            await self._flavor.models(self._roots)  # a server for speech may have no list of models
        except UnavailableError as err:  # llama.cpp's "Loading model": not ready yet
            raise err.as_type(UpstreamError, f"{self._info.name} is not ready yet") from None
        return Health(provider=self._flavor.provider)

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        self._offers_load = self._flavor.load is not None  # its owner may have enabled it since
        self._editor.forget()
        return await self._flavor.models(self._roots)

    @override
    async def status(self) -> ProviderStatus | None:
        if self._flavor.load is None or not self._offers_load:
            return None
        try:
            queue = await self._flavor.load(self._roots.root)
        except ApiError as err:
            if not is_not_offered(err):
                raise
            self._offers_load = False
            return None
        return None if queue is None else ProviderStatus(queue=queue)

    @override
    async def send(self, request: Request) -> Answer:
        if request.kind.is_audio:
            return await self._voices.send(self._roots.api, request, self._headers(request))
        packs = request.kind is Kind.EMBEDDINGS and wants_base64(request)
        if request.kind is Kind.EMBEDDINGS and not self._flavor.token_arrays:
            texts(request)
        if not self._flavor.fetches_images:
            request = await self._gate.embed(request)
        if (native := await self._native.send(request, self._headers(request))) is not None:
            return native
        if request.kind is Kind.IMAGE_EDITS:
            answer = await self._editor.send(request, lambda sent: self._post(self._fitted(sent)))
        else:
            answer = await self._forms.send(request, lambda formed: self._post(self._fitted(formed)))
        if request.kind.makes_images and request.body.get("response_format") == "b64_json":
            return ImagesAnswer(answer, self._roots.root, self._gate)
        return PackedAnswer(answer) if packs else answer

    @override
    async def voices(self, model: str) -> Mapping[str, str]:
        return await self._voices.of(self._roots.api, model)

    async def _post(self, request: Request) -> Answer:
        """Send the request; removes parameters that this model rejects and that are not essential."""
        headers = self._headers(request)
        expected = Expected.by(request) if request.kind.writes else None
        rejected: set[str] = set()
        while True:
            try:
                return await self._roots.api.post(
                    f"/{request.kind.value}",
                    edit_form(request) if request.kind is Kind.IMAGE_EDITS else request.dump(),
                    stream=request.stream,
                    headers=headers,
                    max_bytes=request.answer_bytes,
                    expected=expected,
                )
            except InvalidRequestError as err:
                param = _rejected_param(err, request)
                # Both names of the limit are rejected: the second was only sent because the first was rejected.
                if param is None or _OTHER_NAME.get(param) in rejected:
                    raise
            rejected.add(param)
            self._rejected.add(request.model, frozenset({param}))
            request = _without(request, param)

    def _fitted(self, request: Request) -> Request:
        """The request with what this flavor, and this model as far as is known, accepts."""
        request = without_extras(request) if self._flavor.cache_marks else without_cache_marks(request)
        request = without_reasoning(with_both_names(request), self._flavor.message_drops)
        if self._flavor.plain_schemas:
            request = with_plain_parameters(request)
        body = request.body
        changes: dict[str, Any] = dict.fromkeys(self._flavor.drops & body.keys())
        if "reasoning" in changes and isinstance(effort := mapping(body["reasoning"]).get("effort"), str):
            changes["reasoning_effort"] = body.get("reasoning_effort") or effort  # OpenRouter's parameter
        if request.kind is Kind.CHAT:
            for old, new in self._flavor.renames.items():
                if body.get(old) is not None:
                    changes |= {old: None, new: body.get(new) or body[old]}
        if changes:
            request = request.with_body(**changes)
        rejected = self._rejected.of(request.model)
        for param in rejected & body.keys():
            request = _without(request, param)
        if rejected & REASONING:
            request = without_reasoning(request, rejected & REASONING)
        return request

    def _headers(self, request: Request) -> dict[str, str]:
        if not self._flavor.gets_hops:
            return {}
        headers = {"X-Request-ID": request.request_id} if request.request_id else {}
        if request.via:
            headers["Via"] = ", ".join(f"1.1 {hop}" for hop in request.via)
        return headers


def _without(request: Request, param: str) -> Request:
    """The request without a parameter, or with its other name if that exists and is not set."""
    if param in REASONING:
        return without_reasoning(request, {param})
    changes: dict[str, Any] = {param: None}
    other = _OTHER_NAME.get(param)
    if other is not None and request.body.get(other) is None:
        changes[other] = request.body.get(param)
    return request.with_body(**changes)


def _rejected_param(err: InvalidRequestError, request: Request) -> str | None:
    """The rejected parameter that an error names, if it may be removed."""
    if err.code not in _REJECTED_CODES and not _REJECTED.search(err.message):
        return None
    named = f"{err.param or ''} {err.message}"
    optional = _OPTIONAL_OF_IMAGES if request.kind.makes_images else _OPTIONAL
    candidates = [param for param in optional if param in request.body]
    if request.kind is Kind.CHAT:
        candidates += REASONING & reasoning_fields(request)
        candidates += [param for param, other in _OTHER_NAME.items() if param in request.body and other not in request.body]
    # Whole names only: `stop_p` does not mean `top_p`.
    return next((param for param in candidates if re.search(rf"(?<!\w){param}(?!\w)", named)), None)
