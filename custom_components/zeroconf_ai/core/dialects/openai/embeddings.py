"""Embeddings as OpenAI gives them: a list of numbers, or (`encoding_format: base64`) its 32-bit floats, little endian.

OpenAI's Python SDK asks for base64 unless it is told otherwise, and many servers only have lists.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
import struct
from typing import Any, override

import orjson

from ...backends.base import Answer
from ...protocol import json
from ...protocol.chunks import Chunk
from ...protocol.errors import InvalidRequestError, UpstreamError
from ...protocol.request import Request
from ...protocol.usage import Usage


def wants_base64(request: Request) -> bool:
    """Whether the caller reads base64. Raises InvalidRequestError for an encoding that there is not."""
    wanted = request.body.get("encoding_format")
    if wanted not in (None, "float", "base64"):
        raise InvalidRequestError("Invalid value for 'encoding_format': it must be float or base64.", param="encoding_format")
    return wanted == "base64"


def texts(request: Request) -> list[str]:
    """The input as texts, for an upstream that has no place for tokens. Raises InvalidRequestError for token arrays."""
    given = request.body["input"]
    items = [given] if isinstance(given, str) else given
    if not all(isinstance(item, str) for item in items):
        raise InvalidRequestError(
            "This provider embeds texts, not tokens: 'input' must be a text or a list of texts "
            "(in LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False).",
            param="input",
        )
    return items


def pack(vector: Sequence[float]) -> str:
    """The vector as base64. Raises ValueError where it is no list of numbers that fit."""
    try:
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, OverflowError) as err:
        raise ValueError(f"an embedding that is no list of numbers: {err}") from None


def embedding_list(vectors: Sequence[Sequence[float]], model: str, prompt_tokens: int, *, base64: bool) -> dict[str, Any]:
    """OpenAI's answer object."""
    data = [
        {"object": "embedding", "index": index, "embedding": pack(vector) if base64 else vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


class PackedAnswer(Answer):
    """An embeddings answer for a caller that reads base64: lists are packed, what is packed already stays."""

    def __init__(self, answer: Answer) -> None:
        """`answer` is the upstream's, in either form."""
        self._answer = answer
        self.headers: Mapping[str, str] = answer.headers

    @property
    @override
    def usage(self) -> Usage | None:
        return self._answer.usage

    @override
    def batches(self) -> AsyncIterator[list[Chunk]]:
        return self._answer.batches()

    @override
    async def body(self) -> bytes:
        body = await self._answer.body()
        parsed = json.loads(body)
        changed = False
        for item in parsed.get("data", ()) if isinstance(parsed, dict) else ():
            if isinstance(item, dict) and isinstance(vector := item.get("embedding"), list):
                try:
                    item["embedding"] = pack(vector)
                except ValueError as err:
                    message = "the provider sent an embedding that cannot be read"
                    raise UpstreamError(message, log_text=f"{message}: {err}") from None
                changed = True
        return orjson.dumps(parsed) if changed else body

    @override
    async def close(self) -> None:
        await self._answer.close()
