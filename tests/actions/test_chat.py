"""The actions and what they answer."""

import json
from typing import Any

from aiohttp import web
import pytest
import voluptuous as vol

from custom_components.zeroconf_ai.actions.chat import CHAT_SCHEMA
from custom_components.zeroconf_ai.const import DOMAIN
from custom_components.zeroconf_ai.data import DATA
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, refuse, running, text
from ..support.home_assistant.entries import announce, ask, make_entry, record_of, set_up
from ..support.home_assistant.gateway import box, gateway_with

SCHEMA = {
    "type": "object",
    "properties": {"room": {"type": "string"}, "degrees": {"type": ["number", "null"]}},
    "required": ["room", "degrees"],
}


async def call(hass: HomeAssistant, action: str) -> dict[str, Any]:
    answer = await hass.services.async_call(DOMAIN, action, blocking=True, return_response=True)
    assert answer is not None
    return answer


async def test_chat_action_response_contains_all_fields(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    answer = await ask(
        hass, prompt="Is it warm?", system_prompt="Be brief.", temperature=0.5, max_tokens=20, extra={"seed": 1, "stream": True}
    )
    assert answer == {
        "text": "Hello there.",
        "model": "test-model",
        "provider": "Test provider",
        "config_entry_id": entry.entry_id,
        "finish_reason": "stop",
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 3,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "attempts": [{"provider": "Test provider", "failure": None}],
    }
    assert provider.requests == [
        {
            "model": "test-model",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it warm?"}],
            "temperature": 0.5,
            "max_tokens": 20,
            "seed": 1,
            "stream": False,
        }
    ]


async def test_chat_action_accepts_each_id_that_the_actions_return(hass: HomeAssistant, provider: FakeProvider) -> None:
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as other:
        gateway = await set_up(hass, gateway_with(box(provider, "Box"), box(other, "Attic")))
        ids = {known["name"]: known["config_entry_id"] for known in (await call(hass, "list_providers"))["providers"]}
        assert ids.keys() >= {"Box", "Attic"}
        for name in ("Box", "Attic"):
            answer = await ask(hass, config_entry_id=ids[name])
            assert (answer["provider"], answer["config_entry_id"]) == (name, ids[name])
        assert (await ask(hass, config_entry_id=gateway.entry_id))["text"] == "Hello there.", "any provider"


async def test_chat_action_accepts_a_conversation(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    messages = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."}]
    await ask(hass, messages=messages, prompt="Three?")
    assert provider.requests[0]["messages"] == [*messages, {"role": "user", "content": "Three?"}]
    messages = [{"role": "user", "content": "Only this?"}]
    await hass.services.async_call(DOMAIN, "chat", {"messages": messages}, blocking=True, return_response=True)
    assert provider.requests[1]["messages"] == messages


async def test_chat_action_omits_reasoning_without_an_opening_tag(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text("Hm, ", "well.</think>", "\nIt is warm.")]
    assert (await ask(hass))["text"] == "It is warm."


async def test_chat_action_omits_reasoning_and_returns_tool_calls(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text("<think>Hm, ", "well.</think>", "\nIt is warm.")]
    assert (await ask(hass))["text"] == "It is warm."

    async def with_tools(_: web.Request) -> web.Response:
        calls = [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}}]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})

    provider.answers = [with_tools]
    answer = await ask(hass, extra={"tools": []})
    assert (answer["text"], answer["finish_reason"], answer["usage"]) == ("", "tool_calls", None)
    assert answer["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at": "sky"}'}


@pytest.mark.parametrize(
    "said",
    [
        '{"room": "kitchen", "degrees": null}',
        '```json\n{"room": "kitchen", "degrees": null}\n```',
        'Here it is: {"room": "kitchen", "degrees": null}. Anything else?',
    ],
)
async def test_chat_action_with_a_schema_returns_data(hass: HomeAssistant, provider: FakeProvider, said: str) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text(said)]
    answer = await ask(hass, json_schema=SCHEMA)
    assert answer["data"] == {"room": "kitchen", "degrees": None}
    assert provider.requests[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA},
    }


async def test_chat_action_for_a_server_without_response_format_sends_instructions(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [
        refuse(400, "response_format is not supported", param="response_format"),
        text('{"room": "hall", "degrees": 21}'),
    ]
    answer = await ask(hass, json_schema=SCHEMA)
    assert answer["data"] == {"room": "hall", "degrees": 21}
    assert "response_format" not in provider.requests[1]
    assert json.dumps(SCHEMA, separators=(",", ":")) in provider.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize("said", ["I do not know.", '{"room": 7, "degrees": 1}', '{"degrees": 1}'])
async def test_chat_action_data_that_violates_the_schema_is_an_error(
    hass: HomeAssistant, provider: FakeProvider, said: str
) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text(said)]
    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(
            DOMAIN, "chat", {"prompt": "?", "json_schema": SCHEMA}, blocking=True, return_response=True
        )
    assert caught.value.translation_key == "structure_failed"


