"""`Voices`: the voices that one server lists, and a voice for each request that the server has."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlencode

from ..protocol.errors import ApiError, InvalidRequestError, MethodNotAllowedError, NotFoundError
from ..protocol.request import Kind, Request
from ..protocol.values import NOTHING
from .audio import parse_voices
from .base import Answer
from .http import HttpUpstream

_KEPT_SECONDS: Final = 600.0
_RETRY_SECONDS: Final = 60.0
"""After a list that could not be read: requests do not wait for it again before that."""
_MOST_MODELS: Final = 64
_USUAL: Final = "alloy"
"""OpenAI's first voice, whose name servers with its API know. The parameter is required there."""


class Voices:
    """The voices of a server's models. They are listed again after ten minutes."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self._listed: dict[str, tuple[float, Mapping[str, str]]] = {}
        self._failed_at: float | None = None

    async def of(self, upstream: HttpUpstream, model: str) -> Mapping[str, str]:
        """The names of a model's voices by id; empty if the server lists none. Raises an ApiError if it cannot be asked."""
        now = asyncio.get_running_loop().time()
        kept = self._listed.get(model)
        if kept is not None and now - kept[0] < _KEPT_SECONDS:
            return kept[1]
        found: Mapping[str, str] = {}
        with suppress(NotFoundError, MethodNotAllowedError, InvalidRequestError):  # OpenAI and others have no such path
            found = parse_voices(await upstream.get_json(f"/audio/voices?{urlencode({'model': model})}"))
        if len(self._listed) >= _MOST_MODELS:
            self._listed.clear()
        self._listed[model] = now, found
        return found

    async def send(self, upstream: HttpUpstream, request: Request, headers: Mapping[str, str]) -> Answer:
        """Send a request for a transcript or speech. Raises an ApiError.

        A voice that the server does not have, because the request was meant for another one, is replaced by its first.
        """
        if request.kind is Kind.SPEECH:
            request = await self._fitted(upstream, request)
        return await upstream.post_audio(request, headers)

    async def _fitted(self, upstream: HttpUpstream, request: Request) -> Request:
        wanted = request.body.get("voice")
        now = asyncio.get_running_loop().time()
        known: Mapping[str, str] = self._listed.get(request.model, (0.0, NOTHING))[1]
        if self._failed_at is None or now - self._failed_at >= _RETRY_SECONDS:
            try:
                known = await self.of(upstream, request.model)
                self._failed_at = None
            except ApiError:  # the request itself fails too, or works without the list
                self._failed_at = asyncio.get_running_loop().time()
        if wanted in known or (wanted is not None and not known):
            return request
        by_name = next((voice for voice, name in known.items() if name == wanted), None)
        return request.with_body(voice=by_name or next(iter(known), _USUAL))
