"""The names of tools that cannot run here."""

from zeroconf_ai.dialects.dropped_tools import dropped_names


def test_dropped_names_are_different_and_bounded() -> None:
    assert dropped_names(["web_search", "web_search", "x" * 65]) == ("web_search", "x" * 64)
    assert dropped_names(str(number) for number in range(1000)) == tuple(str(number) for number in range(64))
