"""The threshold of the garbage collector while a gateway runs."""

from collections.abc import Iterator
import gc

import pytest

from zeroconf_ai.server.garbage_collection import THRESHOLD, raise_threshold


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_gc_threshold_raised_is_restored() -> None:
    gc.set_threshold(2_000, 11, 12)
    restore = raise_threshold()
    assert gc.get_threshold() == (THRESHOLD, 11, 12)
    restore()
    assert gc.get_threshold() == (2_000, 11, 12)


@pytest.mark.parametrize("youngest", [0, THRESHOLD, THRESHOLD + 1])
def test_gc_threshold_off_or_higher_is_kept(youngest: int) -> None:
    gc.set_threshold(youngest, 11, 12)
    raise_threshold()()
    assert gc.get_threshold() == (youngest, 11, 12)


def test_gc_threshold_changed_meanwhile_is_kept() -> None:
    gc.set_threshold(2_000, 11, 12)
    restore = raise_threshold()
    gc.set_threshold(3_000, 11, 12)
    restore()
    assert gc.get_threshold() == (3_000, 11, 12)
