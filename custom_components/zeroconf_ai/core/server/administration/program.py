"""`Program`: what the page of a server needs from the program that runs it."""

from collections.abc import Callable
from dataclasses import dataclass

from ...protocol.record import ServiceRecord


@dataclass(slots=True)
class Program:
    """Functions of the program that runs a server. The defaults are those of one without state folder and advertisement."""

    save_home_only: Callable[[bool], None] = lambda enabled: None
    """Stores the home-only switch for the next start. Blocking."""
    advertised: Callable[[], ServiceRecord | None] = lambda: None
    """What the server advertises now; None: nothing."""
