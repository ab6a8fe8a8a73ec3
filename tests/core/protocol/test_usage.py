"""What was used: token counts and money."""

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.protocol.chunks import Chunk, Delta
from zeroconf_ai.protocol.usage import Usage, usage_of

COUNTS = {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109}
USED = Usage(100, 9)
counts = st.integers(0, 10**12)
usages = st.builds(Usage, counts, counts, counts, counts, st.none() | counts, counts, counts)


@given(usages)
def test_usage_serialized_is_parsed_back(usage: Usage) -> None:
    usage = replace(usage, prompt_tokens=1 + usage.prompt_tokens + usage.cached_tokens + usage.cache_write_tokens)
    found = Usage.parse(orjson.loads(orjson.dumps(usage.to_json())))
    assert found == usage


@given(usages, usages)
def test_usage_updated_has_the_later_counts_and_earlier_ones_instead_of_zeros(first: Usage, later: Usage) -> None:
    found = first.updated(later)
    for name in Usage.__slots__:
        known = [value for value in (getattr(later, name), getattr(first, name)) if value is not None]
        assert getattr(found, name) == (next(filter(None, known), known[0]) if known else None)
    assert first.updated(None) == first


@given(st.lists(usages, max_size=5))
def test_usage_sum_adds_all_fields_and_keeps_costs(parts: list[Usage]) -> None:
    total = sum(parts, Usage())
    assert total.total_tokens == sum(part.total_tokens for part in parts)
    assert total.cache_write_tokens == sum(part.cache_write_tokens for part in parts)
    assert total.cache_write_1h_tokens == sum(part.cache_write_1h_tokens for part in parts)
    costs = [part.cost for part in parts if part.cost is not None]
    assert total.cost == (sum(costs) if costs else None)


def test_usage_of_openai_is_parsed() -> None:
    found = Usage.parse(
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 80},
            "completion_tokens_details": {"reasoning_tokens": 15},
            "cost": 0.00000002,
        }
    )
    assert found == Usage(100, 20, 80, 15, 20)


def test_usage_cache_writes_are_serialized_if_there_are_any() -> None:
    assert Usage(9, 1).to_json()["prompt_tokens_details"] == {"cached_tokens": 0}
    written = Usage(9, 1, cache_write_tokens=5).to_json()
    assert written["prompt_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 5}
    assert Usage.parse(written) == Usage(9, 1, cache_write_tokens=5)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        "x",
        5,
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cost": 0},
        {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None},
        {"prompt_tokens": -1, "completion_tokens": -1},
    ],
)
def test_usage_missing_or_not_counted_is_none(data: object) -> None:
    assert Usage.parse(data) is None


