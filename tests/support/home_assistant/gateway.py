"""A gateway for tests that send requests to it: its entry with a first key, and a provider as a backend."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
import hashlib
from types import MappingProxyType
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import (
    CONF_BASE_URL,
    CONF_DATABASES,
    CONF_FIRST_KEY,
    CONF_GATEWAY_ID,
    CONF_KIND,
    DOMAIN,
    KIND_GATEWAY,
    SUBENTRY_BACKEND,
)
from custom_components.zeroconf_ai.gateway.runtime import GatewayRuntime
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_TYPE

from ..fakes.provider import FakeProvider
from .gateway_entry import GATEWAY_ID

KEY = "zai_example-key-of-the-tests-0000000"
CHAT: dict[str, Any] = {"model": "test-model", "messages": [{"role": "user", "content": "Hello"}]}
CHAT_PATH = "/v1/chat/completions"


def box(provider: FakeProvider, title: str = "Box", **data: Any) -> ConfigSubentryData:
    """The subentry of a provider as a backend; `data` replaces and adds stored fields."""
    stored = {CONF_TYPE: "openai_compatible", CONF_BASE_URL: provider.base_url, **data}
    return ConfigSubentryData(data=MappingProxyType(stored), subentry_type=SUBENTRY_BACKEND, title=title, unique_id=None)


def gateway_with(
    *subentries: ConfigSubentryData,
    options: Mapping[str, Any] | None = None,
    key: str | None = KEY,
    entry_id: str | None = None,
) -> MockConfigEntry:
    """The gateway's entry with a first key, not yet added."""
    data: dict[str, Any] = {CONF_KIND: KIND_GATEWAY, CONF_GATEWAY_ID: GATEWAY_ID, CONF_DATABASES: {}}
    if key is not None:
        data[CONF_FIRST_KEY] = {"name": "First key", "digest": hashlib.sha256(key.encode()).hexdigest(), "prefix": key[:8]}
    return MockConfigEntry(
        domain=DOMAIN,
        entry_id=entry_id,
        title="Test gateway",
        unique_id=KIND_GATEWAY,
        data=data,
        options=dict(options or {}),
        subentries_data=list(subentries),
    )


def runtime_of(entry: MockConfigEntry) -> GatewayRuntime:
    """The runtime of the loaded gateway."""
    runtime: GatewayRuntime = entry.runtime_data
    return runtime


def bearer(key: str = KEY) -> dict[str, str]:
    """The Authorization header with a key."""
    return {"Authorization": f"Bearer {key}"}


async def post_chat(
    client: TestClient[Any, Any], words: str = "Hello", *, key: str | None = KEY, **fields: Any
) -> tuple[int, str]:
    """Ask the gateway. Returns the status and the text of the answer; None as `key` sends none, `fields` go into the body."""
    body = CHAT | {"messages": [{"role": "user", "content": words}], **fields}
    async with client.post(CHAT_PATH, json=body, headers={} if key is None else bearer(key)) as answer:
        return answer.status, await answer.text()


def streaming(client: TestClient[Any, Any]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    """A chat's stream, open inside the block."""
    return client.post(CHAT_PATH, json=CHAT | {"stream": True}, headers=bearer())
