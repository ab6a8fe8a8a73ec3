"""How large a context Ollama is asked for (`num_ctx`).

Ollama cuts a prompt that does not fit without a word, and its default is small (2k to 4k tokens on most machines); but another
size than the loaded one makes it load the model anew. So a model is asked for more only when a prompt needs it, and never for
less again.
"""

from collections.abc import Mapping

from ...protocol.request import Request
from ...protocol.values import mapping, parse_count

ASSUMED = 4096
"""What a model has where nothing is known: Ollama's default on a machine with little graphics memory."""
LARGEST = 32_768
"""No more is asked for by itself: the memory a context takes grows with it."""
_ROOM_FOR_ANSWER = 1024
_MARGIN = 1.25
"""The size of a prompt in tokens is an estimate."""
_MAX_KNOWN = 1000


class ContextSizes:
    """The sizes that models have, and are asked for."""

    def __init__(self, fixed: int | None = None) -> None:
        """`fixed`: the owner's choice for every model."""
        self._fixed = fixed
        self._loaded: dict[str, int] = {}
        self._asked: dict[str, int] = {}

    def note_loaded(self, contexts: Mapping[str, int]) -> None:
        """What `/api/ps` says of the models that are loaded right now."""
        self._loaded = dict(contexts)

    def wanted(self, request: Request, largest: int | None) -> int | None:
        """The `num_ctx` to send, or None for the server's own. `largest` is the model's limit, where it is known."""
        own = parse_count(request.body.get("num_ctx")) or parse_count(mapping(request.body.get("options")).get("num_ctx"))
        if own:
            return own
        if self._fixed is not None:
            return min(self._fixed, largest or self._fixed)
        model = request.model
        answer = request.body.get("max_completion_tokens") or request.body.get("max_tokens") or _ROOM_FOR_ANSWER
        needed = round(request.estimated_prompt_tokens * _MARGIN) + min(int(answer), 8 * _ROOM_FOR_ANSWER)
        asked = self._asked.get(model)
        if needed <= (asked or self._loaded.get(model, ASSUMED)):
            return asked
        limit = min(LARGEST, largest or LARGEST)
        size = asked or ASSUMED
        while size < min(needed, limit):
            size *= 2
        size = min(size, limit)
        if size <= self._loaded.get(model, 0):
            return asked  # it has more than would be asked for
        if len(self._asked) >= _MAX_KNOWN:
            self._asked.clear()
        self._asked[model] = size
        return size
