"""What a client learns of a backend that failed: its name and a standard reason, in no dialect an address or an exception."""

from collections.abc import AsyncIterator
import json
import socket
from typing import Any

import aiohttp
import pytest

from zeroconf_ai.backends.base import BackendInfo, Endpoint, Timeouts
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend

from ...support.fakes.chunks import delta
from ...support.fakes.provider import FakeProvider, refuse, send_stream
from ...support.server import CHAT, Served, served, upstream

PROMPT: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
RAW = "Traceback: cannot reach postgres at http://10.213.1.2:5432 or 10.213.1.3, org-123"
LEAKS = ("127.0.0.1", "10.213", "Traceback", "org-123", "Connect", "Errno", "ssl:", "Error(", "CUDA")

DIALECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("chat/completions", CHAT),
    "completions": ("completions", {"model": "test-model", "prompt": "Hello"}),
    "embeddings": ("embeddings", {"model": "test-model", "input": "Hello"}),
    "messages": ("messages", {"model": "test-model", "messages": PROMPT, "max_tokens": 10}),
    "responses": ("responses", {"model": "test-model", "input": "Hello"}),
    "gemini": ("/v1beta/models/test-model:generateContent", {"contents": [{"parts": [{"text": "Hello"}]}]}),
    "ollama chat": ("/api/chat", {"model": "test-model", "messages": PROMPT}),
    "ollama generate": ("/api/generate", {"model": "test-model", "prompt": "Hello"}),
}
CHATS = {name: asked for name, asked in DIALECTS.items() if name not in ("completions", "embeddings")}
"""Those that the tests' provider serves."""
dialects = pytest.mark.parametrize(("path", "body"), DIALECTS.values(), ids=DIALECTS)
chats = pytest.mark.parametrize(("path", "body"), CHATS.values(), ids=CHATS)
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


async def told(gateway: Served, path: str, body: dict[str, Any], *, stream: bool) -> tuple[int, str]:
    """Status, and all that is sent of the answer: its head and its body."""
    if stream:
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
    url = f"http://127.0.0.1:{gateway.port}{path}" if path.startswith("/") else f"{gateway.url}/{path}"
    async with gateway.session.post(url, json=body | ({} if "embeddings" in path else {"stream": stream})) as response:
        return response.status, f"{dict(response.headers)}{await response.text()}"


def check(answer: str, *, names: str) -> None:
    """Fail for an error with too many or too few details."""
    assert not [leak for leak in LEAKS if leak in answer], answer
    assert names in answer, answer


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For the backends."""
    async with aiohttp.ClientSession() as session:
        yield session


@dialects
@streams
async def test_error_of_an_offline_backend_has_its_name_and_reason(
    session: aiohttp.ClientSession, path: str, body: dict[str, Any], stream: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1")
    backend = ZeroconfAIBackend(session, BackendInfo("attic", "Attic"), endpoint, timeouts=Timeouts(connect=5.0))
    async with served(backend) as gateway:
        status, answer = await told(gateway, path, body, stream=stream)
        [member] = gateway.engine.pool
        status_body = await gateway.get("status")
    assert status == 502
    check(answer, names="Attic could not be reached: the connection was refused")
    check(json.dumps(status_body[1]), names="")
    assert f"127.0.0.1:{port}" in (member.last_error or ""), "its owner learns all of it"


@chats
@streams
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (500, "answered with an error (HTTP 500)"),
        (401, "refused the API key"),
        (403, "refused the request"),
        (429, "has reached its rate limit"),
        (503, "has no capacity right now"),
    ],
)
async def test_error_of_a_refusing_backend_has_the_standard_reason(
    session: aiohttp.ClientSession, path: str, body: dict[str, Any], stream: bool, status: int, reason: str
) -> None:
    provider = FakeProvider(answers=[refuse(status, RAW, headers={"Retry-After": "1"})])
    async with upstream(provider, session) as backend, served(backend) as gateway:
        answered, answer = await told(gateway, path, body, stream=stream)
        [member] = gateway.engine.pool
    assert answered >= 400
    check(answer, names=reason)
    assert "org-123" in (member.last_error or "")


@chats
async def test_error_of_an_interrupted_backend_has_the_standard_reason(
    session: aiohttp.ClientSession, path: str, body: dict[str, Any]
) -> None:
    async def breaks(request: Any) -> Any:
        response = await send_stream(request, [delta("Once"), delta(" upon")], done=False)
        await response.write(b'data: {"error": {"message": "CUDA error at 10.213.1.2"}}\n\n')
        return response

    provider = FakeProvider(answers=[breaks])
    async with upstream(provider, session) as backend, served(backend) as gateway:
        _, answer = await told(gateway, path, body, stream=True)
        [member] = gateway.engine.pool
    check(answer, names="Upstream reported an error instead of an answer")
    assert "CUDA error" in (member.last_error or "")


async def test_error_of_an_invalid_request_has_details_without_addresses(session: aiohttp.ClientSession) -> None:
    provider = FakeProvider(answers=[refuse(400, "top_p must be below 1 at http://10.213.1.2:8000", param="top_p")])
    async with upstream(provider, session) as backend, served(backend) as gateway:
        status, answer = await told(gateway, "chat/completions", CHAT, stream=False)
    assert status == 400
    check(answer, names="top_p must be below 1 at …")


async def test_error_of_an_unreadable_body_has_no_exception_text() -> None:
    async with served() as gateway:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        async with gateway.session.post(f"{gateway.url}/chat/completions", data=b"x", headers=headers) as response:
            answer = await response.text()
    check(answer, names="")
