"""Finds the address at which an advertised provider answers. An advertisement may list several, some of them unreachable."""

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
"""Delay before the next address is tried in parallel (RFC 8305, section 5)."""
GRACE_SECONDS = 0.5
"""Extra time for better addresses after one has answered."""
_TIMEOUTS = Timeouts(connect=2.0)
"""A reachable host of the same network accepts a connection at once."""


async def locate(session: aiohttp.ClientSession, record: ServiceRecord) -> Located:
    """The first address of a record at which its provider answers a request without a key.

    An address that confirms the advertised id is preferred to one that reports no id or requires a key: other machines may use
    the same address in a container network. Raises the most specific ApiError if no address answers.
    """
    try:
        endpoint = replace(endpoint_of_record(record), key=None)
    except ValueError:
        raise CertificateError(f"{record.name} advertises an invalid certificate fingerprint") from None
    attempts: list[asyncio.Task[Located]] = []
    try:
        for url in record.urls():
            attempts.append(asyncio.create_task(_attempt(session, replace(endpoint, base_url=url), record)))
            await _wait(attempts, STAGGER_SECONDS)
            if _confirmed(attempts, record):
                break
        while not _successful(attempts) and _pending(attempts):
            await _wait(attempts, None)
        confirmed = _confirmed(attempts, record)
        await _wait(attempts[: attempts.index(confirmed[0])] if confirmed else attempts, GRACE_SECONDS, asyncio.ALL_COMPLETED)
        for found in (_confirmed(attempts, record), _successful(attempts)):
            if found:
                return found[0].result()
        raise _most_specific_error(attempts)
    finally:
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)


async def _attempt(session: aiohttp.ClientSession, endpoint: Endpoint, record: ServiceRecord) -> Located:
    """Probe one address. Raises ApiError, IdentityChangedError if another provider answers."""
    try:
        health = await probe(session, endpoint, record.name, _TIMEOUTS)
    except AuthenticationError:
        return Located(endpoint.base_url, None)
    if health.id not in (None, record.id) and not record.id_derived:
        message = "a different provider answers at the advertised address"
        raise IdentityChangedError(message, log_text=f"{message}: {endpoint.base_url}")
    return Located(endpoint.base_url, health)


async def _wait(attempts: Iterable[asyncio.Task[Located]], seconds: float | None, until: str = asyncio.FIRST_COMPLETED) -> None:
    if pending := _pending(attempts):
        await asyncio.wait(pending, timeout=seconds, return_when=until)


def _pending(attempts: Iterable[asyncio.Task[Located]]) -> list[asyncio.Task[Located]]:
    return [attempt for attempt in attempts if not attempt.done()]


def _successful(attempts: Iterable[asyncio.Task[Located]]) -> list[asyncio.Task[Located]]:
    """The successful attempts, in the order of the addresses."""
    return [attempt for attempt in attempts if attempt.done() and attempt.exception() is None]


def _confirmed(attempts: Iterable[asyncio.Task[Located]], record: ServiceRecord) -> list[asyncio.Task[Located]]:
    """The attempts that confirmed the advertised id."""
    return [
        attempt for attempt in _successful(attempts) if (health := attempt.result().health) is not None and health.id == record.id
    ]


def _most_specific_error(attempts: Sequence[asyncio.Task[Located]]) -> BaseException:
    """The first error that is not about the connection, else the first one."""
    errors = [error for attempt in attempts if (error := attempt.exception()) is not None]
    unexpected = [error for error in errors if not isinstance(error, ApiError)]
    return min(unexpected or errors, key=lambda error: type(error) in (UpstreamConnectionError, UpstreamTimeoutError))
