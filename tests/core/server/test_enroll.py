"""`/v1/enroll` over real TLS connections: codes, pairing, approval, and what is refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
import jsonschema
import pytest
import yaml

from zeroconf_ai.accounting.one_time_codes import TRIES, Purpose
from zeroconf_ai.accounting.storage.database import DatabaseError
from zeroconf_ai.protocol import key_proof
from zeroconf_ai.protocol.errors import NotFoundError
from zeroconf_ai.protocol.pairing import Pairing, WrongCodeError, commitment, comparison_digits, new_nonce
from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.server.access.auth_throttle import FAILURES, AuthThrottle
from zeroconf_ai.server.enrolment.pending import MOST_OF_ADDRESS, MOST_PENDING, PENDING_SECONDS

from ...support.enrolling import EnrollingClient, EnrollingServer, enrolling, signing_request
from ...support.server import served
from .tls.certificates import server_tls

pytestmark = pytest.mark.usefixtures("own_loopback")

WRONG = "0000-0000"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EnrollingServer]:
    """A server that needs a client certificate."""
    async with enrolling(tmp_path, server_tls(tmp_path / "tls")) as running:
        yield running


@pytest.fixture
def client(server: EnrollingServer, tmp_path: Path) -> EnrollingClient:
    """A client that has not enrolled."""
    return EnrollingClient(server, tmp_path / "client")


def code_of(answer: tuple[int, Any]) -> tuple[int, str]:
    """Status and error code."""
    return answer[0], answer[1]["error"]["code"]


async def ask(client: EnrollingClient, nonce: bytes) -> tuple[int, Any]:
    """Ask for the owner's approval."""
    body = {"csr": client.csr, "name": client.name, "commitment": key_proof.encode(commitment(nonce))}
    return await client.post(body)


async def reveal(client: EnrollingClient, begun: Any, nonce: bytes) -> tuple[int, Any]:
    """Reveal the nonce."""
    return await client.post({"request": begun["request"], "nonce": key_proof.encode(nonce)}, token=begun["ticket"])


async def poll(client: EnrollingClient, begun: Any, ticket: str | None = None) -> tuple[int, Any]:
    """Ask what the owner has decided."""
    headers = {"Authorization": f"Bearer {ticket or begun['ticket']}"}
    status, found, _ = await client.server.served.get(f"enroll/{begun['request']}", headers=headers, ssl=client.server.pin)
    return status, found


async def test_code_that_is_sent_gets_a_certificate_once(server: EnrollingServer, client: EnrollingClient) -> None:
    code = server.enrolment.codes.make(Purpose.ENROLL, {"models": ("a*",), "name": "Anna's laptop"}, actor="anna").code
    status, found = await client.by_code(code.lower())
    assert status == 200
    assert found.keys() == {"id", "certificate", "authority", "expires_at"}
    (key,) = server.store.keys
    assert (key.id, key.name, key.models, key.certificate_expires) == (found["id"], "Anna's laptop", ("a*",), found["expires_at"])
    assert code_of(await client.by_code(code)) == (403, "invalid_code")
    assert [act.actor for act in await server.store.audit.list() if act.act == "key.create"] == ["anna"]


async def test_client_that_enrols_again_keeps_its_key(server: EnrollingServer, client: EnrollingClient, tmp_path: Path) -> None:
    _, found = await client.by_code(server.enrolment.make_code({"parallel": 3}).code)
    again = EnrollingClient(server, tmp_path / "again")
    code = server.enrolment.make_code_for(found["id"], actor="anna").code
    status, enrolled = await again.by_pairing(code)
    assert (status, enrolled["id"]) == (200, found["id"])
    (key,) = server.store.keys
    assert (key.name, key.parallel) == ("laptop", 3)
    async with client.session() as former, former.get(f"{server.served.url}/models") as answer:
        assert answer.status == 401
    _, secret = await server.store.keys.create("Phone")
    with pytest.raises(NotFoundError):
        server.enrolment.make_code_for(next(one.id for one in server.store.keys if not one.certificate))
    assert secret


async def test_code_that_is_typed_gets_a_certificate_and_is_not_sent(server: EnrollingServer, client: EnrollingClient) -> None:
    code = server.enrolment.codes.make(Purpose.ENROLL).code
    status, _ = await client.by_pairing(code)
    assert status == 200
    assert server.enrolment.codes.current(Purpose.ENROLL) is None
    async with client.session() as session, session.get(f"{server.served.url}/models") as answer:
        assert answer.status == 200


