"""Hands the check of a confirmed provider from the config flow to the set-up of its entry: it is not checked twice."""

from dataclasses import dataclass
import time

from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..core.backends.base import Endpoint
from ..core.routing.pool.health import CheckResult

_FRESH_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Check:
    endpoint: Endpoint
    result: CheckResult
    made_at: float
    """`time.monotonic()`."""


_LAST: HassKey[_Check] = HassKey(f"{DOMAIN}_first_check")


def keep_check(hass: HomeAssistant, endpoint: Endpoint, result: CheckResult) -> None:
    """Keep a check of the provider that an entry is being created for."""
    hass.data[_LAST] = _Check(endpoint, result, time.monotonic())


def take_check(hass: HomeAssistant, endpoint: Endpoint) -> CheckResult | None:
    """Remove and return the kept check, if it is recent and was made at the same address with the same key."""
    check = hass.data.pop(_LAST, None)
    if check is None or time.monotonic() - check.made_at > _FRESH_SECONDS:
        return None
    same = (check.endpoint.base_url, check.endpoint.key) == (endpoint.base_url, endpoint.key)
    return check.result if same else None
