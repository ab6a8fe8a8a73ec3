"""Decides whether an advertisement belongs to a confirmed provider, and whether requests may go to a new address.

An id is public and proves nothing (docs/protocol.md, section 1). A provider is followed to a new address only if its pinned
certificate is presented there, if it proves that it knows the key, or if neither was confirmed, so that only its id is known.
Otherwise the owner must confirm the address; until then neither prompts nor keys are sent to it.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import islice

from ..protocol.record import Placement, ServiceRecord

MAX_RECORDS = 8
"""Maximum number of advertisements of one id that are considered."""


class Verdict(StrEnum):
    """The relation of an advertisement to a confirmed provider."""

    SAME = "same"
    """The provider is at its confirmed address."""
    MOVED_PROVEN = "moved_proven"
    """It is at a new address, proven by its pinned certificate or by the key."""
    MOVED_UNPROVEN = "moved_unproven"
    """A server at a new address claims to be the provider without proof."""
    CHANGED = "changed"
    """Another id, or another certificate than the pinned one (or none)."""
    UNREACHABLE = "unreachable"
    """No server answers at the new address."""


class Reply(StrEnum):
    """The result of probing an address without the key."""

    PROVEN = "proven"
    """The known id with a proof of the key."""
    KNOWN = "known"
    """The known id."""
    UNNAMED = "unnamed"
    """A provider that reports no id."""
    WANTS_KEY = "wants_key"
    """A server that requires a key for every request."""
    OTHER = "other"
    """A provider with another id."""
    HANDED_OVER = "handed_over"
    """The known id, whose pinned certificate signed the presented one."""
    SILENT = "silent"
    """No provider, or another certificate than the required one."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address to probe."""

    base_url: str
    fingerprint: str | None = None
    """The required certificate."""
    verify: bool = True
    """Whether the certificate is verified if there is no fingerprint."""
    public_only: bool = False
    """Whether connections to private addresses are refused."""
    prove: bool = False
    """Whether to request a proof of the key from a server with the known id."""
    handed_over_by: str | None = None
    """The pinned certificate that must have signed the required one."""


type Probe = Callable[[Target], Awaitable[Reply]]
"""Identifies the server at an address. Sends neither key nor prompt, and does not raise."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The confirmed properties of a provider."""

    id: str
    base_url: str
    """Empty if none is stored."""
    fingerprint: str | None = None
    verify: bool = True
    keyed: bool = False
    """Whether requests to it carry a key."""
    provable: bool = False
    """Whether the key is a generated one, which the provider can prove to know."""
    public_only: bool = False
    """Whether connections to private addresses are refused, because an advertisement named the host."""
    ephemeral: bool = False
    """Whether its key comes with each advertisement."""


@dataclass(frozen=True, slots=True)
class Identification:
    """The result of `identify`."""

    verdict: Verdict
    record: ServiceRecord
    base_url: str | None = None
    """The new address, if any."""
    follow: bool = False
    """Whether requests may go to `base_url` without confirmation by the owner."""
    fingerprint: str | None = None
    """The certificate to pin from now on; None: the pin stays."""


async def identify(record: ServiceRecord, known: Confirmed, probe: Probe) -> Identification:
    """Relate `record` to the confirmed provider. Probes only if the record has other addresses than the confirmed one."""
    if record.id != known.id:
        return Identification(Verdict.CHANGED, record, record.base_url())
    same_address = known.base_url in record.base_urls()
    same_certificate = _keeps_certificate(record, known)
    if same_address and same_certificate:
        return Identification(Verdict.SAME, record)
    if known.ephemeral and _is_upstream(record):  # any host may advertise an upstream, and the former answers all clients
        return Identification(Verdict.MOVED_UNPROVEN, record, record.base_url())
    former = Reply.SILENT
    if known.base_url:
        former = await probe(Target(known.base_url, known.fingerprint, known.verify, known.public_only))
    may_be_former = former in (Reply.UNNAMED, Reply.WANTS_KEY)
    if former is Reply.KNOWN or (may_be_former and (known.fingerprint is not None or not known.provable or same_address)):
        return Identification(Verdict.SAME, record)
    if not same_certificate and (successor := await _handed_over(record, known, probe)) is not None:
        return successor
    if not same_certificate:
        return Identification(Verdict.SAME if may_be_former else Verdict.CHANGED, record, record.base_url())
    if _is_upstream(record):  # any host may advertise another upstream, so it is not even probed
        return Identification(Verdict.SAME if may_be_former else Verdict.MOVED_UNPROVEN, record, record.base_url())
    found = await _probe_all(record, known, probe)
    if may_be_former and found.verdict is not Verdict.MOVED_PROVEN:
        return Identification(Verdict.SAME, record)
    return found


