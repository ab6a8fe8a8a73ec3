"""Probes a provider with the household token that it advertises, instead of an API key."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..const import CONF_HOUSEHOLD
from ..core.backends.base import Endpoint
from ..core.backends.locate import locate
from ..core.backends.zeroconfai import endpoint_of_record
from ..core.protocol.errors import ApiError, IdentityChangedError
from ..core.protocol.household import HouseholdCode, HouseholdError, SealError, StaleTokenError, WrongPassphraseError
from ..core.protocol.record import ServiceRecord
from ..household import NoTokenError, async_household_access, async_token, async_token_of, stored_codes
from .probe import IDENTITY_MISMATCH, INVALID_RECORD, NEEDS_KEY, ProbedProvider, Problem, probe_endpoint, problem_of

HOUSEHOLD_INVALID = "household_invalid"
HOUSEHOLD_NEEDED = "household_needed"
HOUSEHOLD_OLD = "household_old"
HOUSEHOLD_UNPROVEN = "household_unproven"
HOUSEHOLD_WRONG = "household_wrong"
"""Flow errors of a household code or token."""


def entered_code(user_input: Mapping[str, Any]) -> str | None:
    """The household code in a form; None if the field is empty. Raises Problem."""
    text = user_input.get(CONF_HOUSEHOLD, "").strip()
    try:
        return HouseholdCode.parse(text).text if text else None
    except HouseholdError as err:
        raise Problem(HOUSEHOLD_INVALID) from err


async def has_household_token(hass: HomeAssistant, record: ServiceRecord) -> bool:
    """Whether the token in an advertisement opens with a code that is stored."""
    access = await async_household_access(hass)
    try:
        return access.applies(record) and bool(access.token(record))
    except SealError:
        return False


async def probe_household(hass: HomeAssistant, record: ServiceRecord, code: str | None) -> ProbedProvider:
    """Probe an advertised provider with its household token, which `code` or a stored code opens. Raises Problem."""
    session = async_get_clientsession(hass)
    try:
        endpoint = endpoint_of_record(record)
        located = await locate(session, record)
    except ValueError as err:
        raise Problem(INVALID_RECORD, "its certificate fingerprint is invalid") from err
    except IdentityChangedError as err:
        raise Problem(IDENTITY_MISMATCH) from err
    except ApiError as err:
        raise problem_of(err, keyed=False) from err
    endpoint = replace(endpoint, base_url=located.base_url)
    token = await household_token(hass, (record,), endpoint, code)
    return await probe_endpoint(session, replace(endpoint, key=token), record.name, advertised=record.models)


async def household_token(hass: HomeAssistant, records: Iterable[ServiceRecord], endpoint: Endpoint, code: str | None) -> str:
    """The token that the server at `endpoint` advertises and proves. Raises Problem, which says why there is none."""
    if code is None and not stored_codes(hass):
        raise Problem(HOUSEHOLD_NEEDED)
    try:
        return await async_token(await async_household_access(hass, code), records, endpoint)
    except SealError as err:
        raise _problem_of_token(err) from err


async def token_for_entry(hass: HomeAssistant, data: Mapping[str, Any], endpoint: Endpoint) -> str | None:
    """The proven token for a provider with the data of an entry; None if it uses none. Raises Problem."""
    try:
        return await async_token_of(hass, data, endpoint)
    except SealError as err:
        raise _problem_of_token(err) from err


def _problem_of_token(err: SealError) -> Problem:
    if isinstance(err, StaleTokenError):
        return Problem(HOUSEHOLD_OLD, str(err.hours))
    if isinstance(err, WrongPassphraseError):
        return Problem(HOUSEHOLD_WRONG)
    return Problem(NEEDS_KEY if isinstance(err, NoTokenError) else HOUSEHOLD_UNPROVEN)
