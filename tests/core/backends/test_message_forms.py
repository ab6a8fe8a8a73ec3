"""Messages that a server refuses for their form are sent again in the form that it requires, and from then on at once."""

from typing import Any

import aiohttp
from aiohttp import web
import pytest

from tests.support.clouds.asking import before, chat, error_of, say
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Refusal, Reply
from tests.support.fakes.provider import FakeProvider, text
from tests.support.server import served, upstream
from zeroconf_ai.protocol.errors import ApiError

SYSTEM = {"role": "system", "content": "Be brief."}
HI = {"role": "user", "content": "Hi"}
YES = {"role": "assistant", "content": "Yes?"}
PATH = "/v1/chat/completions"


def roles(fake: FakeOpenAI) -> list[list[str]]:
    """The roles of the messages of each request."""
    return [[message["role"] for message in body["messages"]] for body in fake.bodies(PATH)]


@pytest.mark.parametrize("name", ["vllm", "llamacpp", "lmstudio", "openai_compatible"])
async def test_messages_are_tidied_for_servers_with_chat_templates(name: str) -> None:
    fake = FakeOpenAI()
    async with before(name, fake) as backend:
        await say(backend, chat("gpt-4.1", messages=[{**SYSTEM, "role": "developer"}, HI, HI, SYSTEM]))
    assert fake.last.body["messages"] == [
        {"role": "system", "content": "Be brief.\n\nBe brief."},
        {"role": "user", "content": "Hi\n\nHi"},
    ]


@pytest.mark.parametrize("name", ["openai", "openrouter", "litellm"])
async def test_messages_are_unchanged_for_servers_that_know_all_roles(name: str) -> None:
    fake = FakeOpenAI()
    sent = [{**SYSTEM, "role": "developer"}, HI, HI, SYSTEM, YES]
    async with before(name, fake) as backend:
        await say(backend, chat("gpt-4.1", messages=sent))
    assert fake.last.body["messages"] == sent


@pytest.mark.parametrize(
    ("name", "refusals", "sent", "found"),
    [
        (
            "litellm",
            [
                Refusal(
                    400, "messages[0].role: unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`"
                )
            ],
            [{**SYSTEM, "role": "developer"}, HI],
            ["system", "user"],
        ),
        (
            "openrouter",
            [Refusal(422, "Unexpected role 'system' after role 'user'")],
            [HI, SYSTEM],
            ["system", "user"],
        ),
        (
            "openai",
            [Refusal(400, "An assistant message with 'tool_calls' must be followed by tool messages", param="messages.[1].role")],
            [HI, {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "x"}}]}, HI],
            ["user", "assistant", "tool", "user"],
        ),
        (
            "vllm",
            [Refusal(400, "Conversation roles must alternate user/assistant/user/assistant/...")],
            [YES, HI],
            ["user", "assistant", "user"],
        ),
        (
            "llamacpp",
            [Refusal(500, "Conversation roles must alternate user/assistant/user/assistant/... at row 4, column 5")],
            [YES, HI],
            ["user", "assistant", "user"],
        ),
        (
            "llamacpp",
            [Refusal(400, "Assistant response prefill is incompatible with enable_thinking.")],
            [HI, YES],
            ["user", "assistant", "user"],
        ),
        (
            "openai_compatible",
            [Refusal(400, "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant")],
            [HI, YES],
            ["user", "assistant", "user"],
        ),
        ("vllm", [Refusal(400, "System role not supported")], [SYSTEM, HI], ["user"]),
        ("llamacpp", [Refusal(500, "System role not supported at row 1, column 59")], [SYSTEM, HI], ["user"]),
        ("llamacpp", [Refusal(500, "No user query found in messages.")], [SYSTEM], ["user"]),
        (
            "openai_compatible",
            [Refusal(422, "messages.0.content: Input should be a valid string")],
            [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            ["user"],
        ),
    ],
)
async def test_refused_messages_are_sent_in_a_stricter_form(name: str, refusals: Any, sent: Any, found: list[str]) -> None:
    fake = FakeOpenAI(*refusals, Reply("Hello."))
    async with before(name, fake) as backend:
        for _ in range(2):  # the second time at once
            assert (await say(backend, chat("gpt-4.1", messages=sent))).content == "Hello."
    assert roles(fake)[1:] == [found, found]
    assert all(isinstance(message.get("content") or "", str) for message in fake.last.body["messages"])


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
        Refusal(400, "the request exceeds the available context size"),
        Refusal(500, "out of memory"),
        Refusal(429, "roles must alternate"),
    ],
)
async def test_other_errors_are_not_taken_for_a_refusal_of_the_form(refusal: Refusal) -> None:
    fake = FakeOpenAI(refusal, Reply("Hello."))
    async with before("vllm", fake) as backend:
        assert isinstance(await error_of(backend.send(chat("gpt-4.1", messages=[YES, HI]))), ApiError)
    assert len(roles(fake)) == 1


