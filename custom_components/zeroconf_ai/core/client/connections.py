"""`Connections`: an engine with the providers of the network, each at an address that its identity is known to have."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
import re
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import aiohttp
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncZeroconf

from ..backends.base import BackendInfo, Endpoint
from ..backends.identity_probe import IdentityProbe, confirmed_key, proves_key
from ..backends.locate import locate
from ..backends.zeroconfai import endpoint_of_record, fingerprint_ssl
from ..config.base_paths import base_path
from ..engine import Engine
from ..lan.discovery import DiscoveryManager
from ..lan.identity import Confirmed, Reply, Target, Verdict, identify_any
from ..lan.interfaces import interface_addresses
from ..lan.providers import Provider
from ..lan.trust import Trust, TrustStore
from ..presence.household_access import HouseholdAccess
from ..presence.provider_backend import ProviderBackend
from ..protocol.errors import ApiError, CertificateError, UnavailableError
from ..protocol.household import HouseholdCode, HouseholdKey, SealError
from ..protocol.record import Auth, ServiceRecord, names_public_host
from ..protocol.status import ProviderState
from ..routing.pool.member import Member

if TYPE_CHECKING:
    from ..presence.own_certificates import OwnCertificate, OwnCertificates

_URL = re.compile(r"(?P<scheme>https?)://(?P<rest>[^\s?#]+)|(?P<bare>(?:[\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}(?:/[^\s?#]*)?)")


class NoProviderError(UnavailableError):
    """No provider can be used. The message says why and what to do."""


class KeyRequiredError(NoProviderError):
    """Every provider that may be used requires an API key, and the key is missing or wrong."""

    names: tuple[str, ...] = ()
    """The names of these providers, if the caller named no provider."""


@dataclass(frozen=True, slots=True)
class Hints:
    """How the caller's own options are written, for errors that say which one to set."""

    provider: str = 'provider="NAME"'
    url: str = 'Client("http://HOST:PORT")'
    key: str = "key="
    trust: str = "trust=True"
    enroll: str = "zeroconf-ai enroll {address}"
    """How to get a client certificate of the server at `{address}`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which providers to connect to, and how."""

    provider: str | None = None
    """The name or id of a provider on the network, or a URL; None: all that need no key."""
    key: str | None = None
    """The API key of `provider`."""
    trust: bool = False
    """Whether to accept the new identity or the new address of a known provider."""
    interfaces: tuple[str, ...] = ()
    """IP addresses of the interfaces to search on; empty: all."""
    household: str | None = field(default=None, repr=False)
    """The household code: providers of the household need no key."""


@dataclass(frozen=True, slots=True)
class _Located:
    """A discovered provider and the endpoint to which requests may be sent."""

    record: ServiceRecord
    endpoint: Endpoint


