"""The one rule by which a provider is followed to another address, with every probe written down."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from zeroconf_ai.lan.identity import Confirmed, Identification, Reply, Target, Verdict, identify, identify_any
from zeroconf_ai.protocol.record import Placement, ServiceRecord

OLD, NEW = "http://192.0.2.1:8000/v1", "http://192.0.2.2:8000/v1"
RECORD = ServiceRecord(name="Box", host="box.local.", port=8000, id="id-1", addresses=(ip_address("192.0.2.2"),))
KEYLESS = Confirmed("id-1", OLD)
CHOSEN = replace(KEYLESS, keyed=True)
GENERATED = replace(CHOSEN, provable=True)
SECURE = "https://192.0.2.1:8000/v1"
PINNED = replace(GENERATED, base_url=SECURE, fingerprint="abc")
TLS = replace(RECORD, tls=True, fingerprint="abc")


class Network:
    """The replies by address, and the probed targets."""

    def __init__(self, **replies: Reply) -> None:
        self.replies = replies
        self.asked: list[Target] = []

    async def __call__(self, target: Target) -> Reply:
        self.asked.append(target)
        host = "old" if "192.0.2.1:" in target.base_url else "new"
        reply = self.replies.get(host, Reply.SILENT)
        return Reply.KNOWN if reply is Reply.PROVEN and not target.prove else reply


async def decide(record: ServiceRecord, known: Confirmed, **replies: Reply) -> Identification:
    return await identify(record, known, Network(**replies))


@pytest.mark.parametrize(
    ("known", "new", "verdict", "follow"),
    [
        (KEYLESS, Reply.KNOWN, Verdict.MOVED_UNPROVEN, True),
        (KEYLESS, Reply.UNNAMED, Verdict.MOVED_UNPROVEN, False),
        (KEYLESS, Reply.WANTS_KEY, Verdict.MOVED_UNPROVEN, False),
        (KEYLESS, Reply.OTHER, Verdict.MOVED_UNPROVEN, False),
        (KEYLESS, Reply.SILENT, Verdict.UNREACHABLE, False),
        (CHOSEN, Reply.PROVEN, Verdict.MOVED_UNPROVEN, False),
        (CHOSEN, Reply.KNOWN, Verdict.MOVED_UNPROVEN, False),
        (CHOSEN, Reply.WANTS_KEY, Verdict.MOVED_UNPROVEN, False),
        (GENERATED, Reply.PROVEN, Verdict.MOVED_PROVEN, True),
        (GENERATED, Reply.KNOWN, Verdict.MOVED_UNPROVEN, False),
        (GENERATED, Reply.UNNAMED, Verdict.MOVED_UNPROVEN, False),
        (GENERATED, Reply.WANTS_KEY, Verdict.MOVED_UNPROVEN, False),
    ],
)
async def test_identity_new_address_is_followed_only_with_proof_or_without_a_key(
    known: Confirmed, new: Reply, verdict: Verdict, *, follow: bool
) -> None:
    found = await decide(RECORD, known, new=new)
    assert (found.verdict, found.follow) == (verdict, follow)
    assert found.base_url == (None if verdict is Verdict.UNREACHABLE else NEW)


async def test_identity_provider_with_a_derived_id_is_followed_to_a_server_without_id() -> None:
    assert (await decide(replace(RECORD, id_derived=True), KEYLESS, new=Reply.UNNAMED)).follow


@pytest.mark.parametrize("known", [KEYLESS, CHOSEN, GENERATED])
async def test_identity_confirmed_address_that_answers_is_kept(known: Confirmed) -> None:
    for old in (Reply.KNOWN, Reply.UNNAMED, Reply.WANTS_KEY):
        network = Network(old=old, new=Reply.KNOWN)
        assert (await identify(RECORD, known, network)).verdict is Verdict.SAME


async def test_identity_proof_at_a_new_address_wins_over_a_former_one_without_id() -> None:
    assert (await decide(RECORD, GENERATED, old=Reply.WANTS_KEY, new=Reply.PROVEN)).verdict is Verdict.MOVED_PROVEN


async def test_identity_former_address_of_another_provider_does_not_prevent_the_move() -> None:
    assert (await decide(RECORD, GENERATED, old=Reply.OTHER, new=Reply.PROVEN)).follow


async def test_identity_record_of_the_confirmed_address_is_not_probed() -> None:
    network = Network()
    found = await identify(replace(RECORD, addresses=(ip_address("192.0.2.1"), ip_address("192.0.2.2"))), GENERATED, network)
    assert (found.verdict, network.asked) == (Verdict.SAME, [])


async def test_identity_another_id_is_changed() -> None:
    assert (await decide(replace(RECORD, id="id-2"), KEYLESS, new=Reply.KNOWN)).verdict is Verdict.CHANGED


@pytest.mark.parametrize(("new", "follow"), [(Reply.KNOWN, True), (Reply.WANTS_KEY, True), (Reply.OTHER, False)])
async def test_identity_pinned_certificate_at_a_new_address_is_a_proof(new: Reply, *, follow: bool) -> None:
    network = Network(new=new)
    assert (await identify(TLS, PINNED, network)).follow is follow
    assert {(target.fingerprint, target.prove) for target in network.asked} == {("abc", False)}


@pytest.mark.parametrize(
    ("known", "record"),
    [
        (PINNED, replace(RECORD, fingerprint="abc")),
        (PINNED, RECORD),
        (PINNED, replace(TLS, fingerprint="other")),
        (replace(PINNED, keyed=False, provable=False), RECORD),
        (replace(GENERATED, base_url=SECURE), RECORD),
        (GENERATED, TLS),
        (KEYLESS, TLS),
    ],
    ids=["tls off", "tls and certificate off", "another", "keyless", "verified", "first certificate", "first, keyless"],
)
async def test_identity_changed_certificate_or_encryption_is_never_followed(known: Confirmed, record: ServiceRecord) -> None:
    """Also not with a proof: an attacker between both could relay the provider's."""
    network = Network(new=Reply.PROVEN)
    found = await identify(record, known, network)
    assert (found.verdict, found.follow) == (Verdict.CHANGED, False)
    successor = [record.base_url()] if known.fingerprint and record.tls else []
    assert [(target.base_url, target.handed_over_by) for target in network.asked] == [
        (known.base_url, None),
        *((base_url, known.fingerprint) for base_url in successor),
    ]
    assert (await decide(record, known, old=Reply.KNOWN)).verdict is Verdict.SAME


