"""What was used: token counts and money."""

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.protocol.usage import Usage

counts = st.integers(0, 10**12)
usages = st.builds(Usage, counts, counts, counts, counts, st.none() | counts, counts, counts)


@given(usages)
def test_usage_serialized_is_parsed_back(usage: Usage) -> None:
    found = Usage.parse(orjson.loads(orjson.dumps(usage.to_json())))
    assert found == usage


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


@pytest.mark.parametrize("data", [None, {}, [], "x", 5])
def test_usage_missing_is_none(data: object) -> None:
    assert Usage.parse(data) is None


def test_usage_invalid_counts_are_zero() -> None:
    assert Usage.parse({"prompt_tokens": -5, "completion_tokens": "9", "prompt_tokens_details": [], "cost": "x"}) == Usage()
