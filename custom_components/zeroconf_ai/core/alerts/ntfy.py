"""`Ntfy`: publishes alerts to a topic of ntfy (docs.ntfy.sh, "Publishing")."""

from typing import override

import aiohttp

from ..config.alert_fields import NTFY
from .alert import Alert
from .dispatcher import AlertError, Sender

_SECONDS = 10.0
_PUBLIC = "ntfy.sh"


class Ntfy(Sender):
    """A topic: `ntfy:TOPIC` at ntfy.sh, or `ntfy://HOST/TOPIC`. Who knows a topic can read it, so it is not named."""

    def __init__(self, session: aiohttp.ClientSession, target: str) -> None:
        """Raises ValueError for a target that `alert_fields.NTFY` does not match."""
        found = NTFY.fullmatch(target)
        if found is None:
            raise ValueError("no topic of ntfy")
        host = found["host"] or _PUBLIC
        scheme = "http" if ":" in host or host.endswith((".local", ".lan", ".home")) else "https"
        self._session = session
        self._host = host
        self._url = f"{scheme}://{host}"
        self._topic = found["topic"]

    @property
    @override
    def name(self) -> str:
        return f"ntfy ({self._host})"

    @override
    async def send(self, alert: Alert) -> None:
        body = {"topic": self._topic, "title": alert.title, "message": alert.text()}
        timeout = aiohttp.ClientTimeout(_SECONDS)
        try:
            async with self._session.post(self._url, json=body, allow_redirects=False, timeout=timeout) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            raise AlertError(f"no connection ({type(err).__name__})") from None
        if status >= 300:
            raise AlertError(f"status {status}")
