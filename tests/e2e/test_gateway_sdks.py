"""SDKs as clients of a real Home Assistant's gateway, with the usual steps of a program."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
import json
import time
from typing import Any

from openai import AsyncOpenAI, PermissionDeniedError
import pytest
import pytest_asyncio

from devhome.namespaces import Lan
from tests.support.clouds.openai import VECTOR
from tests.support.clouds.server import PNG, Call, Refusal, Reply
from tests.support.documented import ADDRESS, sections, with_replaced

from .gateway_home import HELLO, GatewayHome, gateway_home
from .sdks import CHAT_MODEL, READING, SDKS, VISION_MODEL, Sdk

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayHome]:
    async with gateway_home(lan, tmp_path_factory.mktemp("sdks")) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(site: GatewayHome) -> None:
    for fake in (site.openai, site.ollama):
        fake.outcomes = [HELLO]
        fake.received.clear()
        fake.pause = 0.0


def having(step: str) -> Any:
    sdks = [sdk for sdk in SDKS if step in sdk.steps]
    return pytest.mark.parametrize("sdk", sdks, ids=[sdk.name for sdk in sdks])


@having("models")
async def test_sdk_models_are_listed(site: GatewayHome, sdk: Sdk) -> None:
    told = await sdk.ask(site.address, "models")
    assert {"auto", CHAT_MODEL, VISION_MODEL, "homeassistant/assist"} <= set(told["models"])


@having("chat")
async def test_sdk_chat_is_answered_and_counted(site: GatewayHome, sdk: Sdk) -> None:
    told = await sdk.ask(site.address, "chat")
    assert told["text"] == HELLO.text
    assert (told["prompt"], told["completion"]) == (HELLO.prompt_tokens, HELLO.completion_tokens)
    assert site.openai.last.headers["Authorization"] == f"Bearer {site.openai.key}"


@having("stream")
async def test_sdk_stream_has_chunks_and_usage(site: GatewayHome, sdk: Sdk) -> None:
    site.openai.pause = 0.01
    told = await sdk.ask(site.address, "stream")
    assert told["text"] == HELLO.text
    assert told["pieces"] > 2
    assert (told["prompt"], told["completion"]) == (HELLO.prompt_tokens, HELLO.completion_tokens)


@having("tools")
async def test_sdk_tool_call_and_result_complete_a_conversation(site: GatewayHome, sdk: Sdk) -> None:
    call = Call("read_meter", {"room": "Kitchen"}, id="call_kitchen")
    site.openai.outcomes = [Reply(calls=(call,)), Reply("It is warm enough.")]
    told = await sdk.ask(site.address, "tools")
    assert (told["name"], told["arguments"]) == (call.name, call.arguments)
    assert told["text"] == "It is warm enough."
    asked, made, result = site.openai.last.body["messages"]
    assert asked["role"] == "user"
    (passed,) = made["tool_calls"]
    assert passed["function"]["name"] == call.name
    assert (result["role"], result["tool_call_id"]) == ("tool", passed["id"])
    assert READING in str(result["content"])


@having("structured")
async def test_sdk_answer_has_the_requested_structure(site: GatewayHome, sdk: Sdk) -> None:
    site.openai.outcomes = [Reply('{"room": "Kitchen", "celsius": 21.5}')]
    told = await sdk.ask(site.address, "structured")
    assert told["object"] == {"room": "Kitchen", "celsius": 21.5}
    wanted = site.openai.last.body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"]["required"] == ["room", "celsius"]


@having("vision")
async def test_sdk_image_reaches_a_vision_model(site: GatewayHome, sdk: Sdk) -> None:
    told = await sdk.ask(site.address, "vision")
    assert told["text"] == HELLO.text
    (message,) = site.ollama.bodies("/api/chat")[-1]["messages"]
    assert message["images"] == [PNG]
    assert site.openai.bodies("/v1/chat/completions") == []


@having("embeddings")
async def test_sdk_embeddings_of_texts_are_returned(site: GatewayHome, sdk: Sdk) -> None:
    told = await sdk.ask(site.address, "embeddings")
    assert told["vectors"] == [list(VECTOR)] * 2


@having("wrong_key")
async def test_sdk_wrong_key_is_refused(site: GatewayHome, sdk: Sdk) -> None:
    told = await sdk.ask(replace(site.address, key="zai_example-of-a-wrong-key-0123456789"), "wrong_key")
    assert told["error"] == sdk.errors[401]
    assert told["status"] == 401
    assert site.openai.received == []


@having("unknown_model")
async def test_sdk_unknown_model_is_refused(site: GatewayHome, sdk: Sdk) -> None:
    told = await sdk.ask(site.address, "unknown_model")
    assert told["error"] == sdk.errors[404]
    assert told["status"] == 404
    assert "no-such-model" in told["message"]


@having("bad_parameter")
async def test_sdk_invalid_parameter_is_named(site: GatewayHome, sdk: Sdk) -> None:
    told = await sdk.ask(site.address, "bad_parameter")
    assert told["error"] == sdk.errors[400]
    assert told["status"] == 400
    assert "temperature" in told["message"]


@having("rate_limited")
async def test_sdk_rate_limit_is_waited_for_and_answered(site: GatewayHome, sdk: Sdk) -> None:
    site.openai.outcomes = [Refusal(429, "Slow down.", "rate_limit_error", headers={"Retry-After": "1"}), HELLO]
    begun = time.monotonic()
    told = await sdk.ask(site.address, "rate_limited")
    assert told["text"] == HELLO.text
    assert len(site.openai.bodies("/v1/chat/completions")) == 2
    assert time.monotonic() - begun >= 1


@having("cancel")
async def test_sdk_cancelled_stream_ends_the_provider_within_a_second(site: GatewayHome, sdk: Sdk) -> None:
    site.openai.outcomes = [Reply("word " * 1000)]
    site.openai.pause = 0.02
    async with sdk.doing(site.address, "cancel") as told:
        assert told == {"cancelled": True}
        await asyncio.wait_for(site.openai.last.over.wait(), 1)
        assert site.openai.last.cut


async def test_curl_with_the_documented_command_turns_on_the_light(site: GatewayHome) -> None:
    (command,) = sections("guides.md")["curl"].commands
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", with_replaced(command, {f"http://{ADDRESS}:8123": site.home.url})),
        env={"PATH": "/usr/bin:/bin", "ZEROCONF_AI_KEY": site.gateway.key},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    (choice,) = json.loads(printed)["choices"]
    assert choice["message"]["content"] == "Turned on the light"
    assert await site.client.state("light.kitchen_light") == "on"
    assert site.openai.received == []


async def test_sdk_turns_on_a_light_with_the_tools_of_the_house_and_only_with_a_key_that_may(site: GatewayHome) -> None:
    (user,) = (user for user in await site.client.call("config/auth/list") if user["is_owner"])
    light, on = "light.bedroom_light", Call("intent__HassTurnOn", {"name": "Bedroom light"}, id="call_bedroom")
    asked: Any = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "Light in the bedroom, please."}]}
    asked["extra_headers"] = {"X-ZeroconfAI-Tools": "home"}

    async def key_with(*llm_apis: str) -> AsyncOpenAI:
        made = await site.client.call("zeroconf_ai/keys/create", name="Laptop", user_id=user["id"], llm_apis=list(llm_apis))
        return AsyncOpenAI(base_url=f"{site.address.url}/v1", api_key=made["key"], max_retries=0)

    await site.client.call_service("light", "turn_off", {"entity_id": light})
    site.openai.outcomes = [Reply(calls=(on,)), Reply("It is on.")]
    async with await key_with() as client:
        with pytest.raises(PermissionDeniedError, match="may not use the tools of the house"):
            await client.chat.completions.create(**asked)
    assert (await site.client.state(light), site.openai.received) == ("off", [])
    async with await key_with("assist") as client:
        answer = await client.chat.completions.create(**asked)
    assert (answer.choices[0].message.content, await site.client.state(light)) == ("It is on.", "on")
    assert len(site.openai.bodies("/v1/chat/completions")) == 2
