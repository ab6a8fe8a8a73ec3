"""The gateway's paths on Home Assistant's port: access, error formats and streaming."""

import gzip
import json
from typing import Any
from unittest.mock import AsyncMock

from aiohttp import web
from aiohttp.compression_utils import ZLibDecompressor
import anthropic
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import CONF_AUTH, CONF_CORS_ORIGINS, CONF_NETWORKS
from homeassistant.components.anthropic import coordinator as coordinator_module
from homeassistant.components.anthropic.coordinator import AnthropicCoordinator
from homeassistant.components.http.ban import KEY_FAILED_LOGIN_ATTEMPTS
from homeassistant.components.persistent_notification import _async_get_or_create_notifications
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider, Paused, text
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, KEY, bearer, box, gateway_with, runtime_of, streaming
from ..support.waiting import observe

pytestmark = pytest.mark.usefixtures("ready_to_serve")

WRONG_KEY = "zai_example-of-a-wrong-key-000000000"
ORIGIN = "https://chat.example.net"


async def error_of(response: Any) -> dict[str, Any]:
    """The error in OpenAI's shape."""
    error: dict[str, Any] = (await response.json())["error"]
    return error


async def test_views_require_a_key_and_refuse_a_wrong_one_without_a_ban(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    none = await client.post(CHAT_PATH, json=CHAT)
    assert (none.status, (await error_of(none))["code"]) == (401, "missing_api_key")
    for _ in range(3):
        wrong = await client.post(CHAT_PATH, json=CHAT, headers=bearer(WRONG_KEY))
        assert (wrong.status, (await error_of(wrong))["code"]) == (401, "invalid_api_key")
        assert wrong.headers["WWW-Authenticate"] == "Bearer"
    assert provider.requests == []
    assert not hass.http.app.get(KEY_FAILED_LOGIN_ATTEMPTS)
    assert not _async_get_or_create_notifications(hass)
    right = await client.post(CHAT_PATH, json=CHAT, headers=bearer())
    assert (right.status, (await right.json())["choices"][0]["message"]["content"]) == (200, "Hello there.")
    assert provider.keys[-1] is None  # the client's key is not forwarded


async def test_views_throttle_wrong_keys_but_not_valid_ones(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    statuses = {(await client.get("/v1/models", headers=bearer(WRONG_KEY))).status for _ in range(60)}
    assert statuses == {401, 429}
    assert (await client.get("/v1/models", headers=bearer())).status == 200


@pytest.mark.parametrize(("path", "status"), [(CHAT_PATH, 401), ("/v1/messages", 401), ("/v1/models", 405), ("/v1/nothing", 404)])
async def test_views_do_not_unpack_a_compressed_body_without_a_key(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    status: int,
) -> None:
    unpacked: list[int] = []
    unpack = ZLibDecompressor.decompress_sync

    def counted(self: ZLibDecompressor, *args: Any, **options: Any) -> bytes:
        data = unpack(self, *args, **options)
        unpacked.append(len(data))
        return data

    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    monkeypatch.setattr(ZLibDecompressor, "decompress_sync", counted)
    response = await client.post(path, data=gzip.compress(b"a" * 30_000_000), headers={"Content-Encoding": "gzip"})
    assert (response.status, response.headers["Connection"]) == (status, "close")
    await observe(0.2)
    assert sum(unpacked) < 3_000_000


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/test-model", "/v1/status"])
async def test_views_refuse_a_revoked_key_with_the_next_request(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, path: str
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    keys = runtime_of(entry).store.keys
    key, secret = await keys.create("Laptop")
    client = await hass_client_no_auth()
    assert (await client.get(path, headers=bearer(secret))).status == 200
    await keys.revoke(key.id)
    assert (await client.get(path, headers=bearer(secret))).status == 401
    assert (await client.get(path, headers=bearer())).status == 200


@pytest.mark.parametrize("header", ["Authorization", "x-api-key"])
async def test_views_accept_a_home_assistant_token_as_its_user(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    hass_access_token: str,
    hass_admin_user: MockUser,
    monkeypatch: pytest.MonkeyPatch,
    header: str,
) -> None:
    entry = await set_up(hass, gateway_with(box(provider), key=None))
    kept: list[Any] = []
    monkeypatch.setattr(runtime_of(entry).store.ledger, "record", kept.append)
    client = await hass_client_no_auth()
    value = f"Bearer {hass_access_token}" if header == "Authorization" else hass_access_token
    assert (await client.post(CHAT_PATH, json=CHAT, headers={header: value})).status == 200
    assert [record.user_id for record in kept] == [hass_admin_user.id]
    assert (await client.post(CHAT_PATH, json=CHAT, headers={header: value + "x"})).status == 401
    hass_admin_user.is_active = False
    assert (await client.post(CHAT_PATH, json=CHAT, headers={header: value})).status == 401


async def test_views_without_keys_accept_only_allowed_networks_origins_and_hosts(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_AUTH: "none"}))
    client = await hass_client_no_auth()
    assert (await client.post(CHAT_PATH, json=CHAT)).status == 200
    foreign = await client.post(CHAT_PATH, json=CHAT, headers={"Origin": "https://elsewhere.example.net"})
    assert (foreign.status, (await error_of(foreign))["code"]) == (403, "origin_not_allowed")
    rebound = await client.post(CHAT_PATH, json=CHAT, headers={"Host": "evil.example.net"})
    assert (rebound.status, (await error_of(rebound))["code"]) == (403, "host_not_allowed")
    await hass.config.async_update(internal_url="http://evil.example.net:8123")
    await hass.async_block_till_done()
    assert (await client.post(CHAT_PATH, json=CHAT, headers={"Host": "evil.example.net"})).status == 200
    hass.config_entries.async_update_entry(entry, options={CONF_AUTH: "none", CONF_NETWORKS: ["192.0.2.0/24"]})
    await hass.async_block_till_done()
    outside = await client.post(CHAT_PATH, json=CHAT)
    assert (outside.status, (await error_of(outside))["code"]) == (403, "network_not_allowed")


async def test_views_without_keys_refuse_requests_through_the_cloud(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await set_up(hass, gateway_with(box(provider), options={CONF_AUTH: "none"}))
    monkeypatch.setattr("custom_components.zeroconf_ai.gateway.views.is_cloud_connection", lambda _: True)
    client = await hass_client_no_auth()
    refused = await client.post(CHAT_PATH, json=CHAT)
    assert (refused.status, (await error_of(refused))["code"]) == (403, "network_not_allowed")
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200


async def test_views_stream_chunk_by_chunk(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    paused = Paused()
    provider.answers = [paused]
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    async with streaming(client) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        first = await response.content.readline()
        assert "one" in json.dumps(json.loads(first.removeprefix(b"data: ")))
        paused.go.set()  # nothing but what came already let the reader get here
        rest = (await response.read()).decode()
    assert "two" in rest
    assert rest.endswith("data: [DONE]\n\n")


async def test_views_refuse_unknown_paths_and_methods_in_the_paths_error_format(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    for loaded in (True, False):
        if not loaded:
            assert await hass.config_entries.async_unload(entry.entry_id)
        nothing = await client.get("/v1/nothing/here")
        assert nothing.status == 404
        assert "There is nothing at /v1/nothing/here" in (await error_of(nothing))["message"]
        wrong = await client.delete(CHAT_PATH)
        assert (wrong.status, wrong.headers["Allow"]) == (405, "POST")
        assert "allows POST, not DELETE" in (await error_of(wrong))["message"]
        anthropic = await client.get("/v1/messages")
        assert (anthropic.status, (await anthropic.json())["type"]) == (405, "error")
        google = await client.get("/v1beta/nothing")
        assert (google.status, (await google.json())["error"]["status"]) == (404, "NOT_FOUND")
        assert (await client.options(CHAT_PATH)).status == 405
    assert (await client.get("/api/tags")).status == 404  # Ollama's paths are none of Home Assistant's port


async def test_views_errors_have_the_dialects_format(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    openai = await client.post(CHAT_PATH, data=b"{", headers=bearer() | {"Content-Type": "application/json"})
    assert (openai.status, (await error_of(openai))["type"]) == (400, "invalid_request_error")
    anthropic = await client.post("/v1/messages", json={}, headers={"x-api-key": KEY})
    assert (anthropic.status, (await anthropic.json())["type"]) == (400, "error")
    for version in ("v1", "v1beta"):
        google = await client.post(f"/{version}/models/a/b:generateContent", json={}, headers={"x-goog-api-key": KEY})
        assert (google.status, (await google.json())["error"]["status"]) == (400, "INVALID_ARGUMENT")
    unknown = await client.post(CHAT_PATH, json=CHAT | {"model": "no-such-model"}, headers=bearer())
    assert (unknown.status, (await error_of(unknown))["code"]) == (404, "model_not_found")


async def test_views_answer_web_pages_of_allowed_origins(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_CORS_ORIGINS: [ORIGIN]}))
    client = await hass_client_no_auth()
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = await client.options(CHAT_PATH, headers=asked)
    assert (preflight.status, preflight.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
    answer = await client.post(CHAT_PATH, json=CHAT, headers=bearer() | {"Origin": ORIGIN})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    other = await client.options(CHAT_PATH, headers=asked | {"Origin": "https://elsewhere.example.net"})
    assert "Access-Control-Allow-Origin" not in other.headers
    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    assert (await client.options(CHAT_PATH, headers=asked)).status == 405


async def test_views_accept_bodies_beyond_home_assistants_limit(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    long = CHAT | {"messages": [{"role": "user", "content": "x" * (17 * 1024 * 1024)}]}
    assert (await client.post(CHAT_PATH, json=long, headers=bearer())).status in (200, 400)
    too_long = CHAT | {"messages": [{"role": "user", "content": "x" * (33 * 1024 * 1024)}]}
    refused = await client.post(CHAT_PATH, json=too_long, headers=bearer())
    assert (refused.status, (await error_of(refused))["code"]) == (413, "request_too_large")


async def test_views_health_requires_no_key_and_head_is_like_get(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    assert (await client.head("/v1/health")).status == 200
    named = await client.get("/v1/health", headers={"X-Request-ID": "mine"})
    assert (named.status, named.headers["X-Request-ID"]) == (200, "mine")


async def test_views_two_concurrent_requests_are_separate(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    """Each of two equal requests gets its own answer, and a cancelled one does not affect the other."""
    paused = Paused()
    provider.answers = [paused, text("Second")]
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    async with streaming(client) as first:
        await paused.begun.wait()
        async with streaming(client) as second:
            assert b"Second" in await second.read()
        paused.go.set()
        assert b"two" in await first.read()


async def test_views_key_reaches_only_its_endpoints(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    _, secret = await runtime_of(entry).store.keys.create("Embedder", endpoints=("models",))
    client = await hass_client_no_auth()
    assert (await client.get("/v1/models", headers=bearer(secret))).status == 200
    refused = await client.post(CHAT_PATH, json=CHAT, headers=bearer(secret))
    assert (refused.status, (await error_of(refused))["code"]) == (403, "endpoint_not_allowed")


async def test_views_client_key_is_not_logged(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")

    async def fail(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "no"}}, status=500)

    provider.answers = [fail]
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    for key in (KEY, WRONG_KEY):
        await client.post(CHAT_PATH, json=CHAT, headers=bearer(key))
    assert KEY not in caplog.text
    assert WRONG_KEY not in caplog.text


@pytest.mark.parametrize("path", ["/v1/v1/models", "/v1//models/", "/v1/models/"])
async def test_views_answer_equivalent_paths_below_v1(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, path: str
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    assert (await client.get(path)).status == 401
    assert (await (await client.get(path, headers=bearer())).json())["object"] == "list"


async def test_views_serve_the_models_that_home_assistants_anthropic_integration_reads(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", str(client.make_url("")).rstrip("/"))
    # Home Assistant's own client needs the SDK's version that the integration pins; the calls are the same.
    async with anthropic.AsyncAnthropic(api_key=KEY, max_retries=0) as sdk:
        monkeypatch.setattr(coordinator_module, "async_create_client", AsyncMock(return_value=sdk))
        coordinator = AnthropicCoordinator(hass, MockConfigEntry(domain="anthropic", data={CONF_API_KEY: KEY}))
        await coordinator._async_setup()
        listed = await coordinator.async_update_data()
        one = await coordinator.client.models.retrieve("test-model", timeout=10.0)
    assert "test-model" in [model.id for model in listed]
    assert [(model.type, model.display_name) for model in listed if model.id == "test-model"] == [("model", "test-model")]
    assert one.created_at.year == 1970
