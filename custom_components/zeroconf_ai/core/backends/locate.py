"""Finds the address at which an advertised provider answers. An advertisement may list several, and some may be dead."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

import aiohttp

from ..protocol.errors import (
    ApiError,
    AuthenticationError,
    CertificateError,
    IdentityChangedError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
)
from ..protocol.record import ServiceRecord
from ..protocol.status import Located
from .base import Endpoint, Timeouts
from .zeroconfai import endpoint_of_record, probe

STAGGER_SECONDS = 0.25
"""An address that has not answered for this long does not hold up the next one (RFC 8305, 5)."""
GRACE_SECONDS = 0.5
"""So long a better address may take when one has answered."""
_TIMEOUTS = Timeouts(connect=2.0)
"""A host of the same network takes a connection at once, or not at all."""


async def locate(session: aiohttp.ClientSession, record: ServiceRecord) -> Located:
    """The first address of a record at which its provider answers, asked without a key.

    An address where it names the advertised id is preferred to one that names none or asks for a key: other machines may have
    the address of a container network, too. Raises the ApiError that says most where no address answers.
    """
    try:
        endpoint = replace(endpoint_of_record(record), key=None)
    except ValueError:
        raise CertificateError(f"{record.name} advertises a certificate fingerprint that is none") from None
    attempts: list[asyncio.Task[Located]] = []
    try:
        for url in record.urls():
            attempts.append(asyncio.create_task(_attempt(session, replace(endpoint, base_url=url), record)))
            await _wait(attempts, STAGGER_SECONDS)
            if _proven(attempts, record):
                break
        while not _answers(attempts) and _pending(attempts):
            await _wait(attempts, None)
        proven = _proven(attempts, record)
        await _wait(attempts[: attempts.index(proven[0])] if proven else attempts, GRACE_SECONDS, asyncio.ALL_COMPLETED)
        for found in (_proven(attempts, record), _answers(attempts)):
            if found:
                return found[0].result()
        raise _telling(attempts)
    finally:
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)


async def _attempt(session: aiohttp.ClientSession, endpoint: Endpoint, record: ServiceRecord) -> Located:
    """Ask one address. Raises ApiError, IdentityChangedError where another provider answers."""
    try:
        health = await probe(session, endpoint, record.name, _TIMEOUTS)
    except AuthenticationError:
        return Located(endpoint.base_url, None)
    if health.id not in (None, record.id) and not record.id_derived:
        message = "another provider answers at the address than the one that is advertised"
        raise IdentityChangedError(message, log_text=f"{message}: {endpoint.base_url}")
    return Located(endpoint.base_url, health)


async def _wait(attempts: Iterable[asyncio.Task[Located]], seconds: float | None, until: str = asyncio.FIRST_COMPLETED) -> None:
    if pending := _pending(attempts):
        await asyncio.wait(pending, timeout=seconds, return_when=until)


def _pending(attempts: Iterable[asyncio.Task[Located]]) -> list[asyncio.Task[Located]]:
    return [attempt for attempt in attempts if not attempt.done()]


def _answers(attempts: Iterable[asyncio.Task[Located]]) -> list[asyncio.Task[Located]]:
    """Those that were answered, in the order of the addresses."""
    return [attempt for attempt in attempts if attempt.done() and attempt.exception() is None]


def _proven(attempts: Iterable[asyncio.Task[Located]], record: ServiceRecord) -> list[asyncio.Task[Located]]:
    """Those that were answered under the advertised id."""
    return [
        attempt for attempt in _answers(attempts) if (health := attempt.result().health) is not None and health.id == record.id
    ]


def _telling(attempts: Sequence[asyncio.Task[Located]]) -> BaseException:
    """The first error that says more than that there is no connection, else the first one."""
    errors = [error for attempt in attempts if (error := attempt.exception()) is not None]
    unexpected = [error for error in errors if not isinstance(error, ApiError)]
    return min(unexpected or errors, key=lambda error: type(error) in (UpstreamConnectionError, UpstreamTimeoutError))