async def test_refusal_of_every_form_is_the_clients_error_after_few_requests() -> None:
    fake = FakeOpenAI(*[Refusal(400, "no")] * 9)
    async with before("openrouter", fake) as backend:
        sent = [{**SYSTEM, "role": "developer"}, YES, SYSTEM, YES]
        err = await error_of(backend.send(chat("gpt-4.1", messages=sent)))
    assert err.status == 400
    assert len(roles(fake)) == 4


async def test_provider_on_the_network_gets_messages_that_it_accepts() -> None:
    """Servers of the original protocol know neither `developer` nor lists of parts."""

    async def strict(request: web.Request) -> web.StreamResponse:
        messages = (await request.json())["messages"]
        if any(message["role"] == "developer" or not isinstance(message["content"], str) for message in messages):
            return web.json_response({"detail": [{"loc": ["body", "messages"], "msg": "bad"}]}, status=422)
        return web.json_response({"choices": [{"message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]})

    provider = FakeProvider(answers=[strict, strict, strict])
    content = [{"type": "text", "text": "Hi"}]
    body = {"model": "test-model", "messages": [{"role": "developer", "content": "x"}, {"role": "user", "content": content}]}
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        status, answer, _ = await gateway.ask("POST", "chat/completions", json=body)
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "Hello.")


async def test_provider_on_the_network_gets_other_messages_unchanged() -> None:
    provider = FakeProvider(answers=[text("Hello.")])
    body = {"model": "test-model", "stream": True, "messages": [{"role": "developer", "content": "x"}, HI, HI]}
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        await gateway.ask("POST", "chat/completions", json=body)
    assert provider.requests[0]["messages"] == body["messages"]


@pytest.mark.parametrize(
    "wording",
    [
        "Ollama API error: json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls.function.arguments",
        "messages.1.tool_calls.0.function.arguments: Input should be a valid dictionary",
        "tool call arguments must be an object",
    ],
)
async def test_arguments_are_sent_as_objects_to_a_server_that_refuses_texts(wording: str) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"room": "attic"}'}}
    turns = [HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "Dark"}]
    fake = FakeOpenAI(Refusal(400, wording), Reply("It is dark."))
    async with before("openai_compatible", fake) as backend:
        for _ in range(2):
            assert (await say(backend, chat("gpt-4.1", messages=turns))).content == "It is dark."
    sent = [body["messages"][1]["tool_calls"][0]["function"]["arguments"] for body in fake.bodies(PATH)]
    assert sent == ['{"room": "attic"}', {"room": "attic"}, {"room": "attic"}]


async def test_arguments_stay_texts_after_another_refusal() -> None:
    fake = FakeOpenAI(Refusal(400, "tool_calls[0].function.arguments: unknown room"))
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    turns = [HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "Dark"}]
    async with before("openai_compatible", fake) as backend:
        with pytest.raises(ApiError):
            await say(backend, chat("gpt-4.1", messages=turns))
    assert all(isinstance(body["messages"][1]["tool_calls"][0]["function"]["arguments"], str) for body in fake.bodies(PATH))
