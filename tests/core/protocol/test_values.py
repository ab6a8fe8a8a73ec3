"""Values of strangers."""

import json
import unicodedata

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.values import NANO, clean, encodable, mapping, money, parse_count

anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()) | st.just("9" * 5000)


@given(anything)
def test_values_of_any_type_are_parsed_without_error(value: object) -> None:
    assert 0 <= parse_count(value) <= 10**15
    amount = money(value)
    assert amount is None or 0 <= amount <= 10**9 * NANO
    assert isinstance(mapping(value), dict)


@given(st.text(), st.integers(0, 300))
def test_clean_text_is_short_and_visible(text: str, limit: int) -> None:
    found = clean(text, limit)
    assert len(found) <= limit
    assert found == found.strip()
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in found)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (1, NANO),
        (0.5, NANO // 2),
        ("0.25", NANO // 4),
        (0, 0),
        (-1, None),
        (True, None),
        ("x", None),
        (1e10, None),
        (10**400, None),
    ],
)
def test_money_is_parsed_in_nano_units(value: object, amount: int | None) -> None:
    assert money(value) == amount


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (5, 5),
        (5.9, 5),
        ("5", 5),
        (-1, 0),
        ("-1", 0),
        ("²", 0),
        ("9" * 5000, 0),
        (True, 0),
        (None, 0),
        ([5], 0),
        (float("nan"), 0),
        (10**16, 0),
    ],
)
def test_counts_are_integers_and_never_negative(value: object, count: int) -> None:
    assert parse_count(value) == count


@given(st.text(st.characters()) | st.just("caf\udce9 \ud83d"))
def test_encodable_text_can_be_encoded_and_keeps_other_characters(text: str) -> None:
    made = encodable(text)
    assert len(made.encode().decode()) == len(text)
    assert [new for old, new in zip(text, made, strict=True) if old != new] == ["?"] * sum(
        "\ud800" <= c <= "\udfff" for c in text
    )


def test_error_with_a_lone_surrogate_is_serializable() -> None:
    error = InvalidRequestError("no \udcff", param="\udcff", details=("\udcff",))
    assert json.loads(orjson.dumps(error.to_json()))["error"]["message"] == "no ?"
