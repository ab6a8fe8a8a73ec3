"""The rules for advertisements, identity and key proof as data, which the tests of clients/typescript read too."""

import json
from pathlib import Path
from typing import Any

import pytest

from zeroconf_ai.lan.identity import Confirmed, Reply, Target, identify_any
from zeroconf_ai.protocol import hand_over, key_proof
from zeroconf_ai.protocol.household import HouseholdCode, HouseholdError, HouseholdKey, StaleTokenError, WrongPassphraseError
from zeroconf_ai.protocol.record import SERVICE_TYPE, RecordError, ServiceRecord

VECTORS = Path(__file__).parents[3] / "clients" / "typescript" / "test" / "vectors"
RECORDS: list[dict[str, Any]] = json.loads((VECTORS / "records.json").read_text())
IDENTITY: dict[str, Any] = json.loads((VECTORS / "identity.json").read_text())
HAND_OVERS: list[dict[str, Any]] = json.loads((VECTORS / "hand-overs.json").read_text())
HOUSEHOLD: dict[str, Any] = json.loads((VECTORS / "household.json").read_text())
PROOFS: list[dict[str, Any]] = json.loads((VECTORS / "key-proofs.json").read_text())


def record_of(case: dict[str, Any]) -> ServiceRecord:
    at = case["at"]
    return ServiceRecord.from_txt(
        dict(case["txt"]),
        name=at["name"],
        host=at["host"],
        port=at["port"],
        addresses=at["addresses"],
        service_type=at.get("serviceType", SERVICE_TYPE),
        srv_priority=at.get("srvPriority", 0),
    )


@pytest.mark.parametrize("case", RECORDS, ids=[case["what"] for case in RECORDS])
def test_record_is_parsed_as_by_the_typescript_client(case: dict[str, Any]) -> None:
    if case["expected"] is None:
        with pytest.raises(RecordError):
            record_of(case)
        return
    record = record_of(case)
    assert case["expected"] == {
        "name": record.name,
        "host": record.host,
        "addresses": list(map(str, record.addresses)),
        "id": record.id,
        "idDerived": record.id_derived,
        "version": record.version,
        "models": list(record.models),
        "modelsTruncated": record.models_truncated,
        "provider": record.provider,
        "capabilities": sorted(record.capabilities),
        "capabilitiesStated": record.capabilities_stated,
        "auth": record.auth,
        "priority": record.priority,
        "cost": record.cost,
        "placement": record.placement,
        "admin": record.admin,
        "tls": record.tls,
        "fingerprint": record.fingerprint,
        "contextWindow": record.context_window,
        "load": record.load,
        "apiBase": record.api_base,
        "ephemeralKey": record.ephemeral_key,
        "urls": list(record.urls()),
    }


async def test_identity_is_decided_as_by_the_typescript_client() -> None:
    for confirmed, advertised, old, new, beyond, verdict, follow, base_url, probes in IDENTITY["rows"]:
        known = IDENTITY["known"][confirmed]
        record = record_of(IDENTITY["records"][advertised])
        for given in Reply if new == "*" else [Reply(new)]:
            asked: list[Target] = []

            async def probe(target: Target, old: str = old, given: Reply = given, asked: list[Target] = asked) -> Reply:
                asked.append(target)
                if target.handed_over_by is not None:
                    return given
                reply = Reply(old) if "192.0.2.1:" in target.base_url or "old." in target.base_url else given
                return Reply.KNOWN if (reply is Reply.PROVEN and not target.prove) or reply is Reply.HANDED_OVER else reply

            found = await identify_any(
                [record],
                Confirmed(
                    known["id"],
                    known["baseURL"],
                    known.get("fingerprint"),
                    keyed=known.get("keyed", False),
                    provable=known.get("provable", False),
                    ephemeral=known.get("ephemeral", False),
                ),
                probe,
                beyond_confirmed=beyond,
            )
            told = (found.verdict, found.follow, found.base_url, len(asked))
            assert told == (verdict, follow, base_url, probes), (confirmed, advertised, old, given, beyond)


@pytest.mark.parametrize("case", HAND_OVERS, ids=[case["what"] for case in HAND_OVERS])
def test_certificate_is_handed_over_as_by_the_typescript_client(case: dict[str, Any]) -> None:
    steps = hand_over.parse_steps(case["steps"])
    assert hand_over.is_handed_over(case["id"], case["pinned"], case["presented"], steps) is case["expected"]


@pytest.mark.parametrize(
    ("text", "expected"), [case[1:] for case in HOUSEHOLD["codes"]], ids=[case[0] for case in HOUSEHOLD["codes"]]
)
def test_household_code_is_read_as_by_the_typescript_client(text: str, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(HouseholdError):
            HouseholdCode.parse(text)
        return
    code = HouseholdCode.parse(text)
    assert [code.name, code.passphrase] == expected


def test_household_token_is_opened_as_by_the_typescript_client() -> None:
    key = HouseholdKey(HouseholdCode.parse(HOUSEHOLD["code"]))
    for what, sealed, provider_id, now, expected in HOUSEHOLD["tokens"]:
        try:
            found = key.open(sealed, provider_id, now).token
        except StaleTokenError:
            found = "old"
        except WrongPassphraseError:
            found = "wrong"
        assert found == expected, what


@pytest.mark.parametrize("case", PROOFS, ids=[case["address"] for case in PROOFS])
def test_key_is_proved_as_by_the_typescript_client(case: dict[str, Any]) -> None:
    digest = key_proof.digest(case["key"])
    challenge = key_proof.decode(case["challenge"], key_proof.CHALLENGE_BYTES)
    proof = key_proof.prove(digest, challenge, case["id"], case["address"], case["port"])
    assert key_proof.encode(key_proof.key_id(digest)) == case["kid"]
    assert key_proof.encode(proof) == case["proof"]
