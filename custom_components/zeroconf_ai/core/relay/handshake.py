"""Pairing and mutual authentication at the beginning of a relay link (docs/protocol.md, section 5).

Both sides have an Ed25519 key. TLS may end at a proxy, so nothing of it is used. Each message is a `hello` frame with a `step`.

Pairing, once, by a one-time code (`protocol/pairing`), bound to both public keys:
    connector  pair       key, name
    house      pair       key, name
    connector  exchange   message
    house      exchange   message, proof
    connector  exchange   proof
    house      paired     id
Authentication, at the beginning of every link, and after a pairing on the same connection:
    connector  begin      key, nonce
    house      challenge  key, nonce, signature
    connector  proof      signature
    house      welcome    id, name, limits
At each point the house may send `refused` with a code and a message. Signatures cover the role of the signer, both keys and both
nonces, which are fresh: none of them is of use on another connection, or in the other direction.
"""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
import hashlib
import logging
import secrets
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp

from ..accounting.connectors import MAX_NAME, PairedConnector
from ..accounting.one_time_codes import InvalidCodeError, OneTimeCode, OneTimeCodes, Purpose
from ..accounting.storage.database import DatabaseError
from ..protocol.errors import InvalidRequestError
from ..protocol.pairing import Pairing, PairingError, WrongCodeError, read_code
from ..protocol.values import clean
from .frames import FrameError, FrameType, decode, decode_json, encode_json
from .link import WebSocket
from .stream import RelayError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LOGGER = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 20.0
_KEY_BYTES = _NONCE_BYTES = 32
_SIGNATURE_BYTES = 64
_CONTEXT = b"zai-relay-1"
_HOUSE, _CONNECTOR = b"house", b"connector"


class HandshakeError(RelayError):
    """The other side did not prove who it is, or refuses this side."""

    def __init__(self, code: str, message: str) -> None:
        """`code`: `not_paired`, `disabled`, `invalid_code`, `wrong_house`, `throttled`, `unavailable` or `protocol_error`."""
        super().__init__(message)
        self.code = code


class PairedConnectors(Protocol):
    """Where a house stores the connectors that it was paired with."""

    async def find(self, key: bytes) -> PairedConnector | None:
        """The connector with a public key. Raises DatabaseError."""

    async def add(self, key: bytes, name: str, code: OneTimeCode) -> PairedConnector:
        """Store a new connector, or one with this key again. `code`: the one-time code that it was paired by.

        Raises InvalidRequestError if there are too many, DatabaseError.
        """


@dataclass(frozen=True, slots=True)
class Paired:
    """What a connector stores of its pairing."""

    house_key: bytes
    house_name: str
    id: str
    """Its own id at the house."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a house says of itself at the end of a handshake."""

    id: str
    name: str


def public_bytes(key: "Ed25519PrivateKey") -> bytes:
    """The public key (32 bytes) of a private one."""
    return key.public_key().public_bytes_raw()


async def pair_with_house(socket: WebSocket, key: "Ed25519PrivateKey", name: str, code: str) -> Paired:
    """Pair as a connector. Raises HandshakeError, and CodeError for a text that cannot be a code."""
    code = read_code(code)
    async with _time_limit():
        own = public_bytes(key)
        await _send(socket, "pair", key=_text(own), name=name)
        found = await _receive(socket, "pair")
        house_key = _bytes(found, "key", _KEY_BYTES)
        house_name = clean(str(found.get("name") or ""), MAX_NAME)
        pairing = await asyncio.to_thread(Pairing.client, code, _digest(own), _digest(house_key))
        await _send(socket, "exchange", message=_text(pairing.message))
        found = await _receive(socket, "exchange")
        try:
            await asyncio.to_thread(pairing.finish, _bytes(found, "message"))
            pairing.check(_bytes(found, "proof"))
        except WrongCodeError:
            message = "The one-time code is wrong, or another machine answers in place of the house."
            raise HandshakeError("invalid_code", message) from None
        except PairingError:
            raise _violation() from None
        await _send(socket, "exchange", proof=_text(pairing.proof))
        found = await _receive(socket, "paired")
        return Paired(house_key, house_name, clean(str(found.get("id") or ""), MAX_NAME))


async def authenticate_to_house(socket: WebSocket, key: "Ed25519PrivateKey", house_key: bytes) -> Welcome:
    """Prove as a connector who this is, and check the house. Raises HandshakeError."""
    async with _time_limit():
        own, nonce = public_bytes(key), secrets.token_bytes(_NONCE_BYTES)
        await _send(socket, "begin", key=_text(own), nonce=_text(nonce))
        found = await _receive(socket, "challenge")
        shown, house_nonce = _bytes(found, "key", _KEY_BYTES), _bytes(found, "nonce", _NONCE_BYTES)
        signed = (own, house_key, nonce, house_nonce)
        if shown != house_key or not _is_signed(house_key, _bytes(found, "signature", _SIGNATURE_BYTES), _HOUSE, *signed):
            message = "The house has another key than the one that was paired. Pair again if the house was set up anew."
            raise HandshakeError("wrong_house", message)
        await _send(socket, "proof", signature=_text(key.sign(_transcript(_CONNECTOR, *signed))))
        found = await _receive(socket, "welcome")
        return Welcome(clean(str(found.get("id") or ""), MAX_NAME), clean(str(found.get("name") or ""), MAX_NAME))


