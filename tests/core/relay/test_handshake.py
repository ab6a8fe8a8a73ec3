"""Pairing and authentication over a real WebSocket."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import pytest

from zeroconf_ai.accounting.connectors import PairedConnector
from zeroconf_ai.accounting.one_time_codes import OneTimeCode, OneTimeCodes, Purpose
from zeroconf_ai.accounting.storage.database import DatabaseError
from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.pairing import CodeError
from zeroconf_ai.relay import handshake
from zeroconf_ai.relay.frames import FrameType, decode, decode_json, encode_json
from zeroconf_ai.relay.handshake import (
    HandshakeError,
    Welcome,
    admit_connector,
    authenticate_to_house,
    pair_with_house,
    public_bytes,
)
from zeroconf_ai.relay.key_file import KeyFileError, load_or_create

LIMIT = 20.0
HOUSE = Welcome("house-id", "Home")


class Memory:
    """Connectors in memory."""

    def __init__(self) -> None:
        self.known: dict[bytes, PairedConnector] = {}

    async def find(self, key: bytes) -> PairedConnector | None:
        """The connector with a public key."""
        return self.known.get(key)

    async def add(self, key: bytes, name: str, code: OneTimeCode) -> PairedConnector:
        """Store a connector."""
        self.known[key] = PairedConnector(f"c{len(self.known)}", name, key, 0.0)
        return self.known[key]


class House:
    """A house whose admissions are collected."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.connectors = Memory()
        self.codes = OneTimeCodes()
        self.admitted: asyncio.Queue[PairedConnector | HandshakeError] = asyncio.Queue()
        self.server = TestServer(self._app())

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=1.0)
        await socket.prepare(request)
        try:
            self.admitted.put_nowait(await admit_connector(socket, self.key, HOUSE, self.connectors, self.codes))
        except HandshakeError as err:
            self.admitted.put_nowait(err)
        await socket.close()
        return socket

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        """A connector's connection."""
        async with aiohttp.ClientSession() as session, session.ws_connect(self.server.make_url("/")) as socket:
            yield socket


@asynccontextmanager
async def house() -> AsyncGenerator[House]:
    """A running house."""
    found = House()
    async with found.server, asyncio.timeout(LIMIT):
        yield found


async def test_connector_with_the_code_is_paired_and_authenticated() -> None:
    async with house() as home, home.connection() as socket:
        code = home.codes.make(Purpose.RELAY).code
        key = Ed25519PrivateKey.generate()
        paired = await pair_with_house(socket, key, "GPU box", code.lower())
        assert paired.house_key == public_bytes(home.key)
        assert paired.house_name == "Home"
        assert await authenticate_to_house(socket, key, paired.house_key) == HOUSE
        admitted = await home.admitted.get()
        assert isinstance(admitted, PairedConnector)
        assert (admitted.name, admitted.key, admitted.id) == ("GPU box", public_bytes(key), paired.id)
        assert home.codes.current(Purpose.RELAY) is None


async def test_connector_paired_before_needs_no_code() -> None:
    async with house() as home, home.connection() as socket:
        key = Ed25519PrivateKey.generate()
        home.connectors.known[public_bytes(key)] = PairedConnector("c", "GPU box", public_bytes(key), 0.0)
        assert await authenticate_to_house(socket, key, public_bytes(home.key)) == HOUSE


@pytest.mark.parametrize("code", ["0000-0000", None])
async def test_connector_without_the_code_is_refused(code: str | None) -> None:
    async with house() as home, home.connection() as socket:
        if code is not None:
            home.codes.make(Purpose.RELAY)
        with pytest.raises(HandshakeError) as raised:
            await pair_with_house(socket, Ed25519PrivateKey.generate(), "x", code or "1234-5678")
        assert raised.value.code == "invalid_code"
        assert not home.connectors.known


async def test_code_can_be_tried_three_times() -> None:
    async with house() as home:
        right = home.codes.make(Purpose.RELAY).code
        for code in ("0000-0000", "0000-0001", "0000-0002", right):
            async with home.connection() as socket:
                with pytest.raises(HandshakeError):
                    await pair_with_house(socket, Ed25519PrivateKey.generate(), "x", code)
        assert not home.connectors.known


