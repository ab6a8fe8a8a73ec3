"""`Webhook`: posts the facts of alerts as JSON."""

from ipaddress import ip_address
from typing import override

import aiohttp
from yarl import URL

from .alert import Alert
from .dispatcher import AlertError, Sender

_SECONDS = 10.0
_HOME_ENDINGS = (".local", ".lan", ".home", ".internal", ".home.arpa")


class Webhook(Sender):
    """A webhook. Only its host is named: the URL may contain a secret."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        """`url` is one for which `is_webhook` is true."""
        self._session = session
        self._url = url

    @property
    @override
    def name(self) -> str:
        return URL(self._url).host or "the webhook"

    @override
    async def send(self, alert: Alert) -> None:
        try:
            async with self._session.post(
                self._url, json=alert.to_json(), allow_redirects=False, timeout=aiohttp.ClientTimeout(_SECONDS)
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            raise AlertError(f"no connection ({type(err).__name__})") from None
        if status >= 300:
            raise AlertError(f"status {status}")


def is_webhook(text: str) -> bool:
    """Whether the URL is allowed as a webhook: any HTTPS URL, or HTTP to a host on the local network."""
    try:
        url = URL(text)
        host = url.host
    except ValueError:
        return False
    if not host or url.scheme not in ("http", "https"):
        return False
    if url.scheme == "https":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.casefold().rstrip(".").endswith(_HOME_ENDINGS)
    return address.is_private or address.is_link_local
