"""Reads the fields of an API key from the body of a command."""

from typing import Any

from ...accounting.budget import LARGEST
from ...accounting.keys.client_key import LARGEST_RATE, SCOPES
from ...admin.keys import check_expiry
from ...protocol.errors import InvalidRequestError
from ...protocol.hosted_tools import GRANTS
from ...protocol.values import NANO
from .fields import Body, flag, number, optional_number, texts


def key_fields(body: Body) -> dict[str, Any]:
    """The fields of a key that the body names; null removes an expiry or a limit."""
    found: dict[str, Any] = {}
    for name, most in (("labels", 100), ("models", 100), ("endpoints", len(SCOPES)), ("hosted_tools", len(GRANTS))):
        if name in body:
            found[name] = tuple(texts(body, name, most))
    if unknown := set(found.get("endpoints", ())) - set(SCOPES):
        raise InvalidRequestError(f"'endpoints' must be of: {', '.join(SCOPES)}; not {min(unknown)}.", param="endpoints")
    for name in ("background", "home_only"):
        if name in body:
            found[name] = flag(body, name)
    if "expires" in body:
        found["expires"] = optional_number(body, "expires")
        check_expiry(found["expires"])
    for name in ("requests_per_minute", "tokens_per_minute", "parallel"):
        if name in body:
            found[name] = None if body[name] is None else int(number(body, name, 1, LARGEST_RATE))
    if body.get("monthly_budget") is not None:
        number(body, "monthly_budget", 0, LARGEST // NANO)  # before anything is changed
    return found
