"""`Program`: what the page of a server needs from the program that runs it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ...admin.connectors import RelayControl
from ...lan.providers import Provider
from ...protocol.record import ServiceRecord


async def _nothing_found() -> Sequence[Provider]:
    return ()


@dataclass(slots=True)
class Program:
    """Functions of the program that runs a server. The defaults are those of one without state folder and advertisement."""

    save_home_only: Callable[[bool], None] = lambda enabled: None
    """Stores the home-only switch for the next start. Blocking."""
    scan: Callable[[], Awaitable[Sequence[Provider]]] = _nothing_found
    """Looks for providers on the network for some seconds. Raises UnavailableError without multicast DNS."""
    advertised: Callable[[], ServiceRecord | None] = lambda: None
    """What the server advertises now; None: nothing."""
    relay: RelayControl | None = None
    """Its connectors; None: it takes none."""