class Connections:
    """An engine with the providers that were found."""

    def __init__(self, engine: Engine, stack: AsyncExitStack, trust: TrustStore, wanted: Wanted, hints: Hints) -> None:
        """Made by `open`."""
        self.engine = engine
        self._stack = stack
        self._trust = trust
        self._wanted = wanted
        self._hints = hints
        self._found: dict[str, _Located] = {}
        self._household: HouseholdAccess | None = None
        self._certificates: OwnCertificates | None = None
        self.left_out: list[ServiceRecord] = []
        """Providers on the network that require an API key, if the caller named no provider."""

    @classmethod
    async def open(
        cls, wanted: Wanted, *, trust_file: Path | None, hints: Hints | None = None, enrolments: Path | None = None
    ) -> Self:
        """Find the providers. `trust_file` keeps the identities of providers that answered; None: they are not kept.

        `enrolments`: the folder with the client certificates; None: none is used. Raises NoProviderError if no provider can be
        used.
        """
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            engine = Engine()
            stack.push_async_callback(engine.close)
            made = cls(engine, stack, TrustStore(trust_file), wanted, hints or Hints())
            if wanted.household is not None:
                key = await asyncio.to_thread(HouseholdKey, HouseholdCode.parse(wanted.household))
                made._household = HouseholdAccess((key,))
            if enrolments is not None:
                made._certificates = await _own_certificates(session, enrolments)
            if wanted.provider is not None and (url := base_url_of(wanted.provider)) is not None:
                endpoint = Endpoint(url, wanted.key)
                if made._certificates is not None and (held := made._certificates.at(url)) is not None:
                    endpoint = replace(endpoint, ssl=(await made._followed_certificate(held)).context)
                elif (pinned := made._trust.certificate_at(url)) is not None:
                    endpoint = replace(endpoint, ssl=fingerprint_ssl(pinned))
                engine.add(ProviderBackend(session, BackendInfo(url, url), endpoint))
            else:
                await made._discover(session)
            await asyncio.gather(*(engine.checker.check(member) for member in engine.pool))
            if not any(member.online for member in engine.pool):
                unauthorized = all(
                    member.state is ProviderState.UNAUTHORIZED and not member.wants_certificate for member in engine.pool
                )
                error = KeyRequiredError if unauthorized else NoProviderError
                raise error(" ".join(made._why_not(member) for member in engine.pool))
            made._stack = stack.pop_all()
        return made

    async def close(self) -> None:
        """Close the engine and its connections."""
        await self._stack.aclose()

    @property
    def members(self) -> list[Member]:
        """The providers in the order of preference, those that answer first."""
        return sorted(self.engine.pool, key=lambda member: (not member.online, member.priority))

    def confirm(self, provider_id: str) -> None:
        """Keep the identity of the provider that answered, at the address where it did."""
        if (found := self._found.get(provider_id)) is None:
            return
        pin = self._trust.pin(found.record.id)
        if pin is None or pin.base_url != found.endpoint.base_url or self._wanted.trust:
            self._trust.confirm(found.record, found.endpoint.base_url)

    async def usage(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        """The usage that the first provider recorded. Raises ApiError."""
        backend = self.members[0].backend
        assert isinstance(backend, ProviderBackend)
        return await backend.usage(query)

    async def _discover(self, session: aiohttp.ClientSession) -> None:
        providers = [await self._followed(session, provider) for provider in await self._scan()]
        chosen = choose(providers, self._wanted, self._hints, self._admits)
        if self._wanted.provider is None:
            self.left_out = [found.record for found in providers if found.record.auth is not Auth.NONE and found not in chosen]
        located = await asyncio.gather(*(self._locate(session, provider) for provider in chosen), return_exceptions=True)
        errors: list[BaseException] = []
        for found in located:
            if isinstance(found, BaseException):
                errors.append(found)
                continue
            record = found.record
            backend = ProviderBackend(session, BackendInfo(record.id, record.name), found.endpoint)
            backend.update_record(record)
            backend.identity = None if record.id_derived else record.id
            if self._by_household(record):
                backend.renew_key_by(partial(self._renew, record.id, backend))
            self.engine.add(backend)
            self._found[record.id] = found
        if not self._found:
            raise errors[0]

    async def _followed(self, session: aiohttp.ClientSession, provider: Provider) -> Provider:
        """The provider, whose pin moves to its new certificate if the pinned one signed it."""
        pin = self._trust.pin(provider.id)
        if provider.trust is not Trust.CHANGED or pin is None or pin.fingerprint is None:
            return provider
        known = Confirmed(pin.id, pin.base_url or "", pin.fingerprint)
        found = await identify_any(provider.records, known, IdentityProbe(session, provider.record.name, provider.id))
        if found.fingerprint is None or found.base_url is None:
            return provider
        self._trust.confirm(found.record, found.base_url)
        return replace(provider, record=found.record, trust=self._trust.judge(found.record))

    async def _scan(self) -> list[Provider]:
        async with open_zeroconf(self._wanted.interfaces) as zeroconf, DiscoveryManager(zeroconf, trust=self._trust) as manager:
            return await manager.scan_network()

    def _by_household(self, record: ServiceRecord) -> bool:
        """Whether a provider is used with the household's token."""
        return self._wanted.key is None and self._household is not None and self._household.applies(record)

    def _admits(self, record: ServiceRecord) -> bool:
        """Whether a provider accepts this client without an API key: by its certificate, or by the household's token."""
        return self._certificate(record.id) is not None or self._opens(record)

    def _certificate(self, provider_id: str) -> "OwnCertificate | None":
        return None if self._certificates is None else self._certificates.of(provider_id)

    async def _followed_certificate(self, held: "OwnCertificate") -> "OwnCertificate":
        """The certificate for a provider, renewed if it is due. Raises NoProviderError if the provider has another one itself."""
        assert self._certificates is not None
        provider_id = held.enrolment.provider_id
        try:
            await self._certificates.follow(provider_id)
        except CertificateError as err:
            raise NoProviderError(f"{err.message}: {self._enroll_at(held.enrolment.base_url)}") from None
        await self._certificates.renew_due(provider_id)
        return self._certificates.of(provider_id) or held

    def _enroll_at(self, base_url: str) -> str:
        """How to enrol with the provider at an address."""
        return self._hints.enroll.format(address=urlsplit(base_url).netloc)

    def _opens(self, record: ServiceRecord) -> bool:
        return self._by_household(record) and self._household is not None and self._household.opens(record)

    async def _renew(self, provider_id: str, backend: ProviderBackend) -> bool:
        """Use the token that the provider advertises now; returns whether it is another one than before."""
        try:
            providers = await self._scan()
        except NoProviderError:
            return False
        record = next((found.record for found in providers if found.id == provider_id), None)
        return record is not None and self._household is not None and await self._household.renew(backend, record)

    async def _locate(self, session: aiohttp.ClientSession, provider: Provider) -> _Located:
        """The endpoint of a provider. Raises NoProviderError if its identity must be confirmed first."""
        if (held := self._certificate(provider.id)) is not None:
            return await self._locate_enrolled(provider, held)
        if not self._by_household(provider.record) or self._household is None:
            return await self._locate_with(session, provider, self._wanted.key)
        name = provider.record.name
        try:
            token = self._household.token(provider.record)
        except SealError as err:
            raise NoProviderError(f"{name} cannot be used with the household code: {err}.") from None
        found = await self._locate_with(session, provider, token)
        if not await proves_key(found.endpoint, name, provider.id, token):
            raise NoProviderError(
                f"{name} does not prove at {found.endpoint.base_url} that it knows the household's token. Nothing was sent there."
            )
        return found

    async def _locate_enrolled(self, provider: Provider, held: "OwnCertificate") -> _Located:
        """The endpoint of a provider that knows this client by a certificate. Raises NoProviderError for another server."""
        assert self._certificates is not None
        try:
            found = await self._certificates.locate(provider)
        except CertificateError as err:
            raise NoProviderError(f"{err.message}: {self._enroll_at(provider.base_url)}") from None
        await self._certificates.renew_due(provider.id)
        record = provider.record if found is None else found[0]
        held = self._certificates.of(provider.id) or held
        return _Located(record, Endpoint(held.enrolment.base_url, self._wanted.key, held.context))

    async def _locate_with(self, session: aiohttp.ClientSession, provider: Provider, key: str | None) -> _Located:
        """The endpoint of a provider, with a key. Raises NoProviderError if its identity must be confirmed first."""
        record = provider.record
        try:
            advertised = endpoint_of_record(record, key=key)
        except ValueError:
            raise NoProviderError(f"{record.name} advertises an invalid certificate fingerprint.") from None
        pin = self._trust.pin(record.id)
        if pin is None or self._wanted.trust:
            return _Located(record, replace(advertised, base_url=await _address(session, provider)))
        known = Confirmed(
            record.id,
            pin.base_url or "",
            pin.fingerprint,
            **confirmed_key(key),
            ephemeral=key is None and record.ephemeral_key is not None,
        )
        probe = IdentityProbe(session, record.name, record.id, key)
        found = await identify_any(provider.records, known, probe)
        if found.verdict is Verdict.SAME and await probe(Target(known.base_url, known.fingerprint)) is Reply.SILENT:
            found = await identify_any(provider.records, known, probe, beyond_confirmed=True)
        base_url = found.base_url if found.follow else pin.base_url
        if not base_url or (found.verdict in (Verdict.MOVED_UNPROVEN, Verdict.CHANGED) and not found.follow):
            raise NoProviderError(
                f"{record.name} is advertised at {found.base_url or advertised.base_url}, which was not confirmed, and it does"
                " not prove that it is the same provider. Nothing was sent there. If you moved or changed it, pass"
                f" {self._hints.trust} once."
            )
        here = base_url in found.record.base_urls()
        key = key or (found.record.ephemeral_key if here else None)
        ssl = fingerprint_ssl(pin.fingerprint) if pin.fingerprint else True
        return _Located(found.record, Endpoint(base_url, key, ssl, public_only=names_public_host(base_url)))

    def _why_not(self, member: Member) -> str:
        """Why a provider cannot be used, and what to do about it."""
        if member.state is not ProviderState.UNAUTHORIZED:
            return f"{(member.last_reason or f'{member.name} does not answer').rstrip('.')}."
        if member.wants_certificate:
            return f"{(member.last_reason or '').rstrip('.')}. Enrol with it: {self._enroll_at(member.backend.address or '')}"
        if self._wanted.key is None:
            return f"{member.name} requires an API key. Set {self._hints.key}."
        return f"{member.name} does not accept this API key."


async def _own_certificates(session: aiohttp.ClientSession, folder: Path) -> "OwnCertificates | None":
    """The client certificates in a folder; None if it does not exist, as for most clients, which then load no `cryptography`."""

    def make() -> "OwnCertificates | None":
        if not folder.is_dir():
            return None
        from ..backends.enrolments import EnrolmentStore  # noqa: PLC0415
        from ..presence.own_certificates import OwnCertificates  # noqa: PLC0415

        return OwnCertificates(session, EnrolmentStore(folder))

    made = await asyncio.to_thread(make)
    return None if made is None else await made.load()


def choose(
    providers: list[Provider], wanted: Wanted, hints: Hints, admits: Callable[[ServiceRecord], bool] = lambda _: False
) -> list[Provider]:
    """The providers that may be used. Raises NoProviderError with the reason if no provider may be used.

    `admits`: whether a provider knows this client without a key.
    """
    if not providers:
        raise NoProviderError(f"No provider was found on the network. Set a URL: {hints.url}")
    names = ", ".join(provider.record.name for provider in providers)
    if wanted.provider is None:
        known = [found for found in providers if found.trust is not Trust.CHANGED]
        usable = [found for found in known if found.record.auth is Auth.NONE or admits(found.record)]
        if not usable:
            if known and all(found.record.auth is Auth.MTLS for found in known):
                first = known[0].record
                how = hints.enroll.format(address=urlsplit(first.base_url()).netloc)
                raise NoProviderError(f"{first.name} requires a client certificate. Enrol with it: {how}")
            message = (
                f"Set {hints.provider}: an API key is sent only to the provider that you name, and each provider requires"
                f" one or has a changed identity. Found: {names}."
            )
            if locked := [found.record.name for found in known if found.record.auth is not Auth.MTLS]:
                error = KeyRequiredError(message)
                error.names = tuple(locked)
                raise error
            raise NoProviderError(message)
        return usable
    name = wanted.provider.casefold()
    named = [found for found in providers if name in (found.record.name.casefold(), found.record.id.casefold())]
    if not named:
        raise NoProviderError(f"No provider named {wanted.provider} was found. Found: {names}.")
    if named[0].trust is Trust.CHANGED and not wanted.trust:
        raise NoProviderError(
            f"{named[0].record.name} has another identity than when it was first used. If you expect this, pass"
            f" {hints.trust} once."
        )
    return named[:1]


def base_url_of(text: str) -> str | None:
    """The base URL for `text` (`HOST:PORT`, with or without a scheme and `/v1`); None for a name."""
    found = _URL.fullmatch(text.strip())
    if found is None:
        return None
    host, slash, path = (found["rest"] or found["bare"]).partition("/")
    return f"{found['scheme'] or 'http'}://{host}{base_path(slash + path) or '/v1'}"


@asynccontextmanager
async def open_zeroconf(interfaces: Sequence[str] = ()) -> AsyncIterator[AsyncZeroconf]:
    """Open multicast DNS on the interfaces with these addresses (none: all). Raises NoProviderError if that fails."""
    try:
        instance = _make_zeroconf(interfaces)
    except (OSError, RuntimeError) as err:
        raise NoProviderError(f"Multicast DNS is not available: {err}. Connect this machine to a network.") from None
    try:
        yield instance
    finally:
        await instance.async_close()


def _make_zeroconf(interfaces: Sequence[str]) -> AsyncZeroconf:
    if interfaces:
        return AsyncZeroconf(interfaces=list(interfaces))
    # Not the library's own "all", which includes loopback: it logs a traceback because ::1 has no multicast route.
    found = [entry.address for entry in interface_addresses() if not entry.address.is_loopback]
    addresses = list(dict.fromkeys(map(str, found))) or ["127.0.0.1"]
    try:
        return AsyncZeroconf(interfaces=addresses, ip_version=IPVersion.All)
    except OSError:  # a machine without IPv6
        return AsyncZeroconf(interfaces=[text for text in addresses if ":" not in text], ip_version=IPVersion.V4Only)


async def _address(session: aiohttp.ClientSession, provider: Provider) -> str:
    """The advertised address that answers, else the first one: a request to it then reports the error."""
    try:
        return (await locate(session, provider.record)).base_url
    except ApiError:
        return provider.base_url