async def admit_connector(
    socket: WebSocket,
    key: "Ed25519PrivateKey",
    house: Welcome,
    connectors: PairedConnectors,
    codes: OneTimeCodes,
) -> PairedConnector:
    """Pair and authenticate a connector as the house. Raises HandshakeError, after the connector was told."""
    async with _time_limit():
        try:
            found = await _receive(socket, "pair", "begin")
            if found["step"] == "pair":
                await _pair(socket, key, house, connectors, codes, found)
                found = await _receive(socket, "begin")
            return await _authenticate(socket, key, house, connectors, found)
        except HandshakeError as err:
            failure = err
        except DatabaseError as err:  # no HTTP error can be sent any more: the WebSocket is open
            _LOGGER.warning("No connector can be admitted: %s", err)
            failure = HandshakeError("unavailable", "The house cannot use its database at the moment.")
        except InvalidRequestError as err:
            failure = HandshakeError("unavailable", str(err))
        await refuse(socket, failure)
        raise failure


async def refuse(socket: WebSocket, err: HandshakeError) -> None:
    """Tell a connector why it is not admitted."""
    with suppress(RelayError):  # it may have left
        await _send(socket, "refused", code=err.code, message=str(err))


async def _pair(
    socket: WebSocket,
    key: "Ed25519PrivateKey",
    house: Welcome,
    connectors: PairedConnectors,
    codes: OneTimeCodes,
    first: Mapping[str, Any],
) -> None:
    own, peer = public_bytes(key), _bytes(first, "key", _KEY_BYTES)
    name = clean(str(first.get("name") or ""), MAX_NAME) or "Connector"
    await _send(socket, "pair", key=_text(own), name=house.name)
    found = await _receive(socket, "exchange")
    try:
        code = codes.begin(Purpose.RELAY)
        pairing = await asyncio.to_thread(Pairing.server, code.code, _digest(own), _digest(peer))
        await asyncio.to_thread(pairing.finish, _bytes(found, "message"))
        await _send(socket, "exchange", message=_text(pairing.message), proof=_text(pairing.proof))
        found = await _receive(socket, "exchange")
        pairing.check(_bytes(found, "proof"))
        codes.complete(code)
    except (InvalidCodeError, WrongCodeError):
        message = "The one-time code is wrong, expired or used up. Ask the owner of the house for a new one."
        raise HandshakeError("invalid_code", message) from None
    except PairingError:
        raise _violation() from None
    try:
        paired = await connectors.add(peer, name, code)
    except BaseException:
        codes.give_back(code)
        raise
    await _send(socket, "paired", id=paired.id)


async def _authenticate(
    socket: WebSocket, key: "Ed25519PrivateKey", house: Welcome, connectors: PairedConnectors, first: Mapping[str, Any]
) -> PairedConnector:
    own, peer = public_bytes(key), _bytes(first, "key", _KEY_BYTES)
    nonce, own_nonce = _bytes(first, "nonce", _NONCE_BYTES), secrets.token_bytes(_NONCE_BYTES)
    signed = (peer, own, nonce, own_nonce)
    await _send(
        socket, "challenge", key=_text(own), nonce=_text(own_nonce), signature=_text(key.sign(_transcript(_HOUSE, *signed)))
    )
    found = await _receive(socket, "proof")
    if not _is_signed(peer, _bytes(found, "signature", _SIGNATURE_BYTES), _CONNECTOR, *signed):
        raise HandshakeError("not_paired", "The connector's signature is wrong.")
    connector = await connectors.find(peer)
    if connector is None:
        raise HandshakeError(
            "not_paired", "The house does not know this connector, or has removed it. Pair again with a new code."
        )
    if not connector.enabled:
        raise HandshakeError("disabled", "The owner of the house has disabled this connector.")
    await _send(socket, "welcome", id=house.id, name=house.name)
    return connector


@asynccontextmanager
async def _time_limit() -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            yield
    except TimeoutError:
        raise HandshakeError("unavailable", f"The other side did not answer within {HANDSHAKE_SECONDS:g} s.") from None


async def _send(socket: WebSocket, step: str, **values: str) -> None:
    try:
        await socket.send_bytes(encode_json(FrameType.HELLO, 0, {"step": step, **values}))
    except (ConnectionError, RuntimeError, aiohttp.ClientError):
        raise _lost() from None


async def _receive(socket: WebSocket, *steps: str) -> Mapping[str, Any]:
    """The next message, which must be one of `steps`. Raises HandshakeError, also for a refusal."""
    message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.BINARY:
        raise _lost() if message.type is not aiohttp.WSMsgType.TEXT else _violation()
    try:
        frame = decode(message.data)
        found = decode_json(frame.payload)
    except FrameError:
        raise _violation() from None
    if frame.type is not FrameType.HELLO:
        raise _violation()
    if found.get("step") == "refused":
        code, reason = found.get("code"), found.get("message")
        raise HandshakeError(clean(str(code), MAX_NAME), clean(str(reason), 300) or "The house refuses this connector.")
    if found.get("step") not in steps:
        raise _violation()
    return found


def _violation() -> HandshakeError:
    return HandshakeError("protocol_error", "The other side does not speak the relay's protocol.")


def _lost() -> HandshakeError:
    return HandshakeError("unavailable", "The connection was closed during the handshake.")


def _transcript(role: bytes, *fields: bytes) -> bytes:
    """What is signed: each field with its length before it. `fields`: connector's and house's key, then their nonces."""
    return b"".join(len(field).to_bytes(4) + field for field in (_CONTEXT, role, *fields))


def _is_signed(key: bytes, signature: bytes, role: bytes, *fields: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only homes with connectors need `cryptography`
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, _transcript(role, *fields))
    except (InvalidSignature, ValueError):
        return False
    return True


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(found: Mapping[str, Any], name: str, size: int | None = None) -> bytes:
    """The base64url value of a field. Raises HandshakeError unless it has `size` bytes (None: any)."""
    text = found.get(name)
    if not isinstance(text, str) or len(text) > 200:
        raise _violation()
    try:
        value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise _violation() from None
    if size is not None and len(value) != size:
        raise _violation()
    return value
