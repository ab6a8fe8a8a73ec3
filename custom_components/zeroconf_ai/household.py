"""The household of this Home Assistant: opens and checks the tokens that providers of the household advertise.

One code is enough: the gateway's (*Configure*, *Household*). Without it, a provider's entry has the code that was entered for it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import CONF_HOUSEHOLD, CONF_PROVIDER_ID, DOMAIN
from .core.backends.base import Endpoint
from .core.presence.household_access import HouseholdAccess
from .core.protocol.household import HouseholdCode, HouseholdError, HouseholdKey, SealError, WrongPassphraseError
from .core.protocol.record import ServiceRecord
from .data import DATA, gateway_entry, provider_entries

_MOST_KEYS = 8
"""Keys that are kept in memory; a home has one household, sometimes two."""


class UnprovenTokenError(SealError):
    """The server does not prove that it knows the token in its advertisement, so it may be another server."""

    def __init__(self) -> None:
        super().__init__("it does not prove that it knows the household token in its advertisement")


class NoTokenError(SealError):
    """The provider is not advertised, or without a household token."""

    def __init__(self) -> None:
        super().__init__("it advertises no household token")


class _Keys:
    """The keys of household codes, each derived once."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._deriving = asyncio.Lock()  # each derivation takes 128 MiB
        self._keys: dict[str, HouseholdKey] = {}

    async def of(self, code: str) -> HouseholdKey | None:
        """The key of a code; None for a text that is no code."""
        async with self._deriving:
            if (key := self._keys.get(code)) is not None:
                return key
            try:
                parsed = HouseholdCode.parse(code)
            except HouseholdError:
                return None
            key = self._keys[code] = await self._hass.async_add_executor_job(HouseholdKey, parsed)
            if len(self._keys) > _MOST_KEYS:
                del self._keys[next(iter(self._keys))]
            return key


_KEYS: HassKey[_Keys] = HassKey(f"{DOMAIN}_household_keys")


def stored_codes(hass: HomeAssistant) -> list[str]:
    """The household codes that are set: the gateway's, then those that were entered for providers."""
    gateway = gateway_entry(hass)
    codes = [] if gateway is None else [gateway.options.get(CONF_HOUSEHOLD)]
    codes += [entry.data.get(CONF_HOUSEHOLD) for entry in provider_entries(hass, include_ignore=False)]
    return [code for code in dict.fromkeys(codes) if code]


def code_to_store(hass: HomeAssistant, entered: str | None) -> str:
    """The code for the entry of a provider: empty if the gateway has one, so that a change there applies to the provider too."""
    gateway = gateway_entry(hass)
    if entered is None and gateway is not None and gateway.options.get(CONF_HOUSEHOLD):
        return ""
    return entered or next(iter(stored_codes(hass)), "")


@callback
def replace_code(hass: HomeAssistant, former: str, code: str) -> None:
    """Replace a code of the household in the entries of all providers for which it was entered."""
    for entry in provider_entries(hass):
        if former and entry.data.get(CONF_HOUSEHOLD) == former != code:
            hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_HOUSEHOLD: code})


async def async_household_access(hass: HomeAssistant, entered: str | None = None) -> HouseholdAccess:
    """Access to the providers of the household, with the code that was `entered` or that is stored."""
    keys = hass.data.get(_KEYS)
    if keys is None:
        keys = hass.data[_KEYS] = _Keys(hass)
    codes = [entered] if entered is not None else stored_codes(hass)[:_MOST_KEYS]
    return HouseholdAccess([key for code in codes if (key := await keys.of(code)) is not None])


async def async_token(access: HouseholdAccess, records: Iterable[ServiceRecord], endpoint: Endpoint) -> str:
    """The token in one of the advertisements of a provider, which the server at `endpoint` proves that it knows.

    Raises SealError. What an advertisement that opens says goes before what others say, because anybody can advertise any id.
    """
    problem: SealError = NoTokenError()
    for record in records:
        if not access.applies(record):
            continue
        try:
            access.token(record)
        except WrongPassphraseError as err:
            problem = err if isinstance(problem, NoTokenError) else problem
            continue
        except SealError as err:
            problem = err
            continue
        if (token := await access.proven_token(record, endpoint)) is not None:
            return token
        problem = UnprovenTokenError()
    raise problem


async def async_token_of(hass: HomeAssistant, data: Mapping[str, Any], endpoint: Endpoint) -> str | None:
    """The token for a provider with the data of an entry; None if its entry uses no household token. Raises SealError."""
    if CONF_HOUSEHOLD not in data:
        return None
    provider = hass.data[DATA].discovery.get(data.get(CONF_PROVIDER_ID) or "")
    return await async_token(await async_household_access(hass), () if provider is None else provider.records, endpoint)
