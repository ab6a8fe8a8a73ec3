"""Inference servers on the ports of this machine: each by its own signature, and nobody else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from tests.support.clouds.ollama import FakeOllama
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import FakeCloud, engine
from zeroconf_ai.config.document import ConfigError
from zeroconf_ai.presence import local_engines
from zeroconf_ai.presence.local_engines import LocalEngines, backend_of
from zeroconf_ai.presence.server_kinds import LOCAL_KINDS, ServerKind
from zeroconf_ai.protocol.record import Cost, Placement

JSON = "application/json"
TEXT = "text/plain"


def listed(owner: str, **more: Any) -> tuple[int, str, Any]:
    return 200, JSON, {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": owner, **more}]}


NATIVE = {"data": [{"id": "m", "object": "model", "type": "llm", "state": "not-loaded", "arch": "qwen3"}], "object": "list"}
VERSION = (200, JSON, {"version": "0.12.0"})
TAGS = (200, JSON, {"models": [{"name": "qwen3:8b", "model": "qwen3:8b"}]})
KOBOLD = (200, JSON, {"result": "KoboldCpp", "version": "1.101", "protected": False})
SIGNATURES: dict[str, list[dict[str, tuple[int, str, Any]]]] = {
    "ollama": [{"": (200, TEXT, "Ollama is running"), "api__tags": TAGS}, {"api__version": VERSION, "api__tags": TAGS}],
    "lmstudio": [
        {"v1__models": listed("organization_owner"), "lmstudio-greeting": (200, JSON, {"lmstudio": True})},
        {"v1__models": listed("organization_owner"), "api__v0__models": (200, JSON, NATIVE)},
    ],
    "llamacpp": [
        {"v1__models": listed("llamacpp", meta={"n_ctx_train": 4096})},
        {"v1__models": listed("me"), "props": (200, JSON, {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 1})},
    ],
    "localai": [
        {"v1__models": listed(""), ".well-known__localai.json": (200, JSON, {"version": "v3.9.0", "endpoints": {"chat": "/v1"}})},
        {"v1__models": listed(""), "system": (200, JSON, {"backends": ["llama-cpp"], "loaded_models": []})},
        {
            "v1__models": listed(""),
            ".well-known__localai.json": (200, JSON, {"version": "v4.0.0", "endpoints": {"chat": "/v1"}}),
            "api__tags": TAGS,
            "api__version": VERSION,
        },
    ],
    "vllm": [{"v1__models": listed("vllm", max_model_len=4096), "version": VERSION}],
    "litellm": [{"v1__models": listed("openai"), "health__liveliness": (200, JSON, '"I\'m alive!"')}],
    "jan": [
        {"v1__models": listed("llama.cpp")},
        {"v1__models": listed("user"), "openapi.json": (200, JSON, {"info": {"title": "Jan API Server Endpoints"}})},
    ],
    "llamaswap": [{"v1__models": listed("llama-swap")}],
    "sglang": [
        {"v1__models": listed("sglang")},
        {"v1__models": listed("me"), "get_model_info": (200, JSON, {"model_path": "qwen", "is_generation": True})},
    ],
    "tabbyapi": [
        {
            "v1__models": listed("tabbyAPI"),
            ".well-known__serviceinfo": (200, JSON, {"version": 0.1, "software": {"name": "TabbyAPI"}}),
            "api__extra__version": KOBOLD,
        }
    ],
    "text_generation_webui": [{"v1__models": listed("user"), "v1__internal__model__info": (200, JSON, {"model_name": "m"})}],
    "koboldcpp": [
        {"v1__models": listed("koboldcpp"), "api__extra__version": KOBOLD},
        {"v1__models": listed("koboldcpp"), "api__extra__version": KOBOLD, "api__tags": TAGS, "api__version": VERSION},
    ],
    "gpt4all": [{"v1__models": listed("humanity")}],
}
CASES = [(engine_id, paths) for engine_id, several in SIGNATURES.items() for paths in several]


def at(port: int, *ids: str) -> tuple[ServerKind, ...]:
    """The engines with these ids (all without one), as if they used this port."""
    return tuple(replace(one, port=port, other_ports=()) for one in LOCAL_KINDS if not ids or one.id in ids)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize(("engine_id", "paths"), CASES)
async def test_local_engine_is_recognized_among_all_by_its_own_signature(
    session: aiohttp.ClientSession, engine_id: str, paths: dict[str, tuple[int, str, Any]]
) -> None:
    async with engine(**paths) as fake:
        found = LocalEngines(session, at(fake.port))
        assert await found.look()
        assert [one.id for one in found.present] == [engine_id]
        assert not await found.look()


async def test_local_engine_behind_an_auth_wall_is_not_taken(session: aiohttp.ClientSession) -> None:
    for engine_id, paths in CASES:
        wall = (401, JSON, {"error": "unauthorized"})
        walled = {path: wall if path.endswith(("models", "tags")) else page for path, page in paths.items()}
        async with engine(**walled) as fake:
            found = LocalEngines(session, at(fake.port))
            assert not await found.look(), engine_id


@pytest.mark.parametrize(
    "page",
    [
        (200, "text/html", "<h1>It works!</h1>"),
        (200, JSON, {"status": "ok"}),
        (200, JSON, {"object": "list", "data": []}),
        (200, JSON, {"version": "1.0", "name": "a stranger"}),
        (200, JSON, []),
        (200, JSON, "null"),
        (200, JSON, "[" * 5000),
        (200, JSON, {"data": "m"}),
        (200, JSON, {"data": [1, None, {"id": 5}]}),
        (200, TEXT, "Ollama is running"),
        listed("a stranger"),
        listed("vllm", supports_streaming=True),
        (401, JSON, {"error": "unauthorized"}),
        (302, TEXT, ""),
        (500, JSON, {"models": [], "version": "1"}),
    ],
)
async def test_local_engine_stranger_with_the_same_answer_everywhere_is_not_taken(
    session: aiohttp.ClientSession, page: tuple[int, str, Any]
) -> None:
    paths = {path for _, several in CASES for path in several}
    async with engine(**dict.fromkeys(paths, page)) as fake:
        found = LocalEngines(session, at(fake.port))
        assert not await found.look()


async def test_local_engine_other_apis_are_not_taken(session: aiohttp.ClientSession) -> None:
    clouds: tuple[FakeCloud, ...] = (FakeOpenAI(), FakeOpenAI(key=None))
    for cloud in clouds:
        async with cloud:
            assert not await LocalEngines(session, at(cloud.port)).look()


@asynccontextmanager
async def raw(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """A server that does anything with a connection; its port."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_local_engine_port_that_answers_garbage_or_nothing_is_not_taken(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_engines, "_ANSWER_SECONDS", 0.2)

    async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff SSH-2.0 HTTP/9 \r\n\r\n" * 10)
        writer.close()

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            try:
                await writer.drain()
            except OSError:
                break

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    for handle in (garbage, endless, silent):
        async with raw(handle) as port:
            assert not await LocalEngines(session, at(port)).look()


