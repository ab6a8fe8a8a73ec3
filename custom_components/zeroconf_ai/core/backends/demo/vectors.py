"""Embeddings of `demo-embed`: a hashed bag of words. Texts that share words are similar; meaning has no influence."""

import base64
from collections.abc import Iterable, Mapping
import hashlib
import math
import re
import struct
from typing import Any

from ...protocol.errors import InvalidRequestError
from ...protocol.usage import Usage

DIMENSIONS = 256
MAX_DIMENSIONS = 4096
MAX_INPUTS = 2048
"""OpenAI's limit."""


def embeddings(body: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The answer to an embeddings request. Raises InvalidRequestError for inputs or options that OpenAI rejects, too."""
    inputs = _inputs(body["input"])
    dimensions = body.get("dimensions", DIMENSIONS)
    if not isinstance(dimensions, int) or isinstance(dimensions, bool) or not 1 <= dimensions <= MAX_DIMENSIONS:
        raise InvalidRequestError(f"'dimensions' must be a whole number from 1 to {MAX_DIMENSIONS}.", param="dimensions")
    encoding = body.get("encoding_format", "float")
    if encoding not in ("float", "base64"):
        raise InvalidRequestError("'encoding_format' must be float or base64.", param="encoding_format")
    data = []
    for index, words in enumerate(inputs):
        vector = _vector(words, dimensions)
        data.append({"object": "embedding", "index": index, "embedding": _base64(vector) if encoding == "base64" else vector})
    usage = Usage(prompt_tokens=sum(map(len, inputs)), cost=0).to_json()
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _inputs(value: object) -> list[list[str]]:
    """The words of each input: of texts, or of lists of tokens (integers)."""
    listed = value if isinstance(value, list) else [value]
    if listed and all(_is_token(item) for item in listed):
        listed = [listed]
    if len(listed) > MAX_INPUTS:
        raise InvalidRequestError(f"'input' has {len(listed)} inputs; the maximum is {MAX_INPUTS}.", param="input")
    found = []
    for item in listed:
        if isinstance(item, str):
            found.append(re.findall(r"\w+", item.casefold()))
        elif isinstance(item, list) and item and all(map(_is_token, item)):
            found.append([str(token) for token in item])
        else:
            raise InvalidRequestError("'input' must be a text, a list of texts, or lists of tokens.", param="input")
    return found


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _vector(words: Iterable[str], dimensions: int) -> list[float]:
    """A unit vector: each word adds 1 or -1 to one dimension, both chosen by its hash."""
    sums = [0.0] * dimensions
    for word in words:
        number = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        sums[(number >> 1) % dimensions] += 1.0 if number & 1 else -1.0
    length = math.sqrt(math.fsum(value * value for value in sums))
    if length == 0.0:  # no words, or words that cancel each other out: clients expect a unit vector
        sums[0] = length = 1.0
    return [value / length for value in sums]


def _base64(vector: list[float]) -> str:
    """32-bit floats, little-endian: the default of OpenAI's SDKs."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
