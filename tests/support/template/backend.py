"""`TemplateBackend`: a server with the API of the template."""

from dataclasses import replace
from typing import Any, override

import aiohttp

from zeroconf_ai.backends.answers import TextAnswer
from zeroconf_ai.backends.base import Answer, BackendInfo, Endpoint, Timeouts
from zeroconf_ai.backends.dialect_backend import DialectBackend, DialectUpstream
from zeroconf_ai.dialects.openai.text_completions import as_chat
from zeroconf_ai.protocol.errors import NotFoundError
from zeroconf_ai.protocol.models import MAX_MODELS, ModelInfo
from zeroconf_ai.protocol.record import Capability
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import Health
from zeroconf_ai.protocol.values import clean, mapping

from .upstream_request import translate
from .upstream_response import TemplateTranslator

BASE_URL = "http://localhost:9999/v1"


def template_info(backend_id: str, name: str, **changes: Any) -> BackendInfo:
    """The information about a backend that its configuration does not override: what it costs and can do, and where it runs."""
    can = frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.TOOLS})
    return replace(BackendInfo(backend_id, name, can), **changes)


class TemplateBackend(DialectBackend[DialectUpstream]):
    """A server with the API of the template."""

    def __init__(
        self, session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, *, timeouts: Timeouts | None = None
    ) -> None:
        """`endpoint`'s URL ends with `/v1`."""
        super().__init__(info, DialectUpstream(session, endpoint, name=info.name, timeouts=timeouts), None)

    @override
    async def health(self) -> Health:
        await self._upstream.get_json("/ready")
        return Health(provider="custom")

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        listed = mapping(await self._upstream.get_json("/models")).get("models")
        names = (clean(name) for name in (listed[:MAX_MODELS] if isinstance(listed, list) else ()))
        return tuple(ModelInfo(name) for name in names if name)

    @override
    async def send(self, request: Request) -> Answer:
        if request.kind is Kind.EMBEDDINGS:
            raise NotFoundError(f"{self._info.name} has no embedding models.", code="model_not_found", param="model")
        if request.kind is Kind.COMPLETION:
            return TextAnswer(await self._chat(as_chat(request)))
        return await self._chat(request)

    async def _chat(self, request: Request) -> Answer:
        wants_usage = mapping(request.body.get("stream_options")).get("include_usage") is True
        translator = TemplateTranslator(request.model, usage=wants_usage, secrets=self._upstream.secrets)
        return await self._upstream.translate(
            "/talk", translate(request), translator, stream=request.stream, max_bytes=request.answer_bytes
        )
