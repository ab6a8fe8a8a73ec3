"""Servers that require an API key: recognized by what they leave open, on the network and at an entered address."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import aiohttp
import pytest

from tests.support.clouds.server import FakeCloud, locked_engine
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.presence.local_engines import LocalEngines
from zeroconf_ai.presence.network_scan import Known, NetworkScan
from zeroconf_ai.presence.provider_backend import ProviderBackend
from zeroconf_ai.presence.server_kinds import SERVER_KINDS
from zeroconf_ai.protocol.errors import ApiError, AuthenticationError

from .test_local_engines import JSON, KOBOLD, TEXT, VERSION, listed

LOOPBACK = IPv4Address("127.0.0.1")
HERE = IPv4Network("127.0.0.1/32")
KEY = "sk-canary-0123456789"
UNAUTHORIZED = {"error": "Unauthorized"}
PROPS = (200, JSON, {"default_generation_settings": {"n_ctx": 4096}})
INFO = (200, JSON, {"model_path": "qwen", "is_generation": True})
OPENAPI = (200, JSON, {"info": {"title": "FastAPI"}, "paths": {"/v1/models": {}, "/v1/internal/model/info": {}}})
SERVICE = (200, JSON, {"version": 0.1, "software": {"name": "TabbyAPI"}})
LOCALAI = {"error": {"code": 401, "message": "An authentication key is required", "type": "invalid_request_error"}}
METRICS = (200, TEXT, '# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine="0"} 0.0\n')
PAGE = (200, "text/html", "<!doctype html><title>Open WebUI</title>")

INVALID_KEY = {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}}
NO_KEY = {"error": {"message": "Authentication Error, No api key passed in.", "type": "auth_error", "code": "401"}}
EMPTY = (200, TEXT, "")
STATUS = (200, JSON, {"status": "ok"})
MODELS = "/v1/models"
SERVED_BY_LLAMACPP = {MODELS: listed("llamacpp"), "/health": STATUS, "/props": PROPS}
SERVED_BY_VLLM = {MODELS: listed("vllm"), "/version": VERSION, "/metrics": METRICS, "/health": EMPTY}
SERVED_BY_SGLANG = {MODELS: listed("sglang"), "/get_model_info": INFO, "/health": EMPTY}
GREETING = "/lmstudio-greeting"
KOBOLD_VERSION = "/api/extra/version"
TEXTGEN_INFO = "/v1/internal/model/info"

LOCKED: list[tuple[str, Callable[[], FakeCloud]]] = [
    (
        "lmstudio",
        lambda: locked_engine({MODELS: listed("organization_owner"), GREETING: (200, JSON, {"lmstudio": True})}, [GREETING]),
    ),
    (
        "llamacpp",
        lambda: locked_engine(SERVED_BY_LLAMACPP, [MODELS, "/health", "/"], refused_as=INVALID_KEY, server="llama.cpp"),
    ),
    ("llamacpp", lambda: locked_engine(SERVED_BY_LLAMACPP, ["/health"], refused_as=INVALID_KEY, server="llama.cpp")),
    ("localai", lambda: locked_engine({MODELS: listed(""), "/system": (200, JSON, {"backends": ["llama"]})}, refused_as=LOCALAI)),
    ("vllm", lambda: locked_engine(SERVED_BY_VLLM, ["/health", "/version", "/metrics"], refused_as=UNAUTHORIZED)),
    ("vllm", lambda: locked_engine(SERVED_BY_VLLM, ["/health", "/version"], refused_as=UNAUTHORIZED)),
    ("sglang", lambda: locked_engine(SERVED_BY_SGLANG, ["/health"], refused_as=UNAUTHORIZED)),
    (
        "sglang",
        lambda: locked_engine(
            {**SERVED_BY_SGLANG, "/metrics": (200, TEXT, "sglang:num_running_reqs 0\n")}, ["/metrics"], refused_as=UNAUTHORIZED
        ),
    ),
    (
        "litellm",
        lambda: locked_engine(
            {MODELS: listed("openai"), "/health/liveliness": (200, JSON, '"I\'m alive!"')},
            ["/health/liveliness"],
            refused_as=NO_KEY,
        ),
    ),
    (
        "jan",
        lambda: locked_engine(
            {MODELS: listed("llama.cpp"), "/openapi.json": (200, JSON, {"info": {"title": "Jan API Server Endpoints"}})},
            ["/openapi.json"],
            refused_as={"error": "no"},
        ),
    ),
    (
        "tabbyapi",
        lambda: locked_engine(
            {MODELS: listed("tabbyAPI"), "/.well-known/serviceinfo": SERVICE, KOBOLD_VERSION: KOBOLD},
            ["/.well-known/serviceinfo", KOBOLD_VERSION],
            refused_as={"detail": "Please provide an API key"},
        ),
    ),
    (
        "text_generation_webui",
        lambda: locked_engine(
            {MODELS: listed("user"), TEXTGEN_INFO: (200, JSON, {"model_name": "m"}), "/openapi.json": OPENAPI},
            ["/openapi.json"],
            refused_as={"detail": "Unauthorized"},
        ),
    ),
    (
        "koboldcpp",
        lambda: locked_engine(
            {MODELS: listed("koboldcpp"), KOBOLD_VERSION: (200, JSON, {**KOBOLD[2], "protected": True})}, [KOBOLD_VERSION, MODELS]
        ),
    ),
    (
        "open_webui",
        lambda: locked_engine(
            {
                "/v1/health": PAGE,
                MODELS: PAGE,
                "/api/models": listed("openai"),
                "/api/config": (200, JSON, {"status": True, "name": "Family (Open WebUI)", "version": "0.6.40"}),
            },
            ["/api/config", "/v1/health", MODELS],
            refused_as={"detail": "Not authenticated"},
        ),
    ),
    ("openai_compatible", lambda: locked_engine({MODELS: listed("me")})),
]
"""Kind → a server of this kind that is started with a key."""


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def at_port(port: int) -> Any:
    """All kinds, as if they used this port."""
    return tuple(replace(kind, port=port, other_ports=()) for kind in SERVER_KINDS)


@pytest.mark.parametrize(("kind", "make"), LOCKED)
async def test_locked_server_is_found_by_a_search_and_never_gets_a_key(kind: str, make: Callable[[], FakeCloud]) -> None:
    async with make() as fake:
        result = await NetworkScan([HERE], [Known(LOOPBACK, "gpu")], at_port(fake.port), table=lambda: None).run()
    assert [(server.kind.id, server.is_locked) for server in result.servers] == [(kind, True)]
    assert result.silent == ()
    assert not any("Authorization" in received.headers for received in fake.received)


@pytest.mark.parametrize(("kind", "make"), LOCKED)
async def test_locked_server_is_not_shared_by_this_machine(
    session: aiohttp.ClientSession, kind: str, make: Callable[[], FakeCloud]
) -> None:
    async with make() as fake:
        engines = LocalEngines(session, at_port(fake.port))
        assert not await engines.look()


@pytest.mark.parametrize(("kind", "make"), LOCKED)
async def test_locked_server_at_an_address_requires_its_key_and_is_then_used_natively(
    session: aiohttp.ClientSession, kind: str, make: Callable[[], FakeCloud]
) -> None:
    async with make() as fake:

        def backend(key: str | None) -> ProviderBackend:
            return ProviderBackend(session, BackendInfo("attic", "Attic"), Endpoint(f"{fake.root}/v1", key))

        locked = backend(None)
        with pytest.raises(AuthenticationError):
            await locked.health()
        found = await locked.identify()
        assert found is not None
        assert (found.kind.id, found.is_locked) == (kind, True)
        if found.kind.checks_keys:
            with pytest.raises(AuthenticationError):
                await backend("sk-wrong").health()
        opened = backend(KEY)
        await opened.health()
        assert [model.id for model in await opened.models()] == ["m"]
        assert (None if opened.kind is None else opened.kind.id) == (None if kind == "openai_compatible" else kind)


STRANGERS: list[Callable[[], FakeCloud]] = [
    lambda: locked_engine({}, refused_as={"error": "unauthorized"}),
    lambda: locked_engine({"/openapi.json": (200, JSON, {"paths": {}})}, ["/openapi.json"], refused_as={"detail": "Sign in"}),
    lambda: locked_engine({"/version": (200, JSON, {"version": "2", "model": "router"})}, ["/version"], refused_as=UNAUTHORIZED),
    lambda: locked_engine({"/health": (200, TEXT, "OK")}, ["/health"], refused_as=UNAUTHORIZED),
    lambda: locked_engine({}, refused_as={"error": {"code": 401}}, server="llama.cpp.example"),
]


@pytest.mark.parametrize("make", STRANGERS)
async def test_stranger_that_refuses_requests_is_not_taken_for_an_inference_server(make: Callable[[], FakeCloud]) -> None:
    async with make() as fake:
        result = await NetworkScan([HERE], kinds=at_port(fake.port), table=lambda: None).run()
    assert (result.servers, result.silent) == ((), ("127.0.0.1",))


async def test_stranger_at_an_address_stays_no_provider(session: aiohttp.ClientSession) -> None:
    async with locked_engine({"/v1/health": PAGE, MODELS: PAGE}, ["/v1/health", MODELS]) as fake:
        backend = ProviderBackend(session, BackendInfo("a", "A"), Endpoint(f"{fake.root}/v1"))
        for _ in range(2):
            with pytest.raises(ApiError) as caught:
                await backend.health()
            assert not isinstance(caught.value, AuthenticationError)
