"""`OwnCertificates`: the client certificates of one user, ready for connections, and renewed in time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
import logging
import ssl
from typing import Final, Self

import aiohttp

from ..backends.enrolments import Enrolment, EnrolmentStore, moved
from ..backends.identity_probe import IdentityProbe
from ..lan.identity import Confirmed, Reply, Target, Verdict, identify_any
from ..lan.providers import Provider
from ..protocol.errors import ApiError, CertificateError
from ..protocol.record import ServiceRecord
from .enrolment import Enrolled
from .enrolment_wire import PinChangedError
from .renewal import follow_hand_over, renew

_LOGGER = logging.getLogger(__name__)

CHECK_SECONDS: Final = 6 * 3600.0
"""Interval between checks whether a certificate must be renewed."""
RELOAD_SECONDS: Final = 30.0
"""Interval between looks for enrolments that the command has made."""


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """One enrolment, and the TLS context of connections to its provider."""

    enrolment: Enrolment
    context: ssl.SSLContext = field(repr=False)


class OwnCertificates:
    """The enrolments in a folder. Belongs to one event loop."""

    def __init__(self, session: aiohttp.ClientSession, store: EnrolmentStore) -> None:
        """`session` is shared and stays open. Nothing is read before `load`."""
        self._session = session
        self._store = store
        self._held: dict[str, OwnCertificate] = {}
        self._listeners: list[Callable[[Enrolment], None]] = []
        self._lock = asyncio.Lock()

    async def load(self) -> Self:
        """Read all enrolments, also new ones of the command. One that cannot be used is left out, and logged."""
        for enrolment in await asyncio.to_thread(self._store.all):
            held = self._held.get(enrolment.provider_id)
            if (held is None or held.enrolment != enrolment) and await self._hold(enrolment) is not None:
                self._tell(enrolment)
        return self

    def of(self, provider_id: str) -> OwnCertificate | None:
        """The certificate for a provider, by its id."""
        return self._held.get(provider_id)

    def at(self, base_url: str) -> OwnCertificate | None:
        """The certificate for the provider at an https address."""
        return next((held for held in self._held.values() if held.enrolment.is_at(base_url)), None)

    def listen(self, listener: Callable[[Enrolment], None]) -> Callable[[], None]:
        """Call `listener` whenever an enrolment has another certificate, pin or address. Returns a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def add(self, enrolled: Enrolled) -> OwnCertificate:
        """Store a new enrolment. Raises OSError."""
        await asyncio.to_thread(enrolled.save, self._store)
        if (held := await self._hold(enrolled.enrolment)) is None:
            raise OSError(f"the certificate for {enrolled.enrolment.name} cannot be used")
        self._tell(held.enrolment)
        return held

    async def forget(self, provider_id: str) -> None:
        """Delete the enrolment with a provider, if there is one. Raises OSError."""
        self._held.pop(provider_id, None)
        await asyncio.to_thread(self._store.forget, provider_id)

    async def move(self, provider_id: str, *, base_url: str | None = None, pin: str | None = None) -> OwnCertificate | None:
        """Store another address, or another pin that was proven or that the owner has confirmed. Raises OSError."""
        held = self._held.get(provider_id)
        if held is None:
            return None
        changed = moved(held.enrolment, base_url=base_url, pin=pin)
        if changed == held.enrolment:
            return held
        await asyncio.to_thread(self._store.update, changed)
        fresh = await self._hold(changed)
        self._tell(changed)
        return fresh

    async def follow(self, provider_id: str) -> OwnCertificate | None:
        """Follow a renewed certificate of the provider at its stored address, if the pinned one signed it.

        Raises PinChangedError for another one. A provider that does not answer changes nothing.
        """
        held = self._held.get(provider_id)
        if held is None:
            return None
        try:
            followed = await follow_hand_over(self._session, self._store, held.enrolment)
        except PinChangedError:
            raise
        except ApiError as err:
            _LOGGER.debug("%s does not show its certificate: %s", held.enrolment.name, err)
            return held
        if followed == held.enrolment:
            return held
        fresh = await self._hold(followed)
        self._tell(followed)
        return fresh

    async def renew_due(self, provider_id: str | None = None) -> None:
        """Renew the certificates that have a third of their lifetime left or less; `provider_id`: only that provider's.

        A failure is logged: the present certificate is used until it expires.
        """
        async with self._lock:
            for held in [*self._held.values()]:
                enrolment = held.enrolment
                if provider_id in (None, enrolment.provider_id) and enrolment.is_due():
                    await self._renew(enrolment)

    async def locate(self, provider: Provider) -> tuple[ServiceRecord, OwnCertificate] | None:
        """The record of an advertised provider, and the certificate for it, whose enrolment has its address, or None.

        A new address is followed if the pinned certificate is presented there, and another certificate if the pinned one signed
        it. Raises CertificateError for any other one, and OSError if the enrolment cannot be stored.
        """
        if (held := self._held.get(provider.id)) is None:
            return None
        enrolment, name = held.enrolment, provider.record.name
        known = Confirmed(provider.id, enrolment.base_url, enrolment.pin)
        probe = IdentityProbe(self._session, name, provider.id)
        found = await identify_any(provider.records, known, probe)
        if found.verdict is Verdict.SAME and await probe(Target(known.base_url, known.fingerprint)) is Reply.SILENT:
            found = await identify_any(provider.records, known, probe, beyond_confirmed=True)
        if found.verdict in (Verdict.MOVED_UNPROVEN, Verdict.CHANGED) and not found.follow:
            where = found.base_url or enrolment.base_url
            raise CertificateError(
                f"{name} is advertised at {where} with another certificate than the pinned one. Nothing was sent there. If its"
                " owner has made the certificate anew, enrol with it again"
            )
        if found.follow:
            held = await self.move(provider.id, base_url=found.base_url, pin=found.fingerprint) or held
        return found.record, held

    async def keep_renewed(self) -> None:
        """Renew the certificates in time, and use new enrolments of the command, until cancelled."""
        while True:
            for provider_id in [*self._held]:
                try:
                    await self.follow(provider_id)
                except CertificateError as err:
                    _LOGGER.warning("%s", err.message)
            await self.renew_due()
            for _ in range(int(CHECK_SECONDS // RELOAD_SECONDS)):
                await asyncio.sleep(RELOAD_SECONDS)
                await self.load()

    async def _renew(self, enrolment: Enrolment) -> None:
        try:
            renewed = await renew(self._session, self._store, enrolment)
        except (ApiError, OSError) as err:
            until = enrolment.end.strftime("%Y-%m-%d")
            _LOGGER.warning("The certificate for %s, valid until %s, is not renewed: %s", enrolment.name, until, err)
            return
        if await self._hold(renewed) is not None:
            self._tell(renewed)

    async def _hold(self, enrolment: Enrolment) -> OwnCertificate | None:
        try:
            context = await asyncio.to_thread(self._store.context, enrolment)
        except (OSError, ValueError) as err:  # ssl.SSLError is an OSError
            _LOGGER.warning("The client certificate for %s cannot be used: %s", enrolment.name, type(err).__name__)
            self._held.pop(enrolment.provider_id, None)
            return None
        held = self._held[enrolment.provider_id] = OwnCertificate(enrolment, context)
        return held

    def _tell(self, enrolment: Enrolment) -> None:
        for listener in [*self._listeners]:
            listener(enrolment)
