"""Decides whether an advertisement belongs to a confirmed provider, and whether that may be spoken to at a new address.

An id is public and proves nothing (docs/protocol.md, section 1). A provider is followed to a new address only where its pinned
certificate answers, where it proves that it knows the key, or where neither was confirmed: it is then known by its id alone.
Otherwise its owner is asked, and neither a prompt nor a key goes to the new address meanwhile.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import islice

from ..protocol.record import Placement, ServiceRecord

MAX_RECORDS = 8
"""Advertisements of one id that are looked at."""


class Verdict(StrEnum):
    """What an advertisement is to a confirmed provider."""

    SAME = "same"
    """The provider is where it was confirmed."""
    MOVED_PROVEN = "moved_proven"
    """It is at a new address: its pinned certificate answers there, or it proved that it knows the key."""
    MOVED_UNPROVEN = "moved_unproven"
    """A server at a new address says that it is the provider, and nothing proves it."""
    CHANGED = "changed"
    """Another id, or another certificate than the pinned one (none included)."""
    UNREACHABLE = "unreachable"
    """No server answers at the new address."""


class Reply(StrEnum):
    """What a probe found at an address, asked without the key."""

    PROVEN = "proven"
    """The known id, and the proof of the key."""
    KNOWN = "known"
    """The known id."""
    UNNAMED = "unnamed"
    """A provider that names no id."""
    WANTS_KEY = "wants_key"
    """A server that answers nothing without a key."""
    OTHER = "other"
    """A provider with another id."""
    SILENT = "silent"
    """No provider, or another certificate than the one that was to be shown."""


@dataclass(frozen=True, slots=True)
class Target:
    """An address to probe."""

    base_url: str
    fingerprint: str | None = None
    """The certificate that must be shown."""
    verify: bool = True
    """Whether a certificate without a fingerprint is verified."""
    public_only: bool = False
    """Whether only public addresses are connected to."""
    prove: bool = False
    """Whether the proof of the key is asked for where the known id answers."""


type Probe = Callable[[Target], Awaitable[Reply]]
"""Asks an address who answers. Sends neither the key nor a prompt, and never raises for what it finds."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was confirmed of a provider."""

    id: str
    base_url: str
    """Empty where none is stored."""
    fingerprint: str | None = None
    verify: bool = True
    keyed: bool = False
    """Whether a key is sent to it."""
    provable: bool = False
    """Whether the key is a generated one, which a provider may prove to know."""
    public_only: bool = False
    """Whether only public addresses are connected to, because an advertisement named its host."""
    ephemeral: bool = False
    """Its key comes with each advertisement."""


@dataclass(frozen=True, slots=True)
class Identification:
    """What is known of an advertisement."""

    verdict: Verdict
    record: ServiceRecord
    base_url: str | None = None
    """The new address, where there is one."""
    follow: bool = False
    """Whether the provider may be spoken to at `base_url` without asking its owner."""


async def identify(record: ServiceRecord, known: Confirmed, probe: Probe) -> Identification:
    """What `record` is to the confirmed provider. Probes addresses only where the record names others than the confirmed one."""
    if record.id != known.id:
        return Identification(Verdict.CHANGED, record, record.base_url())
    same_address = known.base_url in record.base_urls()
    same_certificate = _keeps_certificate(record, known)
    if same_address and same_certificate:
        return Identification(Verdict.SAME, record)
    if known.ephemeral and _is_upstream(record):  # another upstream may be anybody's, and the former one answers everybody
        return Identification(Verdict.MOVED_UNPROVEN, record, record.base_url())
    former = Reply.SILENT
    if known.base_url:
        former = await probe(Target(known.base_url, known.fingerprint, known.verify, known.public_only))
    may_be_former = former in (Reply.UNNAMED, Reply.WANTS_KEY)
    if former is Reply.KNOWN or (may_be_former and (known.fingerprint is not None or not known.provable or same_address)):
        return Identification(Verdict.SAME, record)
    if not same_certificate:
        return Identification(Verdict.SAME if may_be_former else Verdict.CHANGED, record, record.base_url())
    if _is_upstream(record):  # another host may be anybody's, and is not even asked
        return Identification(Verdict.SAME if may_be_former else Verdict.MOVED_UNPROVEN, record, record.base_url())
    found = await _probe_all(record, known, probe)
    if may_be_former and found.verdict is not Verdict.MOVED_PROVEN:
        return Identification(Verdict.SAME, record)
    return found


async def identify_any(
    records: Iterable[ServiceRecord], known: Confirmed, probe: Probe, *, beyond_confirmed: bool = False
) -> Identification:
    """The strongest identification among the advertisements of one id, at least one: an impostor's hides no other.

    `beyond_confirmed`: nothing answers at the confirmed address, so the others of a record that lists it are looked at, too.
    """
    considered = [_without(record, known.base_url) if beyond_confirmed else record for record in islice(records, MAX_RECORDS)]
    found = [await identify(record, known, probe) for record in considered]
    return max(found, key=_strength)


async def _probe_all(record: ServiceRecord, known: Confirmed, probe: Probe) -> Identification:
    """Probe the advertised addresses in turn, up to the first where the provider may be followed to."""
    pinned = known.fingerprint is not None
    asked: str | None = None
    for base_url in record.urls():
        reply = await probe(Target(base_url, known.fingerprint, known.verify, prove=known.provable and not pinned))
        if reply is Reply.SILENT:
            continue
        if reply is Reply.PROVEN or (pinned and reply is not Reply.OTHER):
            return Identification(Verdict.MOVED_PROVEN, record, base_url, follow=True)
        named = reply is Reply.KNOWN or (reply is Reply.UNNAMED and record.id_derived)
        if named and not known.keyed and not pinned:
            return Identification(Verdict.MOVED_UNPROVEN, record, base_url, follow=True)
        asked = asked or base_url
    if asked is None:
        return Identification(Verdict.UNREACHABLE, record)
    return Identification(Verdict.MOVED_UNPROVEN, record, asked)


def _without(record: ServiceRecord, base_url: str) -> ServiceRecord:
    """The record without one of its addresses, where it has others."""
    others = [address for address in record.addresses if record.base_url(address) != base_url]
    return record.with_addresses(others) if others else record


def _keeps_certificate(record: ServiceRecord, known: Confirmed) -> bool:
    """Whether the advertised connection is as safe as the confirmed one: the same certificate, and no TLS switched off."""
    downgraded = known.base_url.startswith("https:") and not record.base_url().startswith("https:")
    return record.fingerprint == known.fingerprint and not downgraded


def _is_upstream(record: ServiceRecord) -> bool:
    """Whether the record points at an upstream outside instead of at the host that advertises it."""
    return record.placement is Placement.CLOUD and record.api_base is not None


class _Strength(IntEnum):
    """Which identification counts where several hosts advertise one id."""

    NOTHING = 0
    ASK = 1
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
    return _Strength.NOTHING if found.verdict is Verdict.UNREACHABLE else _Strength.ASK
