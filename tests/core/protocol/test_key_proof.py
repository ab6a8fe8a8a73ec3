"""The proof of the key: what it is made of, and which keys and texts are taken."""

import base64
import hashlib
import hmac

import pytest

from zeroconf_ai.accounting.keys.key_secret import new_secret
from zeroconf_ai.protocol import key_proof

KEY = "zai_example-key-of-the-tests-0000000"
CHALLENGE = bytes(range(32))
DIGEST = hashlib.sha256(KEY.encode()).digest()


def test_proof_fields_are_length_prefixed_under_the_hash_of_the_key() -> None:
    message = b"".join(
        len(field).to_bytes(4, "big") + field for field in (b"zai-proof-1", CHALLENGE, b"id-1", b"192.0.2.7", b"8000")
    )
    assert key_proof.digest(KEY) == DIGEST
    assert key_proof.key_id(DIGEST) == hashlib.sha256(b"zai-kid" + DIGEST).digest()[:12]
    proof = key_proof.prove(DIGEST, CHALLENGE, "id-1", "192.0.2.7", 8000)
    assert proof == hmac.digest(DIGEST, message, "sha256")


@pytest.mark.parametrize(
    "changed",
    [
        {"key_digest": hashlib.sha256(b"another").digest()},
        {"challenge": bytes(32)},
        {"provider_id": "id-2"},
        {"address": "192.0.2.8"},
        {"port": 8001},
    ],
)
def test_proof_with_any_other_field_differs(changed: dict[str, object]) -> None:
    fields: dict[str, object] = {
        "key_digest": DIGEST, "challenge": CHALLENGE, "provider_id": "id-1", "address": "192.0.2.7", "port": 8000
    }  # fmt: skip
    assert key_proof.prove(**fields) != key_proof.prove(**(fields | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other"),
    [("192.0.2.7", "::ffff:192.0.2.7"), ("fe80::1", "fe80::1%eth0"), ("2001:db8::1", "2001:0DB8:0:0::1")],
)
def test_proof_of_an_address_does_not_depend_on_its_notation(one: str, other: str) -> None:
    assert key_proof.prove(DIGEST, CHALLENGE, "id", one, 1) == key_proof.prove(DIGEST, CHALLENGE, "id", other, 1)


def test_proof_of_a_host_name_is_refused() -> None:
    with pytest.raises(ValueError, match="IPv4 or IPv6"):
        key_proof.prove(DIGEST, CHALLENGE, "id", "localhost", 1)


def test_key_generated_is_distinguished_from_others() -> None:
    assert key_proof.is_generated(new_secret())
    for chosen in ("", "secret", "zai_secret", f"{KEY}0", KEY.replace("zai_", "zay_"), KEY.replace("-", "!"), f"{KEY}\n"):
        assert not key_proof.is_generated(chosen)


def test_decode_of_encoded_bytes_is_strict() -> None:
    text = key_proof.encode(CHALLENGE)
    assert key_proof.decode(text, 32) == CHALLENGE
    padded = base64.urlsafe_b64encode(CHALLENGE).decode()
    not_canonical = text[:-1] + chr(ord(text[-1]) + 1)
    for wrong in (
        "",
        text[:-1],
        f"{text}A",
        padded,
        not_canonical,
        f" {text}",
        text.replace(text[3], "+"),
        "ä" * 43,
        "A" * 10_000,
    ):
        with pytest.raises(ValueError, match="not"):
            key_proof.decode(wrong, 32)