async def test_identity_certificate_that_the_pinned_one_signed_is_followed() -> None:
    record = replace(TLS, fingerprint="other")
    found = await decide(record, PINNED, new=Reply.HANDED_OVER)
    assert (found.verdict, found.follow, found.fingerprint) == (Verdict.MOVED_PROVEN, True, "other")
    for unsigned in (
        replace(record, tls=False),
        replace(record, fingerprint=None),
        replace(record, placement=Placement.CLOUD, api_base="https://x.example/v1"),
    ):
        assert not (await decide(unsigned, PINNED, new=Reply.HANDED_OVER)).follow
    assert not (await decide(record, GENERATED, new=Reply.HANDED_OVER)).follow


async def test_identity_changed_certificate_at_the_same_address_needs_confirmation() -> None:
    record = replace(TLS, addresses=(ip_address("192.0.2.1"),), fingerprint="other")
    assert (await decide(record, PINNED)).verdict is Verdict.CHANGED


async def test_identity_all_addresses_are_probed_and_the_proven_one_is_used() -> None:
    addresses = tuple(ip_address(text) for text in ("192.0.2.3", "192.0.2.4", "2001:db8::5"))
    replies = {"192.0.2.4": Reply.KNOWN, "[2001:db8::5]": Reply.PROVEN}

    async def probe(target: Target) -> Reply:
        return next((reply for host, reply in replies.items() if f"//{host}:" in target.base_url), Reply.SILENT)

    found = await identify(replace(RECORD, addresses=addresses), GENERATED, probe)
    assert (found.verdict, found.base_url) == (Verdict.MOVED_PROVEN, "http://[2001:db8::5]:8000/v1")
    del replies["[2001:db8::5]"]
    found = await identify(replace(RECORD, addresses=addresses), GENERATED, probe)
    assert (found.verdict, found.base_url) == (Verdict.MOVED_UNPROVEN, "http://192.0.2.4:8000/v1")


async def test_identity_offline_confirmed_address_leads_to_the_records_other_addresses() -> None:
    record = replace(RECORD, addresses=(ip_address("192.0.2.1"), ip_address("192.0.2.2")))
    found = await identify_any([record], GENERATED, Network(new=Reply.PROVEN), beyond_confirmed=True)
    assert (found.verdict, found.base_url) == (Verdict.MOVED_PROVEN, NEW)
    alive = await identify_any([record], GENERATED, Network(old=Reply.KNOWN, new=Reply.PROVEN), beyond_confirmed=True)
    assert alive.verdict is Verdict.SAME


async def test_identity_new_upstream_of_a_cloud_record_is_never_followed() -> None:
    record = replace(RECORD, placement=Placement.CLOUD, api_base="https://ai.example.net/v1")
    for known in (replace(KEYLESS, ephemeral=True), KEYLESS, GENERATED):
        found = await decide(record, known, new=Reply.PROVEN)
        assert not found.follow
    beacon = await decide(record, replace(KEYLESS, ephemeral=True, base_url="https://api.example.com/v1"), old=Reply.UNNAMED)
    assert (beacon.verdict, beacon.base_url) == (Verdict.MOVED_UNPROVEN, "https://ai.example.net/v1")


@pytest.mark.parametrize("order", [1, -1])
async def test_identity_impostors_advertisement_does_not_hide_others(order: int) -> None:
    impostor = replace(RECORD, addresses=(ip_address("192.0.2.66"),), host="evil.local.")

    async def probe(target: Target) -> Reply:
        if "192.0.2.66" in target.base_url:
            return Reply.KNOWN
        return Reply.PROVEN if target.base_url == NEW else Reply.SILENT

    found = await identify_any([impostor, RECORD][::order], GENERATED, probe)
    assert (found.verdict, found.base_url) == (Verdict.MOVED_PROVEN, NEW)
    at_home: dict[str, Any] = {"addresses": (ip_address("192.0.2.1"),)}
    kept = await identify_any([impostor, replace(RECORD, **at_home)][::order], GENERATED, probe)
    assert kept.verdict is Verdict.SAME