async def test_code_that_cannot_be_one_is_not_sent() -> None:
    async with house() as home, home.connection() as socket:
        with pytest.raises(CodeError):
            await pair_with_house(socket, Ed25519PrivateKey.generate(), "x", "short")


async def test_connector_not_paired_is_refused() -> None:
    async with house() as home, home.connection() as socket:
        with pytest.raises(HandshakeError) as raised:
            await authenticate_to_house(socket, Ed25519PrivateKey.generate(), public_bytes(home.key))
        assert raised.value.code == "not_paired"


async def test_connector_disabled_is_refused() -> None:
    async with house() as home, home.connection() as socket:
        key = Ed25519PrivateKey.generate()
        home.connectors.known[public_bytes(key)] = PairedConnector("c", "GPU box", public_bytes(key), 0.0, enabled=False)
        with pytest.raises(HandshakeError) as raised:
            await authenticate_to_house(socket, key, public_bytes(home.key))
        assert raised.value.code == "disabled"


async def test_connector_with_a_stolen_public_key_is_refused() -> None:
    """Whoever knows the id and public key of a pairing, but not its private key, does not become the connector."""
    async with house() as home, home.connection() as socket:
        stolen = public_bytes(Ed25519PrivateKey.generate())
        home.connectors.known[stolen] = PairedConnector("c", "GPU box", stolen, 0.0)

        def forge(found: dict[str, Any]) -> dict[str, Any]:
            return {**found, "key": handshake._text(stolen)} if found["step"] == "begin" else found

        with pytest.raises(HandshakeError) as raised:
            await authenticate_to_house(Changed(socket, sent=forge), Ed25519PrivateKey.generate(), public_bytes(home.key))  # type: ignore[arg-type]
        assert raised.value.code == "wrong_house"  # what the house signed was about the stolen key


async def test_connector_meets_another_house_and_says_nothing_more() -> None:
    async with house() as home, home.connection() as socket:
        key = Ed25519PrivateKey.generate()
        with pytest.raises(HandshakeError) as raised:
            await authenticate_to_house(socket, key, public_bytes(Ed25519PrivateKey.generate()))
        assert raised.value.code == "wrong_house"
        await socket.close()
        admitted = await home.admitted.get()
        assert isinstance(admitted, HandshakeError)


