"""`zeroconf-ai clients` and `serve --tls --auth mtls` as processes."""

import hashlib
import json
from pathlib import Path
import ssl
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
import pytest

from zeroconf_ai.protocol.key_proof import decode, encode
from zeroconf_ai.protocol.pairing import commitment, comparison_digits, new_nonce

from ...support.command import Server, run, serving
from ...support.enrolling import signing_request
from ...support.waiting import until_in_thread

pytestmark = pytest.mark.usefixtures("own_loopback")


def ask(server: Server, path: str, context: ssl.SSLContext, body: Any = None, ticket: str | None = None) -> tuple[int, Any]:
    """Status and JSON of a request."""
    headers = {"Content-Type": "application/json"} | ({} if ticket is None else {"Authorization": f"Bearer {ticket}"})
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(f"{server.url}/{path}", data, headers), timeout=20, context=context) as answer:
            return answer.status, json.load(answer)
    except HTTPError as err:
        with err:
            return err.code, json.load(err)


def code_of(server: Server, context: ssl.SSLContext) -> str | None:
    """The error code of the list of models; None if the connection is closed, as those of a disabled client are."""
    try:
        return str(ask(server, "models", context)[1].get("error", {}).get("code"))
    except OSError:
        return None


def with_certificate(server: Server, folder: Path, key: ec.EllipticCurvePrivateKey, pem: str) -> ssl.SSLContext:
    """A context with a client certificate, which verifies the server."""
    made = ssl.create_default_context(cafile=server.ready["ca"])
    file = folder / f"{id(key)}.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem.encode())
    made.load_cert_chain(file)
    return made


def test_clients_enrol_by_code_and_by_approval_and_are_listed_and_disabled_like_keys(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state, "--no-advertise", "--tls", "--auth", "mtls") as server:
        assert server.ready["auth"] == "mtls"
        assert "key" not in server.ready
        plain = ssl.create_default_context(cafile=server.ready["ca"])
        status, found = ask(server, "models", plain)
        assert (status, found["error"]["code"]) == (401, "missing_certificate")

        made = json.loads(run(state, "clients", "code", "--name", "Desk", "--endpoint", "models", "--json").stdout)
        assert bytes.fromhex(made["pin"]) == decode(server.ready["fingerprint"], 32)
        assert made["address"] in server.url
        key = ec.generate_private_key(ec.SECP256R1())
        body = {"csr": signing_request(key), "name": "desk", "code": made["code"]["code"]}
        status, enrolled = ask(server, "enroll", plain, body)
        assert status == 200
        context = with_certificate(server, tmp_path, key, enrolled["certificate"])
        assert ask(server, "models", context)[0] == 200
        assert ask(server, "chat/completions", context, {"messages": [{"role": "user", "content": "x"}]})[0] == 403

        nonce, other = new_nonce(), ec.generate_private_key(ec.SECP256R1())
        asked = {"csr": signing_request(other), "name": "phone", "commitment": encode(commitment(nonce))}
        status, begun = ask(server, "enroll", plain, asked)
        assert status == 202
        reveal = {"request": begun["request"], "nonce": encode(nonce)}
        assert ask(server, "enroll", plain, reveal, begun["ticket"])[0] == 202
        identity = hashlib.sha256(other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        digits = comparison_digits(nonce, decode(begun["nonce"], 32), identity, decode(server.ready["fingerprint"], 32))
        listed = run(state, "clients", "requests").stdout
        assert f"{digits[:3]} {digits[3:]}" in listed
        assert "phone" in listed
        wrong = run(state, "clients", "approve", "not these")
        assert (wrong.returncode, "No waiting client" in wrong.stderr) == (1, True)
        done = run(state, "clients", "approve", f"{digits[:3]} {digits[3:]}")
        assert "phone (127.0.0.1) has a certificate now." in done.stdout
        status, approved = ask(server, f"enroll/{begun['request']}", plain, ticket=begun["ticket"])
        assert status == 200

        rows = {row["name"]: row for row in json.loads(run(state, "keys", "list", "--json").stdout)}
        assert rows["phone"]["id"] == approved["id"]
        assert rows["Desk"]["endpoints"] == ["models"]
        assert rows["Desk"]["certificate_expires"] is not None
        rotated = run(state, "keys", "rotate", "phone")
        assert (rotated.returncode, "no secret" in rotated.stderr) == (1, True)
        assert run(state, "keys", "disable", "Desk").returncode == 0
        until_in_thread(lambda: code_of(server, context) == "key_disabled")

        assert run(state, "clients", "replace-ca", "--yes").returncode == 0
        phone = with_certificate(server, tmp_path, other, approved["certificate"])
        assert ask(server, "models", phone)[1]["error"]["code"] == "certificate_expired"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--auth", "mtls"), "--auth mtls requires --tls"),
        (("--auth", "mtls", "--tls", "--key", "x"), "no API key is accepted"),
        (("--auth", "mtls", "--tls", "--open"), "--open means --auth none"),
    ],
)
def test_serve_with_options_that_contradict_client_certificates_says_so(
    options: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    done = run(tmp_path, "serve", "--demo", "--host", "127.0.0.1", "--no-advertise", *options)
    assert done.returncode == 2
    assert told in done.stderr


def test_clients_without_a_server_says_how_to_start_one(tmp_path: Path) -> None:
    done = run(tmp_path, "clients", "code")
    assert (done.returncode, done.stdout) == (1, "")
    assert "zeroconf-ai serve --keys" in done.stderr