async def identify_any(
    records: Iterable[ServiceRecord], known: Confirmed, probe: Probe, *, beyond_confirmed: bool = False
) -> Identification:
    """The strongest identification among the (at least one) advertisements of one id, so that an impostor hides none.

    `beyond_confirmed`: the confirmed address does not answer, so the other addresses of a record that lists it are considered.
    """
    considered = [_without(record, known.base_url) if beyond_confirmed else record for record in islice(records, MAX_RECORDS)]
    found = [await identify(record, known, probe) for record in considered]
    return max(found, key=_strength)


async def _handed_over(record: ServiceRecord, known: Confirmed, probe: Probe) -> Identification | None:
    """The identification of a provider that presents another certificate, signed by the pinned one's key; None for any other."""
    if known.fingerprint is None or not record.tls or record.fingerprint is None or _is_upstream(record):
        return None
    for base_url in record.urls():
        target = Target(base_url, record.fingerprint, known.verify, handed_over_by=known.fingerprint)
        if await probe(target) is Reply.HANDED_OVER:
            return Identification(Verdict.MOVED_PROVEN, record, base_url, follow=True, fingerprint=record.fingerprint)
    return None


async def _probe_all(record: ServiceRecord, known: Confirmed, probe: Probe) -> Identification:
    """Probe the advertised addresses in turn, up to the first that may be used."""
    pinned = known.fingerprint is not None
    answering: str | None = None
    for base_url in record.urls():
        reply = await probe(Target(base_url, known.fingerprint, known.verify, prove=known.provable and not pinned))
        if reply is Reply.SILENT:
            continue
        if reply is Reply.PROVEN or (pinned and reply is not Reply.OTHER):
            return Identification(Verdict.MOVED_PROVEN, record, base_url, follow=True)
        named = reply is Reply.KNOWN or (reply is Reply.UNNAMED and record.id_derived)
        if named and not known.keyed and not pinned:
            return Identification(Verdict.MOVED_UNPROVEN, record, base_url, follow=True)
        answering = answering or base_url
    if answering is None:
        return Identification(Verdict.UNREACHABLE, record)
    return Identification(Verdict.MOVED_UNPROVEN, record, answering)


def _without(record: ServiceRecord, base_url: str) -> ServiceRecord:
    """The record without one of its addresses, if it has others."""
    others = [address for address in record.addresses if record.base_url(address) != base_url]
    return record.with_addresses(others) if others else record


def _keeps_certificate(record: ServiceRecord, known: Confirmed) -> bool:
    """Whether the advertised connection is as safe as the confirmed one: same certificate, and no downgrade from TLS."""
    downgraded = known.base_url.startswith("https:") and not record.base_url().startswith("https:")
    return record.fingerprint == known.fingerprint and not downgraded


def _is_upstream(record: ServiceRecord) -> bool:
    """Whether the record points to a cloud upstream instead of the advertising host."""
    return record.placement is Placement.CLOUD and record.api_base is not None


class _Strength(IntEnum):
    """The precedence of identifications if several hosts advertise one id."""

    UNREACHABLE = 0
    UNPROVEN = 1
    BY_ID = 2
    SAME = 3
    PROVEN = 4


def _strength(found: Identification) -> _Strength:
    if found.verdict is Verdict.MOVED_PROVEN:
        return _Strength.PROVEN
    if found.verdict is Verdict.SAME:
        return _Strength.SAME
    if found.follow:
        return _Strength.BY_ID
    return _Strength.UNREACHABLE if found.verdict is Verdict.UNREACHABLE else _Strength.UNPROVEN
