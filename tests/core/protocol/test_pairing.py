"""Pairing by a one-time code, and the digits that two screens show."""

import hashlib
import os

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from zeroconf_ai.protocol.pairing import (
    ALPHABET,
    MESSAGE_BYTES,
    CodeError,
    Pairing,
    PairingError,
    WrongCodeError,
    commitment,
    comparison_digits,
    new_code,
    new_nonce,
    read_code,
)

CODE = "7K4M-2XQP"
CLIENT, SERVER, MALLORY = (hashlib.sha256(name).digest() for name in (b"client", b"server", b"mallory"))


def run(client: Pairing, server: Pairing) -> None:
    """A whole run, in which the server proves first."""
    server.finish(client.message)
    client.finish(server.message)
    client.check(server.proof)
    server.check(client.proof)


def test_pairing_with_the_same_code_and_identities_succeeds() -> None:
    run(Pairing.client("7k4m 2xqp", CLIENT, SERVER), Pairing.server(CODE, SERVER, CLIENT))


def test_pairing_with_another_code_is_refused_on_both_sides() -> None:
    client, server = Pairing.client(CODE, CLIENT, SERVER), Pairing.server("7K4M-2XQQ", SERVER, CLIENT)
    server.finish(client.message)
    client.finish(server.message)
    with pytest.raises(WrongCodeError):
        client.check(server.proof)
    with pytest.raises(WrongCodeError):
        server.check(client.proof)


@pytest.mark.parametrize(
    ("at_client", "at_server"),
    [
        ((CLIENT, MALLORY), (SERVER, CLIENT)),  # somebody presents an own certificate to the client
        ((CLIENT, SERVER), (SERVER, MALLORY)),  # somebody sends an own key to the server
        ((CLIENT, MALLORY), (SERVER, MALLORY)),
    ],
)
def test_pairing_with_somebody_in_between_is_refused(at_client: tuple[bytes, bytes], at_server: tuple[bytes, bytes]) -> None:
    client, server = Pairing.client(CODE, *at_client), Pairing.server(CODE, *at_server)
    with pytest.raises(WrongCodeError):
        run(client, server)
    with pytest.raises(WrongCodeError):
        server.check(client.proof)


def test_pairing_message_or_proof_that_is_sent_back_is_refused() -> None:
    client = Pairing.client(CODE, CLIENT, SERVER)
    with pytest.raises(PairingError, match="not valid"):
        client.finish(client.message)
    turned = b"B" + client.message[1:]
    with pytest.raises(PairingError, match="not valid"):
        Pairing.client(CODE, CLIENT, SERVER).finish(b"A" + turned[1:])
    mine, peer = Pairing.client(CODE, CLIENT, SERVER), Pairing.server(CODE, SERVER, CLIENT)
    mine.finish(peer.message)
    with pytest.raises(WrongCodeError):
        mine.check(mine.proof)


def test_pairing_point_that_is_sent_back_is_refused() -> None:
    client = Pairing.client(CODE, CLIENT, SERVER)
    with pytest.raises(PairingError, match="not valid"):
        client.finish(b"B" + client.message[1:])


@pytest.mark.parametrize("size", [0, 1, MESSAGE_BYTES - 1, MESSAGE_BYTES + 1, 100_000])
def test_pairing_message_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(PairingError, match="33 bytes"):
        Pairing.client(CODE, CLIENT, SERVER).finish(b"B" * size)


# The neutral element, elements of small order, and points that are not on the curve (RFC 7748, section 7).
@pytest.mark.parametrize(
    "point",
    [
        bytes([1]) + bytes(31),
        bytes(32),
        b"\xec" + b"\xff" * 30 + b"\x7f",
        b"\xff" * 32,
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    ],
)
def test_pairing_point_outside_the_group_is_refused(point: bytes) -> None:
    with pytest.raises(PairingError, match="not valid"):
        Pairing.server(CODE, SERVER, CLIENT).finish(b"A" + point)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=MESSAGE_BYTES - 1, max_size=MESSAGE_BYTES - 1))
def test_pairing_message_of_random_bytes_is_refused_or_proves_nothing(raw: bytes) -> None:
    server = Pairing.server(CODE, SERVER, CLIENT)
    try:
        server.finish(b"A" + raw)
    except PairingError:
        return
    with pytest.raises(WrongCodeError):
        server.check(os.urandom(32))


def test_pairing_proof_before_the_other_side_has_answered_is_refused() -> None:
    client = Pairing.client(CODE, CLIENT, SERVER)
    with pytest.raises(PairingError, match="missing"):
        client.check(b"")
    with pytest.raises(PairingError, match="missing"):
        _ = client.proof


@pytest.mark.parametrize("proof", [b"", b"\0" * 31, b"\0" * 33])
def test_pairing_proof_of_another_size_is_refused(proof: bytes) -> None:
    client, server = Pairing.client(CODE, CLIENT, SERVER), Pairing.server(CODE, SERVER, CLIENT)
    client.finish(server.message)
    with pytest.raises(WrongCodeError):
        client.check(proof)


def test_pairing_repr_has_neither_code_nor_key() -> None:
    client, server = Pairing.client(CODE, CLIENT, SERVER), Pairing.server(CODE, SERVER, CLIENT)
    run(client, server)
    assert repr(client) == "<Pairing of the client>"


def test_pairing_with_an_identity_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pairing.client(CODE, b"", SERVER)


def test_new_codes_have_forty_random_bits_and_are_read_as_shown() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert {read_code(code) for code in codes} == codes
    assert set("".join(codes)) == {*ALPHABET, "-"}


@pytest.mark.parametrize(
    "typed",
    ["7k4m2xqp", " 7K4M 2XQP\n", "7K4M–2XQP", "7k4m_2xqp", "7K4M\u00a02XQP", "７Ｋ４Ｍ－２ＸＱＰ", "7.K.4.M.2.X.Q.P"],
)
def test_code_that_a_person_typed_is_the_same(typed: str) -> None:
    assert read_code(typed) == CODE


def test_code_with_letters_that_look_like_digits_is_the_same() -> None:
    assert read_code("oOiI-lL10") == "0011-1110"


@pytest.mark.parametrize("typed", ["", "7K4M", "7K4M-2XQPA", "7K4M-2XQU", "ÄK4M-2XQP", "7" * 100, "\ud800" * 8])
def test_text_that_is_no_code_is_refused_and_not_quoted(typed: str) -> None:
    with pytest.raises(CodeError) as caught:
        read_code(typed)
    assert not typed or typed not in str(caught.value)


def test_comparison_digits_are_the_same_only_if_both_sides_see_the_same() -> None:
    client_nonce, server_nonce = new_nonce(), new_nonce()
    digits = comparison_digits(client_nonce, server_nonce, CLIENT, SERVER)
    assert len(digits) == 6
    assert digits.isdecimal()
    assert digits == comparison_digits(client_nonce, server_nonce, CLIENT, SERVER)
    others = {
        comparison_digits(bytes([number]) * 32, server_nonce, client, server)
        for number in range(40)
        for client, server in ((CLIENT, SERVER), (MALLORY, SERVER), (CLIENT, MALLORY))
    }
    assert len(others) > 100  # of 120: each input counts
    assert commitment(client_nonce) != commitment(server_nonce)


def test_comparison_digits_and_commitment_have_the_values_of_the_protocol() -> None:
    assert commitment(bytes(32)).hex() == "f125e73121b14530a86dfd74095555725fcef508f8fa98ebbcc758150fb9e064"
    assert comparison_digits(bytes(32), b"\1" * 32, CLIENT, SERVER) == "106662"
