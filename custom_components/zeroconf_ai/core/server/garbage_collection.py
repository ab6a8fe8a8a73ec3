"""The garbage collection threshold of a gateway's process."""

from collections.abc import Callable
import gc

THRESHOLD = 20_000
"""New containers after which the youngest generation is collected.

A running request has about a hundred. With Python's default of 2,000, twenty requests trigger a collection while they still run.
Their containers move to the oldest generation, whose collections then become frequent: they visit all containers of the process.
"""


def raise_threshold() -> Callable[[], None]:
    """Raise the threshold to THRESHOLD, unless collection is disabled or the threshold is higher already.

    Returns a function that restores the previous threshold, unless another one was set in between.
    """
    former = gc.get_threshold()
    if not 0 < former[0] < THRESHOLD:
        return lambda: None
    raised = (THRESHOLD, *former[1:])
    gc.set_threshold(*raised)

    def restore() -> None:
        if gc.get_threshold() == raised:
            gc.set_threshold(*former)

    return restore
