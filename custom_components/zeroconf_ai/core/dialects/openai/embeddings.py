"""Embeddings in OpenAI's format: a list of numbers, or (`encoding_format: base64`) its 32-bit floats, little endian.

OpenAI's Python SDK requests base64 by default, and many servers support only lists.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
import struct
from typing import Any

from ...protocol.errors import InvalidRequestError
from ...protocol.request import Request
from ...protocol.values import mapping, parse_count

_FLOAT_BYTES = 4


def wants_base64(request: Request) -> bool:
    """Whether the caller requests base64. Raises InvalidRequestError for an unknown encoding."""
    wanted = request.body.get("encoding_format")
    if wanted not in (None, "float", "base64"):
        raise InvalidRequestError("Invalid value for 'encoding_format': it must be float or base64.", param="encoding_format")
    return wanted == "base64"


def texts(request: Request) -> list[str]:
    """The input as texts, for upstreams without token arrays. Raises InvalidRequestError for token arrays."""
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
    """The vector as base64. Raises ValueError if it is not a list of numbers that fit into 32-bit floats."""
    try:
        return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, OverflowError, TypeError) as err:
        raise ValueError(f"the embedding is not a list of numbers: {err}") from None


def unpack(text: str) -> list[float]:
    """The vector that `pack` has encoded. Raises ValueError for other text."""
    raw = b64decode(text, validate=True)
    if len(raw) % _FLOAT_BYTES:
        raise ValueError("the embedding is not a list of 32-bit floats")
    return list(struct.unpack(f"<{len(raw) // _FLOAT_BYTES}f", raw))


def vectors(data: Mapping[str, Any]) -> list[Sequence[float]]:
    """The vectors of an embeddings response, in the order of the inputs. Raises ValueError if one cannot be read."""
    listed = data.get("data")
    entries = [mapping(entry) for entry in listed] if isinstance(listed, list) else []
    entries.sort(key=lambda entry: parse_count(entry.get("index")))
    found: list[Sequence[float]] = []
    for entry in entries:
        vector = entry.get("embedding")
        if isinstance(vector, str):
            vector = unpack(vector)
        found.append(_checked(vector))
    return found


def _checked(vector: object) -> list[float]:
    if not isinstance(vector, list) or not all(isinstance(number, int | float) for number in vector):
        raise ValueError("the embedding is not a list of numbers")
    return vector


def embedding_list(vectors: Sequence[Sequence[float]], model: str, prompt_tokens: int, *, base64: bool) -> dict[str, Any]:
    """The response object. Raises ValueError for a vector that is not a list of numbers."""
    data = [
        {"object": "embedding", "index": index, "embedding": pack(_checked(vector)) if base64 else _checked(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}
