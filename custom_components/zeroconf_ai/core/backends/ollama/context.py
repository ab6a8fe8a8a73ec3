"""`ContextSizes`: chooses the context window that a request to Ollama asks for (`num_ctx`).

Ollama truncates a prompt that does not fit without an error, and its default is small (2k to 4k tokens on most machines). A
request with another size than the loaded one makes it reload the model. The size of a model is therefore increased only when a
prompt requires it, and never reduced.
"""

from collections.abc import Mapping

from ...protocol.request import Request
from ...protocol.values import mapping, parse_count

ASSUMED = 4096
"""Tokens, if the size is unknown: Ollama's default on a machine with little graphics memory."""
LARGEST = 32_768
"""Maximum tokens of an automatic choice: memory use grows with the context window."""
_ANSWER_TOKENS = 1024
_TURNS_TOKENS = 1024
"""Room for the earlier turns of a conversation."""
_MARGIN = 1.25
"""Factor, because the tokens of a prompt are an estimate."""
_MAX_KNOWN = 1000


def suggested_size(prompt_tokens: int, largest: int | None) -> int:
    """The context window in tokens for prompts of a size, with room for some turns and an answer.

    `largest`: the model's limit, if known.
    """
    needed = round(prompt_tokens * _MARGIN) + _TURNS_TOKENS + _ANSWER_TOKENS
    size = ASSUMED
    while size < needed:
        size *= 2
    return min(size, LARGEST, largest or LARGEST)


class ContextSizes:
    """The loaded and the requested context window of each model."""

    def __init__(self, fixed: int | None = None) -> None:
        """`fixed`: the configured size of every model in tokens; None: automatic."""
        self._fixed = fixed
        self._loaded: dict[str, int] = {}
        self._requested: dict[str, int] = {}

    def set_loaded(self, contexts: Mapping[str, int]) -> None:
        """Set the context windows of the loaded models (`/api/ps`), by model."""
        self._loaded = dict(contexts)

    def usual(self, model: str, largest: int | None) -> int | None:
        """The `num_ctx` with which the model is used, as far as it is known; None: the server's default."""
        return self._requested.get(model) if self._fixed is None else min(self._fixed, largest or self._fixed)

    def wanted(self, request: Request, largest: int | None) -> int | None:
        """The `num_ctx` to send; None: the server's default. `largest`: the model's limit, if known."""
        own = parse_count(request.body.get("num_ctx")) or parse_count(mapping(request.body.get("options")).get("num_ctx"))
        if own:
            return own
        if self._fixed is not None:
            return min(self._fixed, largest or self._fixed)
        model = request.model
        answer = request.body.get("max_completion_tokens") or request.body.get("max_tokens") or _ANSWER_TOKENS
        needed = round(request.estimated_prompt_tokens * _MARGIN) + min(int(answer), 8 * _ANSWER_TOKENS)
        requested = self._requested.get(model)
        if needed <= (requested or self._loaded.get(model, ASSUMED)):
            return requested
        limit = min(LARGEST, largest or LARGEST)
        size = requested or ASSUMED
        while size < min(needed, limit):
            size *= 2
        size = min(size, limit)
        if size <= self._loaded.get(model, 0):
            return requested  # more is loaded than is required
        if len(self._requested) >= _MAX_KNOWN:
            self._requested.clear()
        self._requested[model] = size
        return size