async def test_wrong_typed_codes_end_the_code_after_three_tries(server: EnrollingServer, client: EnrollingClient) -> None:
    code = server.enrolment.codes.make(Purpose.ENROLL).code
    for _ in range(TRIES):
        with pytest.raises(WrongCodeError):
            await client.by_pairing(WRONG)
    assert code_of(await client.by_pairing(code)) == (403, "invalid_code")
    assert code_of(await client.by_code(code)) == (403, "invalid_code")


async def test_client_that_skips_the_servers_proof_gets_no_certificate(server: EnrollingServer, client: EnrollingClient) -> None:
    server.enrolment.codes.make(Purpose.ENROLL)
    pairing = Pairing.client(WRONG, client.identity, server.fingerprint)
    _, begun = await client.post({"csr": client.csr, "name": "x", "pake": key_proof.encode(pairing.message)})
    pairing.finish(key_proof.decode(begun["pake"], 33))
    proof = {"session": begun["session"], "proof": key_proof.encode(pairing.proof)}
    assert code_of(await client.post(proof)) == (403, "invalid_code")
    assert code_of(await client.post(proof)) == (403, "invalid_code")  # each session has one try
    assert not list(server.store.keys)


async def test_machine_in_between_with_its_own_certificate_and_key_gets_nothing_from_a_typed_code(
    server: EnrollingServer, client: EnrollingClient, tmp_path: Path
) -> None:
    code = server.enrolment.codes.make(Purpose.ENROLL).code
    mallory = EnrollingClient(server, tmp_path / "mallory")
    seen_by_client = server_tls(tmp_path / "mallory-tls").fingerprint
    pairing = Pairing.client(code, client.identity, key_proof.decode(seen_by_client, 32))
    for csr in (client.csr, mallory.csr):  # forwarded as it is, or with the own key
        status, begun = await mallory.post({"csr": csr, "name": "x", "pake": key_proof.encode(pairing.message)})
        assert status == 200
        victim = Pairing.client(code, client.identity, key_proof.decode(seen_by_client, 32))
        victim.finish(key_proof.decode(begun["pake"], 33))
        with pytest.raises(WrongCodeError):
            victim.check(key_proof.decode(begun["proof"], 32))
    assert not list(server.store.keys)


