"""Reasoning and answers are separated wherever the stream is split."""

from itertools import pairwise
import time

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.protocol.thinking import Piece, ThinkSplitter, pieces_of, with_reasoning_cut


def split(*parts: str) -> list[Piece]:
    """All pieces, neighbours of one kind joined."""
    splitter = ThinkSplitter()
    joined: list[Piece] = []
    for piece in [piece for part in parts for piece in splitter.feed(part)] + splitter.flush():
        if joined and joined[-1].is_reasoning == piece.is_reasoning:
            joined[-1] = Piece(joined[-1].text + piece.text, piece.is_reasoning)
        else:
            joined.append(piece)
    return joined


texts = st.lists(
    st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>", "<THINK>", "<", ">", "</", "<th", "think", " ", "\n"])
    | st.text(max_size=4),
    max_size=30,
).map("".join)


@given(texts, st.lists(st.integers(0, 500), max_size=10))
def test_thinking_split_anywhere_gives_the_same_pieces(text: str, places: list[int]) -> None:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    assert split(*(text[begin:end] for begin, end in pairwise(edges))) == split(text)


@given(texts)
def test_thinking_fed_by_characters_gives_the_same_pieces(text: str) -> None:
    assert split(*text) == split(text)


TAGS = ["<think>", "</think>", "<thinking>", "</THINK>"]


@given(st.lists(st.sampled_from(TAGS) | st.text(st.characters(exclude_characters="<"), max_size=4)))
def test_thinking_tags_are_never_in_the_text(parts: list[str]) -> None:
    assert all(tag.lower() not in piece.text.lower() for piece in split("".join(parts)) for tag in TAGS)


@given(st.text(st.characters(exclude_characters="<")))
def test_thinking_text_without_tags_is_only_stripped_at_the_beginning(text: str) -> None:
    assert "".join(piece.text for piece in split(text)) == text.lstrip()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("<think>hm</think>Yes.", [("hm", True), ("Yes.", False)]),
        ("<think>\nhm\n</think>\n\nYes.", [("hm\n", True), ("Yes.", False)]),
        ("<THINKING>hm</Thinking>Yes.", [("hm", True), ("Yes.", False)]),
        ("First. <think>hm</think> Then.", [("First. ", False), ("hm", True), ("Then.", False)]),
        ("<think>never closed", [("never closed", True)]),
        ("hm</think>Yes.", [("hmYes.", False)]),
        ("<think></think>Yes.", [("Yes.", False)]),
        ("1 < 2 and 2 > 1", [("1 < 2 and 2 > 1", False)]),
        ("a <thinner> b", [("a <thinner> b", False)]),
        ("ends with <thi", [("ends with <thi", False)]),
        ("<<think>hm", [("<", False), ("hm", True)]),
        ("", []),
        ("<think>  ", []),
    ],
)
def test_thinking_tags_separate_reasoning_from_the_answer(text: str, pieces: list[tuple[str, bool]]) -> None:
    assert split(text) == pieces


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("hm</think>Yes.", [("hm", True), ("Yes.", False)]),
        ("\nOkay, the user\n</think>\n\nYes.", [("Okay, the user\n", True), ("Yes.", False)]),
        ("hm</THINKING>Yes.", [("hm", True), ("Yes.", False)]),
        ("hm</think>", [("hm", True)]),
        ("</think>\n\nYes.", [("Yes.", False)]),
        ("hm</think>Yes. <think>hm</think> Then.", [("hm", True), ("Yes. ", False), ("hm", True), ("Then.", False)]),
        ("<think>hm</think>Yes.</think>", [("hm", True), ("Yes.", False)]),
        ("The tag `</think>` ends it.", [("The tag `` ends it.", False)]),
        ("Yes.", [("Yes.", False)]),
        ("", []),
    ],
)
def test_thinking_without_an_opening_tag_is_cut_from_a_complete_text(text: str, pieces: list[tuple[str, bool]]) -> None:
    assert pieces_of(text) == pieces


@pytest.mark.parametrize(
    ("message", "cut"),
    [
        ({"content": "hm\n</think>\n\nYes."}, {"content": "Yes.", "reasoning_content": "hm"}),
        ({"content": "hm</think>Yes.", "reasoning": "hm"}, {"content": "Yes.", "reasoning": "hm"}),
        ({"content": "</think>Yes."}, {"content": "Yes."}),
        ({"content": "<think>hm</think>Yes."}, {"content": "<think>hm</think>Yes."}),
        ({"content": "The tag `</think>` ends it."}, {"content": "The tag `</think>` ends it."}),
        ({"content": None}, {"content": None}),
        ({"content": [{"type": "text", "text": "a</think>b"}]}, {"content": [{"type": "text", "text": "a</think>b"}]}),
    ],
)
def test_thinking_without_an_opening_tag_is_moved_to_the_reasoning_of_a_message(
    message: dict[str, object], cut: dict[str, object]
) -> None:
    assert with_reasoning_cut(message) == cut


@given(texts, st.lists(st.integers(0, 500), max_size=10))
def test_thinking_that_has_begun_split_anywhere_gives_the_same_pieces(text: str, places: list[int]) -> None:
    splitter = ThinkSplitter(begun=True)
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    parts = [piece for begin, end in pairwise(edges) for piece in splitter.feed(text[begin:end])] + splitter.flush()
    whole = ThinkSplitter(begun=True)
    same = whole.feed(text) + whole.flush()
    for kind in (True, False):
        assert "".join(p.text for p in parts if p.is_reasoning is kind) == "".join(p.text for p in same if p.is_reasoning is kind)


def test_thinking_unambiguous_text_is_returned_immediately() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed("Hello <") == [("Hello ", False)]
    assert splitter.feed("b>") == [("<b>", False)]


@pytest.mark.parametrize("unit", ["<", "<thin", "<think>a", "<think>a</think>b"])
def test_thinking_hostile_text_is_split_in_linear_time(unit: str) -> None:
    started = time.perf_counter()
    split(unit * (1_000_000 // len(unit)))
    assert time.perf_counter() - started < 10  # quadratic work would take minutes
