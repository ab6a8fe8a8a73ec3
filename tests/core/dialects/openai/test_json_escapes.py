"""JSON text in pieces: lone surrogates are replaced wherever the pieces are cut, and nothing else changes."""

from itertools import pairwise
import json

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.dialects.openai.json_escapes import EscapeRepair
from zeroconf_ai.protocol.json import without_surrogates

texts = st.lists(
    st.sampled_from(["\\ud83d", "\\uDE00", "\\\\", "\\n", "\\u0041", "\\ud7ff", '\\"', "ud83d", "a", '"', "\\ud83d\\ude00"]),
    max_size=8,
).map("".join)


def repaired(*pieces: str) -> str:
    repair = EscapeRepair()
    return "".join(map(repair.feed, pieces)) + repair.flush()


@given(texts, st.lists(st.integers(0, 100), max_size=8))
def test_escapes_split_anywhere_are_repaired_like_the_whole(text: str, places: list[int]) -> None:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    pieces = [text[begin:end] for begin, end in pairwise(edges)]
    assert repaired(*pieces) == repaired(*text) == without_surrogates(text.encode()).decode()


@given(st.text())
def test_escapes_of_valid_json_are_unchanged(text: str) -> None:
    raw = json.dumps(text)
    assert repaired(*raw) == raw


@pytest.mark.parametrize("piece", ["{", '"a\\', "\\u", "\\u00", "\\n"])
def test_escapes_that_are_no_surrogates_are_not_held_back(piece: str) -> None:
    assert EscapeRepair().feed(piece) == piece


def test_escapes_half_of_a_pair_is_held_back_from_its_third_character() -> None:
    repair = EscapeRepair()
    assert [repair.feed(piece) for piece in ("a\\ud8", "3d\\ud", "e00b")] == ["a\\u", "", "d83d\\ude00b"]
