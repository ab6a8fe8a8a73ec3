"""Values of strangers."""

import unicodedata

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.protocol.values import NANO, clean, mapping, money, whole

anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()) | st.just("9" * 5000)


@given(anything)
def test_nothing_makes_a_reader_fail(value: object) -> None:
    assert 0 <= whole(value) <= 10**15
    amount = money(value)
    assert amount is None or 0 <= amount <= 10**9 * NANO
    assert isinstance(mapping(value), dict)


@given(st.text(), st.integers(0, 300))
def test_clean_text_is_short_and_shows_what_it_holds(text: str, limit: int) -> None:
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
def test_money_is_counted_in_nano_units(value: object, amount: int | None) -> None:
    assert money(value) == amount


@pytest.mark.parametrize(("value", "count"), [(5, 5), (5.9, 5), (-1, 0), (True, 0), ("5", 0), (float("nan"), 0), (10**16, 0)])
def test_counts_are_whole_and_never_negative(value: object, count: int) -> None:
    assert whole(value) == count
