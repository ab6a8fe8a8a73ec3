"""How often the process of a gateway collects garbage."""

from collections.abc import Callable
import gc

THRESHOLD = 20_000
"""New containers after which the youngest generation is collected.

A request in flight has about a hundred. With Python's 2,000, twenty requests are enough for a collection while they are still
running: their containers move on to the oldest generation, and time and again that is collected too, which visits all containers
of the process.
"""


def raise_threshold() -> Callable[[], None]:
    """Collect less often from now on, unless collection is off or is less frequent already.

    Returns a function that restores the former threshold, unless it was changed in between.
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