async def test_pairing_after_a_minute_or_for_a_replaced_code_is_refused(
    server: EnrollingServer, client: EnrollingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolment = server.enrolment
    for late in (True, False):
        code = enrolment.codes.make(Purpose.ENROLL).code
        pairing = Pairing.client(code, client.identity, server.fingerprint)
        _, begun = await client.post({"csr": client.csr, "name": "x", "pake": key_proof.encode(pairing.message)})
        pairing.finish(key_proof.decode(begun["pake"], 33))
        pairing.check(key_proof.decode(begun["proof"], 32))
        with monkeypatch.context() as patch:
            if late:
                clock = enrolment._clock
                patch.setattr(enrolment, "_clock", lambda clock=clock: clock() + 61)
            else:
                enrolment.codes.make(Purpose.ENROLL)
            answer = await client.post({"session": begun["session"], "proof": key_proof.encode(pairing.proof)})
        assert code_of(answer) == (403, "invalid_code")
    assert not list(server.store.keys)


async def test_many_wrong_tries_from_one_address_have_to_wait(server: EnrollingServer, client: EnrollingClient) -> None:
    answers = [await client.by_code(WRONG) for _ in range(FAILURES + 2)]
    assert {code_of(answer) for answer in answers[:FAILURES]} == {(403, "invalid_code")}
    assert code_of(answers[-1]) == (429, "too_many_enrollments")


async def test_many_invalid_requests_and_renewals_from_one_address_have_to_wait(
    server: EnrollingServer, client: EnrollingClient
) -> None:
    await client.by_code(server.enrolment.make_code().code)
    async with client.session() as session:
        answers = [await client.renew(session, client.key) for _ in range(FAILURES + 1)]
    assert [status for status, _ in answers] == [200] * FAILURES + [429]
    server.enrolment._throttle = AuthThrottle()
    invalid = [code_of(await client.post({"csr": "x", "name": "x", "code": WRONG})) for _ in range(FAILURES + 1)]
    assert invalid == [(400, "invalid_csr")] * FAILURES + [(429, "too_many_enrollments")]


async def test_owner_approves_after_comparing_the_digits(server: EnrollingServer, client: EnrollingClient) -> None:
    heard: list[int] = []
    stop = server.enrolment.listen(lambda: heard.append(len(list(server.enrolment.pending))))
    nonce = new_nonce()
    status, begun = await ask(client, nonce)
    assert status == 202
    assert not list(server.enrolment.pending)  # until the client has revealed its nonce
    status, waiting = await reveal(client, begun, nonce)
    digits = comparison_digits(nonce, key_proof.decode(begun["nonce"], 32), client.identity, server.fingerprint)
    assert (status, waiting["state"], waiting["check"]) == (202, "pending", digits)
    (shown,) = server.enrolment.pending
    assert (shown.name, shown.address, shown.check) == ("laptop", "127.0.0.1", digits)
    assert (await poll(client, begun))[0] == 202
    key = await server.enrolment.approve(shown.id, {"endpoints": ("chat",)}, actor="anna")
    assert (key.name, key.endpoints) == ("laptop", ("chat",))
    first, second = await poll(client, begun), await poll(client, begun)
    assert first == second
    assert (first[0], first[1]["id"]) == (200, key.id)
    assert heard == [1, 0]
    stop()


async def test_client_that_reveals_its_nonce_again_is_logged_and_shown_once(
    server: EnrollingServer, client: EnrollingClient, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[None] = []
    stop = server.enrolment.listen(lambda: heard.append(None))
    nonce = new_nonce()
    _, begun = await ask(client, nonce)
    first, again = await reveal(client, begun, nonce), await reveal(client, begun, nonce)
    assert (first[0], again[1]["check"]) == (202, first[1]["check"])
    server.enrolment.refuse(begun["request"])
    assert code_of(await reveal(client, begun, nonce)) == (403, "enrollment_refused")
    assert caplog.text.count("asks for a client certificate") == 1
    assert len(heard) == 2  # it asks, and it is refused
    stop()


async def test_owner_refuses_and_the_client_learns_it(server: EnrollingServer, client: EnrollingClient) -> None:
    nonce = new_nonce()
    _, begun = await ask(client, nonce)
    await reveal(client, begun, nonce)
    server.enrolment.refuse(begun["request"])
    assert code_of(await poll(client, begun)) == (403, "enrollment_refused")
    assert not list(server.enrolment.pending)
    assert (await ask(client, new_nonce()))[0] == 202
    assert code_of(await ask(client, new_nonce())) == (429, "too_many_pending")  # a refused one counts for ten minutes


async def test_waiting_client_needs_its_ticket_and_its_own_nonce(server: EnrollingServer, client: EnrollingClient) -> None:
    nonce = new_nonce()
    _, begun = await ask(client, nonce)
    assert code_of(await poll(client, begun, ticket="another")) == (404, "enrollment_over")
    status, found, _ = await server.served.get(f"enroll/{begun['request']}", ssl=server.pin)
    assert (status, found["error"]["code"]) == (401, "missing_ticket")
    assert code_of(await reveal(client, begun, new_nonce())) == (400, "invalid_nonce")
    assert code_of(await reveal(client, begun, nonce)) == (404, "enrollment_over")


async def test_waiting_client_is_over_after_ten_minutes(
    server: EnrollingServer, client: EnrollingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonce = new_nonce()
    _, begun = await ask(client, nonce)
    await reveal(client, begun, nonce)
    clock = server.enrolment.pending._clock
    monkeypatch.setattr(server.enrolment.pending, "_clock", lambda: clock() + PENDING_SECONDS + 1)
    assert code_of(await poll(client, begun)) == (404, "enrollment_over")


async def test_waiting_clients_are_at_most_five_and_two_of_one_address(server: EnrollingServer, client: EnrollingClient) -> None:
    for _ in range(MOST_OF_ADDRESS):
        assert (await ask(client, new_nonce()))[0] == 202
    assert code_of(await ask(client, new_nonce())) == (429, "too_many_pending")
    pending = server.enrolment.pending
    for number in range(MOST_PENDING - MOST_OF_ADDRESS):
        pending.add("x", f"192.0.2.{number}", None, bytes(32), bytes(32), bytes(32))
    with pytest.raises(Exception, match="Too many"):
        pending.add("x", "192.0.2.99", None, bytes(32), bytes(32), bytes(32))


async def test_approval_is_not_asked_from_outside_and_not_by_web_pages(tmp_path: Path) -> None:
    async with enrolling(tmp_path, server_tls(tmp_path / "tls"), networks=("192.0.2.0/24",)) as server:
        client = EnrollingClient(server, tmp_path / "client")
        assert code_of(await ask(client, new_nonce())) == (403, "network_not_allowed")
        code = server.enrolment.codes.make(Purpose.ENROLL).code
        url, body = f"{server.served.url}/enroll", {"csr": client.csr, "name": "x", "code": WRONG}
        for headers, refused in (
            ({"Origin": "https://evil.example"}, "origin_not_allowed"),
            ({"Host": "evil.example"}, "host_not_allowed"),
        ):
            async with server.served.session.post(url, json=body, headers=headers, ssl=server.pin) as answer:
                assert code_of((answer.status, await answer.json())) == (403, refused)
        async with server.served.session.post(
            url, data=str(body), headers={"Content-Type": "text/plain"}, ssl=server.pin
        ) as answer:
            assert answer.status == 415
        open_code = server.enrolment.codes.current(Purpose.ENROLL)
        assert open_code is not None
        assert open_code.tries == TRIES  # none of them took a try
        assert (await client.by_code(code))[0] == 200  # a code is enough from everywhere


async def test_enrolment_over_plain_http_names_https(tmp_path: Path) -> None:
    async with served() as plain:
        status, found, _ = await plain.ask("POST", "enroll", json={"csr": "", "name": "x", "code": WRONG})
        assert (status, found["error"]["code"]) == (400, "https_required")
    async with enrolling(tmp_path, server_tls(tmp_path / "tls")) as server:
        url = f"http://127.0.0.1:{server.served.port}/v1/enroll"
        async with server.served.session.post(url, json={}) as answer:
            assert code_of((answer.status, await answer.json())) == (400, "https_required")


async def test_server_without_stored_keys_does_not_offer_enrolment(tmp_path: Path) -> None:
    async with served(tls=server_tls(tmp_path / "tls")) as running:
        pin = aiohttp.Fingerprint(key_proof.decode(running.gateway.tls.fingerprint, 32)) if running.gateway.tls else None
        status, found, _ = await running.ask("POST", "enroll", json={}, ssl=pin)
        assert (status, found["error"]["code"]) == (404, "not_offered")


async def test_renewal_without_a_certificate_is_refused(client: EnrollingClient) -> None:
    assert code_of(await client.post({"csr": client.csr})) == (401, "missing_certificate")


KEYS: dict[str, Any] = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "RSA 2048": rsa.generate_private_key(65537, 2048),
}
REFUSED_KEYS: dict[str, Any] = {
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "P-224": ec.generate_private_key(ec.SECP224R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "RSA 1024": rsa.generate_private_key(65537, 1024),
    "RSA with exponent 3": rsa.generate_private_key(3, 2048),
    "DSA": dsa.generate_private_key(2048),
    "Ed448": ed448.Ed448PrivateKey.generate(),
}


def csr_of(key: Any) -> str:
    """A CSR for any kind of key."""
    return signing_request(key, None if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)) else hashes.SHA256())


@pytest.mark.parametrize("kind", KEYS)
async def test_usual_kinds_of_keys_get_certificates(kind: str, server: EnrollingServer, client: EnrollingClient) -> None:
    code = server.enrolment.codes.make(Purpose.ENROLL).code
    assert (await client.post({"csr": csr_of(KEYS[kind]), "name": kind, "code": code}))[0] == 200


async def test_other_kinds_of_keys_and_forged_requests_are_refused_without_taking_a_try(
    server: EnrollingServer, client: EnrollingClient
) -> None:
    code = server.enrolment.codes.make(Purpose.ENROLL)
    lines = client.csr.splitlines()
    forged = "\n".join([*lines[:-2], lines[-2][:-8] + "AAAA" + lines[-2][-4:], lines[-1]])
    certificate = server.tls.authority_pem
    assert certificate is not None
    odd: list[Any] = [
        *map(csr_of, REFUSED_KEYS.values()),
        forged,
        certificate.decode(),
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        "ü" * 100,
        "x" * 9000,
        None,
        7,
        [client.csr],
    ]
    for csr in odd:
        server.enrolment._throttle = AuthThrottle()  # invalid requests count as failed tries
        assert code_of(await client.post({"csr": csr, "name": "x", "code": code.code})) == (400, "invalid_csr"), csr
    assert code.tries == TRIES
    assert (await client.by_code(code.code))[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "\u202e \x00"},
        {"name": "x" * 101},
        {"name": 3},
        {"code": 12345678},
        {"code": ""},
        {"pake": "AAAA"},
        {"commitment": "x"},
        {"session": "x", "proof": "x"},
        {"session": 3, "proof": "x"},
        {"request": "x", "nonce": None},
    ],
)
async def test_malformed_fields_are_named(change: dict[str, Any], client: EnrollingClient) -> None:
    body = {"csr": client.csr, "name": "x", "code": WRONG}
    if "code" not in change and "name" not in change:
        del body["code"]
    status, found = await client.post(body | change, token="x")
    assert (status, found["error"]["param"] in change or found["error"]["param"] == "nonce") == (400, True), found


