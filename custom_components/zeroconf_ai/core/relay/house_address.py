"""The address of a house or a broker, as people write it, and the pin of its certificate."""

from ipaddress import ip_address

from ..protocol.addresses import url_parts

PATH = "/v1/relay"
_SCHEMES = {"wss": "wss", "https": "wss", "ws": "ws", "http": "ws"}
_LONGEST = 2048


class AddressError(ValueError):
    """A text that is no address of a house. The message says how to correct it."""


def relay_url(text: str) -> str:
    """The URL of the WebSocket: `ai.example.net`, `https://ai.example.net/zeroconf/` → `wss://…/v1/relay`. Raises AddressError.

    Only this machine itself may be asked without TLS: names, models and prompts would be readable on the way.
    """
    text = text.strip()
    if "://" not in text:
        text = f"wss://{text}"
    parts = url_parts(text)
    if parts is None or not parts.hostname or len(text) > _LONGEST or parts.scheme.lower() not in _SCHEMES:
        raise AddressError("write the address as wss://ai.example.net")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise AddressError("write the address without user name, password, ? and #")
    scheme = _SCHEMES[parts.scheme.lower()]
    if scheme == "ws" and not _is_this_machine(parts.hostname):
        raise AddressError(
            "the address must begin with wss:// or https://: without TLS everybody on the way could read all requests"
        )
    path = parts.path.rstrip("/")
    path = path.removesuffix(PATH).removesuffix("/v1")
    return f"{scheme}://{parts.netloc.lower()}{path}{PATH}"


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
