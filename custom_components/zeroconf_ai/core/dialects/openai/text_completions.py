"""OpenAI's legacy completions for upstreams that only chat: the prompt becomes what a user says, the answer becomes text."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...protocol.chunks import Chunk
from ...protocol.errors import InvalidRequestError
from ...protocol.request import Kind, Request
from ...protocol.values import mapping

_REFUSED = {"suffix": "text to insert before", "logprobs": "log probabilities", "best_of": "more than one attempt"}


def as_chat(request: Request) -> Request:
    """The chat that asks for the same. Raises InvalidRequestError for what a chat cannot do."""
    body = dict(request.body)
    prompt = body.pop("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise InvalidRequestError("This provider takes one prompt, as a text: 'prompt' must be a text.", param="prompt")
    for param, what in _REFUSED.items():
        value = body.pop(param, None)
        if value is not None and value not in (0, 1, False, ""):
            raise InvalidRequestError(f"This provider offers no {what} in a completion: leave '{param}' out.", param=param)
    if body.pop("echo", None) is True:
        raise InvalidRequestError("This provider does not repeat the prompt: leave 'echo' out.", param="echo")
    return replace(request, kind=Kind.CHAT, body={**body, "messages": [{"role": "user", "content": prompt}]})


def text_chunk(chunk: Chunk) -> Chunk | None:
    """The chunk in the older shape; None for one that holds nothing a completion has room for (a role, a thought)."""
    turned = as_text(chunk.data, "delta")
    says = any(choice["text"] or choice["finish_reason"] for choice in turned["choices"])
    return Chunk.of(turned) if says or turned.get("usage") else None


def as_text(data: Mapping[str, Any], part: str) -> dict[str, Any]:
    """A chat completion or chunk as a text completion; `part` is `message` or `delta`."""
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
