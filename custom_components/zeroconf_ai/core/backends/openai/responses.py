"""Requests with hosted tools, passed on to `/responses` of a server with OpenAI's API."""

from collections.abc import Mapping
import re
from typing import Any

from ...dialects.responses.upstream_response import ResponsesTranslator
from ...protocol.demand import answer_limit
from ...protocol.errors import InvalidRequestError, MethodNotAllowedError, NotFoundError, UpstreamError
from ...protocol.hosted_tools import HostedDialect
from ...protocol.record import Capability
from ...protocol.request import Request
from ..base import Answer
from ..dialect_backend import DialectUpstream, NativeAnswer

_OPTIONAL = ("temperature", "top_p", "reasoning", "include", "truncation", "prompt_cache_key", "parallel_tool_calls")
"""Parameters that may be left out without changing what is requested."""
_REJECTED = re.compile(r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|not (?:permitted|allowed)", re.IGNORECASE)

_NOT_OFFERED = (404, 405, 501)


class ResponsesRequests:
    """Passes requests on to `/responses`, as long as the server has it."""

    def __init__(self, upstream: DialectUpstream, *, offered: bool, fetches_images: bool) -> None:
        """`offered`: whether the server may have `/responses`. `fetches_images`: whether it may fetch the URLs of images."""
        self._upstream = upstream
        self.offered = offered
        """Whether it may have `/responses`: False once it has answered that it does not."""
        self._fetches_images = fetches_images

    async def send(self, request: Request, headers: Mapping[str, str]) -> Answer | None:
        """The answer; None if the request is not for `/responses`, or the server does not have it. Raises an ApiError."""
        hosted = request.hosted
        if hosted is None or hosted.dialect is not HostedDialect.RESPONSES or not self.offered:
            return None
        if not self._fetches_images and Capability.VISION in request.needs:
            return None
        body: dict[str, Any] = {**hosted.body, "model": request.model, "stream": request.stream}
        if (limit := answer_limit(request.body)) is not None:
            body["max_output_tokens"] = limit
        if hosted.most_calls is not None:
            body["max_tool_calls"] = hosted.most_calls
        while True:
            translator = ResponsesTranslator(request.model, self._upstream.name, self._upstream.secrets)
            try:
                return await self._upstream.translate(
                    "/responses",
                    body,
                    translator,
                    stream=request.stream,
                    max_bytes=request.answer_bytes,
                    headers=headers,
                    kind=NativeAnswer,
                )
            except InvalidRequestError as err:
                rejected = next((name for name in _OPTIONAL if name in body and name in err.message), None)
                if rejected is None or not _REJECTED.search(err.message):
                    raise
                del body[rejected]
            except (NotFoundError, MethodNotAllowedError, UpstreamError) as err:
                if err.upstream_status not in _NOT_OFFERED or err.code == "model_not_found":
                    raise
                self.offered = False
                if hosted.required:
                    raise
                return None
