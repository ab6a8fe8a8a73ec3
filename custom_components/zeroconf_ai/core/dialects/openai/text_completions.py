"""OpenAI's legacy completions for upstreams that only chat: the prompt becomes what a user says, the answer becomes text."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, override

import orjson

from ...backends.base import Answer
from ...protocol import json
from ...protocol.chunks import Chunk
from ...protocol.errors import InvalidRequestError
from ...protocol.request import Kind, Request
from ...protocol.usage import Usage
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


class TextAnswer(Answer):
    """A chat's answer in the shape of a legacy completion."""

    def __init__(self, answer: Answer) -> None:
        """`answer` is the chat's."""
        self._answer = answer
        self.headers: Mapping[str, str] = answer.headers

    @property
    @override
    def usage(self) -> Usage | None:
        return self._answer.usage

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        async for batch in self._answer.batches():
            if turned := [chunk for chunk in map(_text_chunk, batch) if chunk is not None]:
                yield turned

    @override
    async def body(self) -> bytes:
        return orjson.dumps(_as_text(json.loads(await self._answer.body()), "message"))

    @override
    async def close(self) -> None:
        await self._answer.close()


def _text_chunk(chunk: Chunk) -> Chunk | None:
    """The chunk in the older shape; None for one that holds nothing a completion has room for (a role, a thought)."""
    turned = _as_text(chunk.data, "delta")
    says = any(choice["text"] or choice["finish_reason"] for choice in turned["choices"])
    return Chunk.of(turned) if says or turned.get("usage") else None


def _as_text(data: Mapping[str, Any], part: str) -> dict[str, Any]:
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
