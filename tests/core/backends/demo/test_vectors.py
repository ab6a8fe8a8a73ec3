"""Embeddings: unit vectors in which shared words count."""

import base64
import math
import struct
from typing import Any

import pytest

from zeroconf_ai.backends.demo.vectors import embeddings
from zeroconf_ai.protocol.errors import InvalidRequestError


def vectors(texts: Any, **options: Any) -> list[list[float]]:
    return [item["embedding"] for item in embeddings({"input": texts, **options}, "demo-embed")["data"]]


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_demo_embeddings_are_normalized_and_deterministic() -> None:
    for vector in vectors(["The lamp in the kitchen", "", "…", "die Lampe in der Küche"]):
        assert len(vector) == 256
        assert math.isclose(math.hypot(*vector), 1.0)
    assert vectors("lamp") == vectors("Lamp!")


def test_demo_embeddings_of_similar_texts_are_nearer() -> None:
    lamp, same, other = vectors(["turn on the lamp", "the lamp is on", "who sings this song"])
    assert cosine(lamp, same) > 0.5 > cosine(lamp, other)


def test_embeddings_input_may_be_tokens() -> None:
    [one] = vectors([101, 102, 103])
    two = vectors([[101, 102, 103], [7]])
    assert one == two[0] != two[1]


def test_demo_embeddings_have_the_requested_dimensions() -> None:
    assert [len(vector) for vector in vectors(["a", "b"], dimensions=8)] == [8, 8]


def test_base64_holds_little_endian_floats() -> None:
    [packed] = vectors("lamp", encoding_format="base64", dimensions=16)
    assert list(struct.unpack("<16f", base64.b64decode(str(packed)))) == pytest.approx(vectors("lamp", dimensions=16)[0])


def test_demo_usage_counts_words() -> None:
    answer = embeddings({"input": ["one two", "three"]}, "demo-embed")
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] == 3
    assert [item["index"] for item in answer["data"]] == [0, 1]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": [["a"]]}, "input"),
        ({"input": [1, "a"]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": True}, "dimensions"),
        ({"input": "a", "dimensions": 5000}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_demo_invalid_requests_are_refused_by_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        embeddings(body, "demo-embed")
    assert raised.value.param == param