async def test_body_that_is_too_large_or_no_object_is_refused(client: EnrollingClient) -> None:
    assert (await client.post({"csr": "x" * 20_000}))[0] == 413
    odd: list[Any] = [[], "x", 3]
    for body in odd:
        assert code_of(await client.post(body)) == (400, "invalid_body")
    assert code_of(await client.post({"csr": client.csr, "name": "x", "code": WRONG, "pake": "x"})) == (400, "invalid_value")


async def test_malformed_point_is_refused(server: EnrollingServer, client: EnrollingClient) -> None:
    server.enrolment.codes.make(Purpose.ENROLL)
    body = {"csr": client.csr, "name": "x", "pake": key_proof.encode(b"A" + b"\xff" * 32)}
    assert code_of(await client.post(body)) == (400, "invalid_pake")


async def test_two_clients_with_one_code_get_one_certificate(
    server: EnrollingServer, client: EnrollingClient, tmp_path: Path
) -> None:
    code = server.enrolment.codes.make(Purpose.ENROLL).code
    other = EnrollingClient(server, tmp_path / "other")
    answers = await asyncio.gather(client.by_pairing(code), other.by_pairing(code))
    assert sorted(status for status, _ in answers) == [200, 403]
    assert len(list(server.store.keys)) == 1


async def test_certificate_without_database_leaves_the_code_open(
    server: EnrollingServer, client: EnrollingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = server.enrolment.codes.make(Purpose.ENROLL).code

    async def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("The database is locked.")

    with monkeypatch.context() as patch:
        patch.setattr(server.store.keys, "adopt", fail)
        assert code_of(await client.by_code(code)) == (503, "database_failed")
    assert (await client.by_code(code))[0] == 200


async def test_answers_are_as_documented(server: EnrollingServer, client: EnrollingClient, tmp_path: Path) -> None:
    schemas = yaml.safe_load((Path(__file__).parents[3] / "docs" / "openapi.yaml").read_text(encoding="utf-8"))["components"][
        "schemas"
    ]
    nonce = new_nonce()
    _, begun = await ask(client, nonce)
    pairing = Pairing.client(server.enrolment.codes.make(Purpose.ENROLL).code, client.identity, server.fingerprint)
    body = {"csr": client.csr, "name": "x", "pake": key_proof.encode(pairing.message)}
    answers = {
        "EnrollBegun": begun,
        "EnrollPending": (await reveal(client, begun, nonce))[1],
        "EnrollPairing": (await client.post(body))[1],
        "ClientCertificate": (await client.by_code(server.enrolment.codes.make(Purpose.ENROLL).code))[1],
    }
    for name, found in answers.items():
        jsonschema.validate(found, schemas[name])


async def test_deep_body_is_refused(client: EnrollingClient) -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    status, found = await client.post({"csr": client.csr, "name": "x", "code": WRONG, "more": deep})
    assert (status, "64 levels" in str(found)) == (400, True)


async def test_mode_of_the_guard_is_advertised_as_it_is(server: EnrollingServer) -> None:
    assert server.served.gateway.access.mode is Auth.MTLS