async def test_local_engine_started_later_joins_and_stopped_one_leaves(session: aiohttp.ClientSession) -> None:
    fake = FakeOllama(key=None)
    await fake.start()
    found = LocalEngines(session, at(fake.port, "ollama"))
    await fake.stop()
    assert not await found.look()
    await fake.start()
    assert await found.look()
    await fake.stop()
    assert not await found.look()  # it may be restarting
    assert [one.id for one in found.present] == ["ollama"]
    assert await found.look()
    assert found.present == ()


async def test_local_engine_busy_one_stays_and_a_stranger_on_its_port_replaces_it(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_engines, "_CONFIRM_EVERY", 1)
    fake = FakeOllama(key=None)
    async with fake:
        found = LocalEngines(session, at(fake.port))
        assert await found.look()
        port = fake.port
    async with engine(v1__models=(200, JSON, {"data": []})) as stranger:
        await stranger.stop()
        await stranger.start(port)
        assert not await found.look()
        assert await found.look()
        assert found.present == ()


async def test_local_engine_port_of_this_server_itself_is_not_looked_at(session: aiohttp.ClientSession) -> None:
    async with FakeOllama(key=None) as fake:
        found = LocalEngines(session, at(fake.port))
        assert not await found.look(frozenset({fake.port}))
        assert fake.received == []


def test_local_engines_are_free_backends_of_this_machine_except_proxies() -> None:
    for one in LOCAL_KINDS:
        config = backend_of(one, one.id, {})
        assert config is not None
        usual = config.type.info(config.id, config.name)
        overrides = config.backend_overrides
        expected = (Placement.PROXY, Cost.UNKNOWN) if one.id == "litellm" else (Placement.LOCAL, Cost.FREE)
        assert (overrides.placement or usual.placement, overrides.cost or usual.cost) == expected
        assert config.endpoint.startswith("http://127.0.0.1:")
        assert config.key is None


def test_local_engine_settings_of_the_environment_apply() -> None:
    ollama = LOCAL_KINDS[0]
    changed = backend_of(ollama, "ollama", {"PROVIDER_OLLAMA_PRIORITY": "7", "PROVIDER_OLLAMA_MAX_CONCURRENT": "2"})
    assert changed is not None
    assert (changed.priority, changed.max_concurrent) == (7, 2)
    assert backend_of(ollama, "ollama", {"PROVIDER_OLLAMA_ENABLED": "no"}) is None
    assert backend_of(ollama, "ollama-local", {"PROVIDER_OLLAMA_ENABLED": "no"}) is not None
    with pytest.raises(ConfigError, match="PROVIDER_OLLAMA_PRIORITY must be a whole number"):
        backend_of(ollama, "ollama", {"PROVIDER_OLLAMA_PRIORITY": "high"})