@pytest.mark.parametrize("failure", [DatabaseError("the disk is full"), InvalidRequestError("There are 256 connectors already.")])
async def test_connector_that_cannot_be_stored_or_found_is_told_so(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> PairedConnector:
        raise failure

    async with house() as home:
        monkeypatch.setattr(home.connectors, "add", fail)
        monkeypatch.setattr(home.connectors, "find", fail)
        key, code = Ed25519PrivateKey.generate(), home.codes.make(Purpose.RELAY).code
        for paired in (False, True):
            async with home.connection() as socket:
                known = public_bytes(home.key)
                attempt = authenticate_to_house(socket, key, known) if paired else pair_with_house(socket, key, "x", code)
                with pytest.raises(HandshakeError, match=r"cannot use its database|256 connectors") as raised:
                    await attempt
            assert raised.value.code == "unavailable"
            admitted = await home.admitted.get()
            assert isinstance(admitted, HandshakeError)
        assert home.codes.current(Purpose.RELAY) is not None  # it can be used again


class Changed:
    """A connection in whose middle somebody changes messages."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        sent: Callable[[dict[str, Any]], dict[str, Any]] = dict,
        received: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    ) -> None:
        self._socket = socket
        self._sent, self._received = sent, received

    async def send_bytes(self, raw: bytes) -> None:
        """Send a changed message."""
        await self._socket.send_bytes(_changed(raw, self._sent))

    async def receive(self) -> aiohttp.WSMessage:
        """A changed message."""
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            return message._replace(data=_changed(message.data, self._received))
        return message


def _changed(raw: bytes, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    found: Mapping[str, Any] = decode_json(decode(raw).payload)
    return encode_json(FrameType.HELLO, 0, change(dict(found)))


@pytest.mark.parametrize("direction", ["sent", "received"])
async def test_pairing_with_somebody_in_between_fails(direction: str) -> None:
    """Whoever changes a public key on its way, to be in the middle later, makes the proofs wrong."""
    other = handshake._text(public_bytes(Ed25519PrivateKey.generate()))

    def replaced(found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "key": other} if found["step"] == "pair" else found

    async with house() as home, home.connection() as socket:
        code = home.codes.make(Purpose.RELAY).code
        with pytest.raises(HandshakeError) as raised:
            await pair_with_house(Changed(socket, **{direction: replaced}), Ed25519PrivateKey.generate(), "x", code)  # type: ignore[arg-type]
        assert raised.value.code == "invalid_code"
        assert not home.connectors.known


async def test_signature_of_another_connection_is_refused() -> None:
    """A recorded handshake is of no use: the house's nonce is fresh."""
    recorded: dict[str, Any] = {}
    async with house() as home:
        key = Ed25519PrivateKey.generate()
        home.connectors.known[public_bytes(key)] = PairedConnector("c", "GPU box", public_bytes(key), 0.0)

        def record(found: dict[str, Any]) -> dict[str, Any]:
            recorded.setdefault(found["step"], found)
            return recorded[found["step"]]

        async with home.connection() as socket:
            await authenticate_to_house(Changed(socket, sent=record), key, public_bytes(home.key))  # type: ignore[arg-type]
            await home.admitted.get()
        async with home.connection() as socket:
            for step in ("begin", "proof"):
                await socket.send_bytes(encode_json(FrameType.HELLO, 0, recorded[step]))
            admitted = await home.admitted.get()
            assert isinstance(admitted, HandshakeError)
            assert admitted.code == "not_paired"


async def test_signature_of_the_house_sent_back_is_refused() -> None:
    """The roles are part of what is signed."""
    async with house() as home, home.connection() as socket:
        own = handshake._text(public_bytes(home.key))
        home.connectors.known[public_bytes(home.key)] = PairedConnector("c", "GPU box", public_bytes(home.key), 0.0)
        nonce = handshake._text(bytes(32))
        await socket.send_bytes(encode_json(FrameType.HELLO, 0, {"step": "begin", "key": own, "nonce": nonce}))
        challenge = decode_json(decode((await socket.receive()).data).payload)
        await socket.send_bytes(encode_json(FrameType.HELLO, 0, {"step": "proof", "signature": challenge["signature"]}))
        admitted = await home.admitted.get()
        assert isinstance(admitted, HandshakeError)
        assert admitted.code == "not_paired"


@pytest.mark.parametrize(
    "message",
    [
        b"x",
        encode_json(FrameType.GOAWAY, 0, {"step": "begin"}),
        encode_json(FrameType.HELLO, 0, {}),
        encode_json(FrameType.HELLO, 0, {"step": ["begin"]}),
        encode_json(FrameType.HELLO, 0, {"step": "welcome"}),
        encode_json(FrameType.HELLO, 0, {"step": "begin", "key": "AA", "nonce": "AA"}),
        encode_json(FrameType.HELLO, 0, {"step": "begin", "key": "ä" * 43, "nonce": 7}),
        encode_json(FrameType.HELLO, 0, {"step": "pair", "key": "A" * 4000}),
    ],
)
async def test_handshake_invalid_message_is_refused(message: bytes) -> None:
    async with house() as home, home.connection() as socket:
        await socket.send_bytes(message)
        admitted = await home.admitted.get()
        assert isinstance(admitted, HandshakeError)
        assert admitted.code == "protocol_error"


async def test_handshake_without_an_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "HANDSHAKE_SECONDS", 0.2)
    async with house() as home, home.connection():
        admitted = await home.admitted.get()
        assert isinstance(admitted, HandshakeError)
        assert admitted.code == "unavailable"


def test_key_file_is_created_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "relay" / "key.pem"
    key = load_or_create(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert public_bytes(load_or_create(file)) == public_bytes(key)


def test_key_file_damaged_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text("damaged")
    with pytest.raises(KeyFileError):
        load_or_create(file)
    assert file.read_text() == "damaged"
