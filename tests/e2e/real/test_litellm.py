"""A real LiteLLM proxy as the gateway's backend, with fakes of cloud APIs as LiteLLM's backends."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
import json
from typing import Any

from openai import AsyncOpenAI
import pytest
import pytest_asyncio

from devhome.client import eventually
from devhome.namespaces import Lan
from tests.support.clouds.anthropic import MANUAL, FakeAnthropic
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Call, FakeCloud, Fault, Refusal, Reply

from .conftest import StartGateway
from .servers import HELLO, KEY, LITELLM_KEY, Gateway, LiteLLM, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

GPT, CLAUDE, LOCKED = "gpt-4.1", "claude-sonnet-4-5", "locked"
TOOL: Any = {"type": "function", "function": {"name": "turn_on", "parameters": {"type": "object", "properties": {}}}}


@dataclass
class Proxy:
    """LiteLLM and the fakes of its backends."""

    litellm: LiteLLM
    gpt: FakeOpenAI
    claude: FakeAnthropic

    def provider(self, key: str = LITELLM_KEY, **more: object) -> dict[str, object]:
        """LiteLLM as a provider of a configuration file."""
        own = {"id": "proxy", "name": "proxy", "type": "litellm", "endpoint": self.litellm.url, "authSecret": key}
        return own | {"health": {"interval": 1}} | more


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxy]:
    """One LiteLLM for all tests of this module, because it starts slowly."""
    async with FakeOpenAI() as gpt, FakeAnthropic() as claude:
        at_gpt = {"model": f"openai/{GPT}", "api_base": gpt.base_url, "api_key": gpt.key}
        at_claude = {"model": f"anthropic/{MANUAL}", "api_base": claude.root, "api_key": claude.key}
        litellm = LiteLLM(
            lan.host("tester"),
            tmp_path_factory.mktemp("litellm"),
            [
                {"model_name": GPT, "litellm_params": at_gpt},
                {"model_name": CLAUDE, "litellm_params": at_claude},
                {"model_name": LOCKED, "litellm_params": at_gpt | {"api_key": "sk-not-the-key"}},
            ],
        )
        try:
            await litellm.start()
            yield Proxy(litellm, gpt, claude)
        finally:
            litellm.process.kill()


@pytest.fixture
def proxy(running: Proxy) -> Proxy:
    """The proxy with default answers and without recorded requests."""
    for fake in (running.gpt, running.claude):
        say(fake)
        fake.received.clear()
    return running


def say(fake: FakeCloud, *outcomes: Any) -> None:
    """Set the fake's next answers."""
    fake.outcomes[:] = outcomes or [Reply("Hello there.")]


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(proxy: Proxy, start_gateway: StartGateway) -> Gateway:
    return await start_gateway(proxy.provider())


@pytest_asyncio.fixture(loop_scope="module")
async def openai(gateway: Gateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0, _strict_response_validation=True) as client:
        yield client


@pytest.mark.parametrize("model", [GPT, CLAUDE])
async def test_litellm_chats_streams_and_tool_calls_work(proxy: Proxy, openai: AsyncOpenAI, model: str) -> None:
    fake = proxy.gpt if model == GPT else proxy.claude
    answer = await openai.chat.completions.create(model=model, messages=HELLO, max_tokens=50)
    assert answer.choices[0].message.content == "Hello there."
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8

    stream = await openai.chat.completions.create(
        model=model, messages=HELLO, max_tokens=50, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello there."
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == [8]

    say(fake, Reply(calls=(Call("turn_on", {"lamp": "kitchen"}),)), Reply("It is on."))
    asked = await openai.chat.completions.create(model=model, messages=HELLO, max_tokens=50, tools=[TOOL])
    calls = asked.choices[0].message.tool_calls or []
    assert len(calls) == 1
    call = calls[0]
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"lamp": "kitchen"}
    turns: Any = [
        *HELLO,
        asked.choices[0].message.model_dump(include={"role", "tool_calls"}),
        {"role": "tool", "tool_call_id": call.id, "content": "done"},
    ]
    done = await openai.chat.completions.create(model=model, messages=turns, max_tokens=50, tools=[TOOL])
    assert done.choices[0].message.content == "It is on."


async def test_litellm_models_have_prices_and_limits(gateway: Gateway) -> None:
    models = await gateway.models()
    assert models.keys() == {GPT, CLAUDE, LOCKED}
    assert models[GPT]["pricing"]["input_cost_per_1m"] == 2
    assert models[GPT]["pricing"]["output_cost_per_1m"] == 8
    assert models[GPT]["context_window"] > 1_000_000
    assert models[CLAUDE]["pricing"]["input_cost_per_1m"] == 3
    assert "tools" in models[CLAUDE]["capabilities"]


async def test_litellm_rate_limit_is_an_error_without_a_retry(proxy: Proxy, gateway: Gateway) -> None:
    say(proxy.gpt, Refusal(429, "Rate limit reached", "rate_limit_error", "rate_limit_exceeded", headers={"Retry-After": "7"}))
    refused = await gateway.ask({"model": GPT, "messages": HELLO})
    assert refused.status == 429
    assert refused.body["error"]["type"] == "rate_limit_error"
    assert len(proxy.gpt.bodies("/v1/chat/completions")) == 1, "there is no immediate retry"


async def test_litellm_missing_upstream_key_is_not_a_client_error(proxy: Proxy, gateway: Gateway) -> None:
    refused = await gateway.ask({"model": LOCKED, "messages": HELLO})
    assert refused.status == 502
    assert "sk-not-the-key" not in json.dumps(refused.body)
    assert KEY not in json.dumps(refused.body)


async def test_litellm_refused_key_is_reported_without_showing_it(proxy: Proxy, start_gateway: StartGateway) -> None:
    gateway = await start_gateway(proxy.provider("sk-canary-wrong-key"))
    refused = await gateway.ask({"model": GPT, "messages": HELLO})
    assert refused.status in (502, 503)
    assert "sk-canary-wrong-key" not in json.dumps(refused.body) + gateway.process.output()
    assert not proxy.gpt.received


async def test_litellm_backlog_moves_requests_to_the_other_provider(proxy: Proxy, start_gateway: StartGateway) -> None:
    async with FakeOpenAI() as other:
        spare = {"id": "spare", "name": "spare", "type": "openai_compatible", "endpoint": other.base_url, "authSecret": other.key}
        gateway = await start_gateway(proxy.provider(), spare, host="tester", routing={"strategy": "least_busy"})

        async def answerers() -> set[str]:
            return {(await gateway.ask({"model": GPT, "messages": HELLO})).provider for _ in range(4)}

        assert await answerers() == {"proxy", "spare"}
        say(proxy.gpt, Fault("stall", after=0), Reply("Hello there."))
        proxy.gpt.received.clear()
        stalled = asyncio.create_task(hang(proxy))  # directly, not through the gateway

        async def arrived() -> bool:
            return bool(proxy.gpt.bodies("/v1/chat/completions"))

        async def spared() -> bool:
            return await answerers() == {"spare"}

        try:
            await eventually(arrived)
            await eventually(spared, timeout=10)
        finally:
            stalled.cancel()
            await asyncio.wait([stalled])


async def hang(proxy: Proxy) -> None:
    """Send LiteLLM a request that is never answered."""
    question = {"model": GPT, "messages": HELLO, "stream": True}
    async with post(f"{proxy.litellm.url}/v1/chat/completions", question, LITELLM_KEY) as response:
        await response.read()