@pytest.mark.parametrize(
    ("data", "script", "kind", "key"),
    [
        ({"json_schema": {"type": "objekt"}}, [], ServiceValidationError, "invalid_json_schema"),
        ({"json_schema": SCHEMA}, [refuse(400, "too long")], ServiceValidationError, "request_refused_because"),
        ({"extra": {"temperature": 3}}, [], ServiceValidationError, "request_refused_because"),
        ({"messages": [{"role": "nobody"}]}, [], ServiceValidationError, "request_refused_because"),
        ({"model": "unknown"}, [], ServiceValidationError, "model_not_found"),
        ({"config_entry_id": "unknown"}, [], ServiceValidationError, "service_config_entry_not_found"),
        ({}, [text("")], HomeAssistantError, "empty_response"),
        ({}, [refuse(429, "slow down", {"Retry-After": "7"})], HomeAssistantError, "busy"),
        ({}, [refuse(500, "broken")], HomeAssistantError, "all_failed"),
    ],
)
async def test_chat_action_failure_of_each_kind_has_its_message(
    hass: HomeAssistant,
    provider: FakeProvider,
    data: dict[str, Any],
    script: list[Any],
    kind: type[HomeAssistantError],
    key: str,
) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = script
    with pytest.raises(kind) as caught:
        await hass.services.async_call(DOMAIN, "chat", {"prompt": "Is it?", **data}, blocking=True, return_response=True)
    assert caught.value.translation_key == key
    assert "{" not in str(caught.value)  # every placeholder of the text is filled


async def test_chat_action_without_a_provider_logs_a_solution(
    hass: HomeAssistant, quiet_network: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, DOMAIN, {})
    with pytest.raises(HomeAssistantError, match="no AI model is available"):
        await hass.services.async_call(DOMAIN, "chat", {"prompt": "Is it?"}, blocking=True, return_response=True)
    assert "No provider is set up. Add one" in caplog.text
    assert await call(hass, "list_providers") == {"providers": [], "discovered": []}


@pytest.mark.parametrize(
    "data",
    [{}, {"system_prompt": "only"}, {"prompt": "a", "temperature": 2.1}, {"prompt": "a", "what": 1}, {"messages": ["text"]}],
)
def test_chat_action_with_invalid_fields_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        CHAT_SCHEMA(data)


async def test_chat_action_after_a_failover_reports_the_attempts(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as second:
        other = await set_up(hass, make_entry(second, title="The other one", subentries=[]))
        provider.answers = [refuse(429, "too busy")]
        answer = await ask(hass)
        assert answer["attempts"] == [
            {"provider": "Test provider", "failure": "the provider has reached its rate limit"},
            {"provider": "The other one", "failure": None},
        ]
        assert await hass.config_entries.async_unload(other.entry_id)


async def test_list_providers(hass: HomeAssistant, provider: FakeProvider) -> None:
    queue = {"depth": 1, "active": 2, "max_concurrent": 4, "estimated_wait_seconds": 0.5}
    provider.status = {"object": "status", "queue": queue}
    entry = await set_up(hass, make_entry(provider))
    announce(hass, record_of(provider))
    stranger = FakeProvider(id="33333333-3333-4333-8333-333333333333", port=9)
    announce(hass, record_of(stranger, "Stranger", ephemeral_key="sk-secret", sealed_token="sealed-secret"))
    await hass.async_block_till_done(wait_background_tasks=True)
    answer = await call(hass, "list_providers")
    known = answer["providers"][0]
    assert known.pop("latency_seconds") > 0
    assert known.pop("last_seen").endswith("+00:00")
    assert answer["providers"] == [
        {
            "config_entry_id": entry.entry_id,
            "name": "Test provider",
            "state": "healthy",
            "use_for_routing": True,
            "priority": 100,
            "capabilities": ["completion", "streaming"],
            "cost": "free",
            "models": ["test-model"],
            "load": {"active": 2, "queue_depth": 1, "capacity": 4, "estimated_wait_seconds": 0.5},
            "last_error": None,
        }
    ]
    assert [found["name"] for found in answer["discovered"]] == ["Stranger"]
    assert "secret" not in json.dumps(answer)


async def test_list_providers_entered_provider_is_matched_by_address(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider, provider_id=None))
    announce(hass, record_of(provider))
    assert (await call(hass, "list_providers"))["discovered"] == []


async def test_list_providers_without_status_reports_our_load(hass: HomeAssistant, provider: FakeProvider) -> None:
    await provider.stop()
    await set_up(hass, make_entry(provider))
    known = (await call(hass, "list_providers"))["providers"][0]
    assert known["state"] == "offline"
    assert known["last_seen"] is None
    assert known["capabilities"] is None
    assert known["load"] == {"active": 0, "queue_depth": None, "capacity": None, "estimated_wait_seconds": None}


async def test_scan_action_returns_providers_and_whether_they_are_set_up(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.zeroconf_ai.core.lan.discovery.QUIET_SECONDS", 0.05)
    await set_up(hass, make_entry(provider))
    scanning = hass.async_create_task(call(hass, "scan"))
    announce(hass, record_of(provider))  # heard while it listens
    announce(hass, record_of(FakeProvider(id="33333333-3333-4333-8333-333333333333", port=9), "Stranger", models_truncated=True))
    found = (await scanning)["found"]
    assert {each["name"]: (each["configured"], each["more_models"]) for each in found} == {
        "Test provider": (True, False),
        "Stranger": (False, True),
    }
    stranger = next(each for each in found if each["name"] == "Stranger")
    assert stranger["base_url"] == "http://127.0.0.1:9/v1"
    assert stranger["models"] == ["test-model"]
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_actions_remain_after_the_entry_is_unloaded(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError) as caught:
        await hass.services.async_call(
            DOMAIN, "chat", {"prompt": "?", "config_entry_id": entry.entry_id}, blocking=True, return_response=True
        )
    assert caught.value.translation_key == "service_config_entry_not_loaded"
    assert (await call(hass, "list_providers"))["providers"] == []
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert (await ask(hass))["text"] == "Hello there."
    assert list(hass.data[DATA].engine.pool)
