"""Web pages of other sites: none may read an answer unless its origin is allowed; then all of them, errors and streams too."""

from typing import Any

import pytest

from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.server.access.cors import Origins
from zeroconf_ai.server.access.guard import Guard

from ....support.server import KEY, Served, served

PAGE = "https://chat.example.net"
DEMO = {"model": "demo-rules", "messages": [{"role": "user", "content": "Hello"}]}
ALLOW = "Access-Control-Allow-Origin"


async def preflight(gateway: Served, path: str, origin: str = PAGE, headers: str = "authorization,content-type") -> Any:
    """(status, headers) of what a browser asks first."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    async with gateway.session.options(f"http://127.0.0.1:{gateway.port}{path}", headers=asked) as response:
        await response.read()
        return response.status, response.headers


async def test_cors_default_allows_no_page() -> None:
    async with served() as gateway:
        status, headers = await preflight(gateway, "/v1/chat/completions")
        assert status == 405
        assert headers["Allow"] == "POST"
        _, _, answered = await gateway.get("models", headers={"Origin": PAGE})
    assert not [name for name in (*headers, *answered) if name.startswith("Access-Control") or name == "Vary"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1beta/models/demo-rules:generateContent",
        "/v1/models/demo-rules",
        "/v1/nothing",
        "/api/chat",
        "/metrics",
    ],
)
async def test_cors_preflight_of_an_allowed_page_needs_no_key(path: str) -> None:
    async with served(key=KEY, cors_origins=[PAGE]) as gateway:
        status, headers = await preflight(gateway, path)
    assert status == 204
    assert headers[ALLOW] == PAGE
    assert headers["Vary"] == "Origin"
    assert headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert headers["Access-Control-Max-Age"]
    assert headers["X-Request-ID"]
    assert "Access-Control-Allow-Credentials" not in headers


async def test_cors_methods_are_those_of_the_path() -> None:
    async with served(cors_origins=[PAGE]) as gateway:
        _, chat = await preflight(gateway, "/v1/chat/completions")
        _, models = await preflight(gateway, "/v1/models")
    assert chat["Access-Control-Allow-Methods"] == "POST"
    assert models["Access-Control-Allow-Methods"] == "GET, HEAD"


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_cors_methods_of_a_models_path_are_those_of_its_method(version: str) -> None:
    async with served(cors_origins=[PAGE]) as gateway:
        _, asked = await preflight(gateway, f"/{version}/models/vendor/model:generateContent")
        _, other = await preflight(gateway, f"/{version}/models/vendor/model:latest")
    assert "POST" in asked["Access-Control-Allow-Methods"]
    assert other["Access-Control-Allow-Methods"] == "GET, HEAD"


async def test_cors_headers_of_the_sdks_are_allowed_and_others_are_not() -> None:
    wanted = (
        "OpenAI-Organization, x-stainless-os, anthropic-version, x-api-key, x-session-id, cookie, api-key, x-goog-api-key, "
        "x-goog-api-client, x-evil"
    )
    async with served(cors_origins=[PAGE]) as gateway:
        _, headers = await preflight(gateway, "/v1/models", headers=wanted)
    allowed = headers["Access-Control-Allow-Headers"].split(", ")
    assert allowed == [name for name in wanted.lower().split(", ") if name not in ("cookie", "x-evil")]


@pytest.mark.parametrize("origin", ["https://evil.example.net", "http://chat.example.net", f"{PAGE}:8443", "null"])
async def test_cors_preflight_of_another_page_has_no_headers(origin: str) -> None:
    async with served(cors_origins=[PAGE]) as gateway:
        status, headers = await preflight(gateway, "/v1/models", origin)
        _, _, answered = await gateway.get("models", headers={"Origin": origin})
    assert status == 204
    assert not [name for name in (*headers, *answered) if name.startswith("Access-Control")]
    assert headers["Vary"] == answered["Vary"] == "Origin"


async def test_cors_headers_are_in_all_responses() -> None:
    async with served(key=KEY, cors_origins=[PAGE]) as gateway:
        own = {"Origin": PAGE, "Authorization": f"Bearer {KEY}"}
        for method, path, options, status in (
            ("GET", "models", {"headers": own}, 200),
            ("GET", "models", {"headers": {"Origin": PAGE}}, 401),
            ("GET", "nothing", {"headers": own}, 404),
            ("DELETE", "models", {"headers": own}, 405),
            ("POST", "chat/completions", {"headers": own, "data": b"x"}, 400),
        ):
            found, _, headers = await gateway.ask(method, path, **options)
            assert (found, headers[ALLOW]) == (status, PAGE)
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=DEMO | {"stream": True}, headers=own) as stream:
            assert stream.headers[ALLOW] == PAGE
            assert "X-Generation-ID" in stream.headers["Access-Control-Expose-Headers"]
            assert (await stream.read()).endswith(b"[DONE]\n\n")


async def test_cors_star_allows_all_pages() -> None:
    async with served(cors_origins=["*"]) as gateway:
        _, headers = await preflight(gateway, "/v1/models", "https://anything.example.net")
        _, _, plain = await gateway.get("models")
    assert headers[ALLOW] == plain[ALLOW] == "*"


async def test_cors_allowed_page_without_keys_is_answered() -> None:
    guard = Guard(mode=Auth.NONE, origins=[PAGE])
    async with served(access=guard, cors_origins=[PAGE]) as gateway:
        status, headers = await preflight(gateway, "/v1/chat/completions")
        answered, _, _ = await gateway.ask("POST", "chat/completions", json=DEMO, headers={"Origin": PAGE})
    assert (status, headers[ALLOW], answered) == (204, PAGE, 200)


async def test_cors_preflight_without_an_origin_is_answered() -> None:
    async with served(cors_origins=[PAGE]) as gateway, gateway.session.options(f"{gateway.url}/models") as response:
        assert response.status == 204
        assert ALLOW not in response.headers


@pytest.mark.parametrize("origin", ["chat.example.net", "https://", "https://chat.example.net/path", "ftp://x", "", "**"])
def test_cors_invalid_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="not a web origin"):
        Origins([origin])


def test_cors_origin_is_normalized() -> None:
    assert Origins([" HTTPS://Chat.Example.net/ "]).allow(PAGE)
