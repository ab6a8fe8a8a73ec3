"""The alerts of `usage_tracking:`, who gets them, and the mail server that carries them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import re
from typing import Final

from ..protocol.addresses import url_parts
from ..protocol.values import NANO
from .connection_fields import resolve_secret
from .document import Value, suggestion

COST_THRESHOLD: Final = "cost_threshold"
SECURITIES: Final = ("starttls", "tls", "none")
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*")
NTFY = re.compile(r"ntfy:(?://(?P<host>[A-Za-z0-9.-]+(?::\d{1,5})?)/)?(?P<topic>[A-Za-z0-9_-]{1,64})")
"""A topic of ntfy: `ntfy:TOPIC` at ntfy.sh, or `ntfy://HOST/TOPIC`."""
_SMTP = ("host", "port", "security", "user", "password", "sender")


@dataclass(frozen=True, slots=True)
class CostAlert:
    """A cost of a calendar month in nano-units, and who is notified: mail addresses, `ntfy:…`, and URLs of webhooks."""

    value: int
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """A server that takes mail; by default the one of this machine."""

    host: str = "localhost"
    port: int = _PORTS["none"]
    security: str = "none"
    """One of `SECURITIES`."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    sender: str | None = None
    """The address from which alerts come; None: the recipient's own."""


def is_mail_address(text: str) -> bool:
    """Whether a text is a mail address."""
    return len(text) <= 254 and _MAIL.fullmatch(text) is not None


def read_alert(value: Value, given: Mapping[str, Value]) -> CostAlert:
    """Read an alert from its values by key. Raises ConfigError."""
    for needed in ("type", "value"):
        if needed not in given:
            raise value.error(f"an alert needs `{needed}:`.")
    if (word := given["type"].text()) != COST_THRESHOLD:
        raise given["type"].error(f"this type of alert is not known. {suggestion(word, [COST_THRESHOLD])}")
    targets: tuple[str, ...] = ()
    if "notify" in given:
        listed = [given["notify"]] if given["notify"].is_single else given["notify"].items()
        targets = tuple(map(read_target, listed))
    return CostAlert(round(given["value"].number(0, 999_999) * NANO), targets)


def read_smtp(given: Mapping[str, Value] | None, environment: Mapping[str, str]) -> SmtpSettings | None:
    """Read the mail server from its values by key and the variables `SMTP_…`; None if none is set. Raises ConfigError."""
    found: dict[str, str] = {}
    for name in _SMTP:
        if given is not None and name in given and name != "port":
            text, missing = resolve_secret(given[name], environment)
            if text is None:
                raise given[name].error(f"the variable {missing} is not set. Set it in the environment.")
            found[name] = text
        elif text := environment.get(f"SMTP_{name.upper()}"):
            found[name] = text
    if not found:
        return None
    security = found.get("security", "starttls" if "user" in found else "none")
    if security not in SECURITIES:
        message = f"this security is not known. {suggestion(security, SECURITIES)}"
        raise given["security"].error(message) if given is not None and "security" in given else ValueError(message)
    port = found.get("port", "")
    number = int(port) if port.isdecimal() and 0 < int(port) < 65536 else _PORTS[security]
    if given is not None and "port" in given:
        number = given["port"].whole(1, 65535)
    return SmtpSettings(
        found.get("host", "localhost"), number, security, found.get("user"), found.get("password"), found.get("sender")
    )


def smtp_keys() -> tuple[str, ...]:
    """The keys of `smtp:`."""
    return _SMTP


def read_target(value: Value) -> str:
    """A mail address, the URL of a webhook, or a topic of ntfy. Raises ConfigError."""
    text = value.text()
    if is_mail_address(text) or NTFY.fullmatch(text):
        return text
    parts = url_parts(text)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise value.error("notify must be a mail address, the URL of a webhook, or ntfy:TOPIC.")
    return text
