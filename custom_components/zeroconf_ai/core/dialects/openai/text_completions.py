"""OpenAI's text completions through upstreams that only chat: the prompt becomes a user message, the answer a text."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...protocol.chunks import Chunk
from ...protocol.errors import InvalidRequestError
from ...protocol.request import Kind, Request
from ...protocol.values import mapping

_REFUSED = {"suffix": "text to insert before", "logprobs": "log probabilities", "best_of": "more than one attempt"}


def as_chat(request: Request) -> Request:
    """Convert a text completion to a chat. Raises InvalidRequestError for parameters without a counterpart."""
    body = dict(request.body)
    prompt = body.pop("prompt")
    body.pop("raw", None)
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise InvalidRequestError("This provider accepts one prompt: 'prompt' must be a text.", param="prompt")
    for param, what in _REFUSED.items():
        value = body.pop(param, None)
        if value is not None and value not in (0, 1, False, ""):
            raise InvalidRequestError(f"This provider does not support {what} in a completion: omit '{param}'.", param=param)
    if body.pop("echo", None) is True:
        raise InvalidRequestError("This provider does not repeat the prompt: omit 'echo'.", param="echo")
    return replace(request, kind=Kind.CHAT, body={**body, "messages": [{"role": "user", "content": prompt}]})


def text_chunk(chunk: Chunk) -> Chunk | None:
    """Convert a chunk of a chat; None if it has no text, finish reason or usage (only a role or reasoning)."""
    converted = as_text(chunk.data, "delta")
    has_content = any(choice["text"] or choice["finish_reason"] for choice in converted["choices"])
    return Chunk.of(converted) if has_content or converted.get("usage") else None


def as_text(data: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Convert a chat completion or a chunk to a text completion; `part` is `message` or `delta`."""
    choices = [
        {
            "index": choice.get("index", 0),
            "text": mapping(choice.get(part)).get("content") or "",
            "logprobs": None,
            "finish_reason": choice.get("finish_reason"),
        }
        for choice in data.get("choices", ())
    ]
    return {**data, "object": "text_completion", "choices": choices}
