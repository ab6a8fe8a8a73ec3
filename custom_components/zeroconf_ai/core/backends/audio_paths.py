"""Recognizes servers for speech by their paths, where the list of models is missing or does not name the task of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
)
from ..protocol.models import ModelInfo
from ..protocol.record import Capability
from ..protocol.values import mapping
from .audio import parse_voices
from .bodies import loads

if TYPE_CHECKING:
    from .http import HttpUpstream

_MOST_BYTES: Final = 2 * 1024 * 1024
"""Maximum size of a description; that of vLLM has 300 kB."""
_MOST_PATHS: Final = 2_000
_TASKS: Final[Mapping[str, Capability]] = {
    "/audio/transcriptions": Capability.TRANSCRIPTION,
    "/audio/speech": Capability.SPEECH,
}
_OTHERS: Final = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/images/generations",
    "/responses",
    "/messages",
    "/generate",
)
"""The ends of paths for other tasks: if a server has one of them, its paths do not tell the task of a model."""
_USUAL: Final[Mapping[Capability, str]] = {Capability.TRANSCRIPTION: "whisper-1", Capability.SPEECH: "tts-1"}
"""OpenAI's names, which servers without a list of models accept."""
_LASTING: Final = (AuthenticationError, InvalidRequestError, MethodNotAllowedError, NotFoundError, PermissionDeniedError)
"""Errors that stay: the server does not have the path, or refuses it."""


class AudioPaths:
    """The paths of one server. They are read once for each list of models, and only by GET: no model works for that."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self._known: tuple[tuple[str, ...], frozenset[Capability]] | None = None

    async def described(self, api: "HttpUpstream", listed: Sequence[ModelInfo]) -> tuple[ModelInfo, ...]:
        """The models of a server, with capabilities by its paths where neither names nor capabilities name the task.

        If the list is empty and the server has paths for speech: OpenAI's names of models. `api`: the server's `/v1`.
        """
        if listed and (any(model.is_audio for model in listed) or all(model.capabilities is not None for model in listed)):
            return tuple(listed)
        tasks = await self._tasks(api, tuple(model.id for model in listed))
        if not listed:
            return tuple(ModelInfo(name, capabilities=frozenset({task})) for task, name in _USUAL.items() if task in tasks)
        return tuple(replace(model, capabilities=tasks) if tasks and model.capabilities is None else model for model in listed)

    async def _tasks(self, api: "HttpUpstream", ids: tuple[str, ...]) -> frozenset[Capability]:
        if self._known is not None and self._known[0] == ids:
            return self._known[1]
        try:
            found = await _described_tasks(api, ids)
        except ApiError:
            return frozenset()  # asked again next time
        self._known = ids, found
        return found


async def _described_tasks(api: "HttpUpstream", ids: tuple[str, ...]) -> frozenset[Capability]:
    """The tasks of a server that serves nothing but speech. Raises an ApiError if it does not answer."""
    try:
        described = mapping(loads(await api.at_root().get("/openapi.json", limit=_MOST_BYTES), api.name))
    except _LASTING:
        described = {}
    paths = [path.rstrip("/") for path in list(mapping(described.get("paths")))[:_MOST_PATHS]]
    if paths:
        if any(path.endswith(_OTHERS) for path in paths):
            return frozenset()
        return frozenset(task for end, task in _TASKS.items() if any(path.endswith(end) for path in paths))
    if len(ids) > 1:
        return frozenset()
    try:
        return frozenset({Capability.SPEECH}) if parse_voices(await api.get_json("/audio/voices")) else frozenset()
    except _LASTING:
        return frozenset()