def test_usage_invalid_counts_are_zero() -> None:
    data = {"prompt_tokens": -5, "completion_tokens": "9", "prompt_tokens_details": [], "cost": "x"}
    assert Usage.parse(data) == Usage(0, 9)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # DeepSeek
        (
            {"prompt_tokens": 100, "completion_tokens": 9, "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36},
            Usage(100, 9, 64),
        ),
        # Moonshot (Kimi)
        ({"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109, "cached_tokens": 64}, Usage(100, 9, 64)),
        # Mistral's former name
        ({"prompt_tokens": 100, "completion_tokens": 9, "num_cached_tokens": 64}, Usage(100, 9, 64)),
        # LiteLLM before Anthropic
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 9,
                "total_tokens": 109,
                "cache_read_input_tokens": 64,
                "cache_creation_input_tokens": 8,
                "prompt_tokens_details": {"cached_tokens": None},
            },
            Usage(100, 9, 64, cache_write_tokens=8),
        ),
        # The same where the prompt does not include what was cached
        (
            {"prompt_tokens": 28, "completion_tokens": 9, "cache_read_input_tokens": 64, "cache_creation_input_tokens": 8},
            Usage(100, 9, 64, cache_write_tokens=8),
        ),
        # Responses
        (
            {
                "input_tokens": 100,
                "output_tokens": 9,
                "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8},
                "output_tokens_details": {"reasoning_tokens": 5},
                "total_tokens": 109,
            },
            Usage(100, 9, 64, 5, cache_write_tokens=8),
        ),
        # Anthropic
        (
            {
                "input_tokens": 28,
                "cache_read_input_tokens": 64,
                "cache_creation_input_tokens": 8,
                "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 5},
                "output_tokens": 9,
                "output_tokens_details": {"thinking_tokens": 5},
            },
            Usage(100, 9, 64, 5, cache_write_tokens=8, cache_write_1h_tokens=5),
        ),
        # Alibaba
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 64, "cache_creation_input_tokens": 8},
            },
            Usage(100, 9, 64, cache_write_tokens=8),
        ),
        # SGLang, Perplexity
        ({"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109, "reasoning_tokens": 5}, Usage(100, 9, 0, 5)),
        # xAI counts the reasoning beside the completion
        (
            {
                "prompt_tokens": 2640,
                "completion_tokens": 182,
                "total_tokens": 3494,
                "prompt_tokens_details": {"cached_tokens": 473},
                "completion_tokens_details": {"reasoning_tokens": 672},
            },
            Usage(2640, 854, 473, 672),
        ),
        # Gemini counts it in the total only
        ({"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}, Usage(20, 603, 0, 405)),
        (
            {
                "prompt_tokens": 21,
                "completion_tokens": 0,
                "total_tokens": 81,
                "completion_tokens_details": {"reasoning_tokens": 60},
            },
            Usage(21, 60, 0, 60),
        ),
        # Embeddings of Voyage
        ({"total_tokens": 10}, Usage(10)),
        # Texts, nulls and values below 0
        ({"prompt_tokens": "100", "completion_tokens": "9", "prompt_tokens_details": {"cached_tokens": "64"}}, Usage(100, 9, 64)),
        ({"prompt_tokens": 100, "completion_tokens": None, "prompt_tokens_details": None}, Usage(100)),
        ({"prompt_tokens": 100, "completion_tokens": -9, "prompt_tokens_details": {"cached_tokens": -64}}, Usage(100)),
        # Costs of OpenRouter, with the owner's own key, of Perplexity, xAI and DeepInfra
        ({"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.002}, Usage(1, 1, cost=2_000_000)),
        (
            {
                "prompt_tokens": 1,
                "completion_tokens": 1,
                "cost": 0.001,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.002},
            },
            Usage(1, 1, cost=3_000_000),
        ),
        (
            {
                "prompt_tokens": 1,
                "completion_tokens": 1,
                "cost": 0.002,
                "is_byok": False,
                "cost_details": {"upstream_inference_cost": 0.002},
            },
            Usage(1, 1, cost=2_000_000),
        ),
        (
            {"prompt_tokens": 1, "completion_tokens": 1, "cost": {"input_tokens_cost": 0.0, "total_cost": 0.002}},
            Usage(1, 1, cost=2_000_000),
        ),
        ({"prompt_tokens": 1, "completion_tokens": 1, "cost_in_usd_ticks": 20_000_001}, Usage(1, 1, cost=2_000_001)),
        ({"prompt_tokens": 1, "completion_tokens": 1, "estimated_cost": 0.002}, Usage(1, 1, cost=2_000_000)),
    ],
)
def test_usage_of_each_server_is_parsed(data: dict[str, Any], expected: Usage) -> None:
    assert Usage.parse(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"choices": [], "usage": COUNTS}, USED),
        ({"choices": [{"delta": {}, "usage": COUNTS}]}, USED),
        ({"choices": [{"delta": {}}], "usage": None, "x_groq": {"id": "req_1", "usage": COUNTS}}, USED),
        ({"choices": [], "timings": {"prompt_n": 36, "cache_n": 64, "predicted_n": 9, "predicted_ms": 5.5}}, Usage(100, 9, 64)),
        ({"choices": [], "usage": COUNTS, "timings": {"prompt_n": 1, "predicted_n": 1}}, USED),
        ({"choices": [], "usage": dict.fromkeys(COUNTS, 0), "timings": {"prompt_n": 100, "predicted_n": 9}}, USED),
        ({"choices": [None], "usage": [], "x_groq": 5, "timings": "x"}, None),
        ({"choices": None, "timings": {}}, None),
    ],
)
def test_usage_of_a_chunk_is_found_in_each_place(data: dict[str, Any], expected: Usage | None) -> None:
    assert usage_of(data) == expected
    assert Chunk(orjson.dumps(data)).usage == expected
    assert Delta.parse(data).usage == expected


@pytest.mark.parametrize("raw", [b'{"choices":[{"delta":{"content":"\\"timings\\": {}"}}],"usage":null}', b"{}"])
def test_usage_of_a_chunk_without_usage_is_not_parsed(raw: bytes) -> None:
    chunk = Chunk(raw)
    assert (chunk.usage, chunk.may_have_usage) == (None, False)
    assert chunk._data is None
