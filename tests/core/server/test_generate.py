"""Answers over HTTP: the official SDK as the client, the built-in model and scripted providers behind."""

import asyncio
from collections.abc import AsyncIterator
import json

import aiohttp
from aiohttp import web
import jsonschema
import openai
from openai.types.chat import ChatCompletionMessageParam
import pytest

from zeroconf_ai.backends.base import Endpoint
from zeroconf_ai.backends.demo.backend import DemoBackend
from zeroconf_ai.server import response_writer

from ...support.fakes.chunks import delta
from ...support.fakes.provider import FakeProvider, send_stream, text, usage
from ...support.server import CHAT, Endless, Served, events, served, upstream
from ...support.waiting import AT_ONCE, pause_fake, stopped_loop_clock, until

LIGHT = {
    "type": "function",
    "function": {
        "name": "intent__HassTurnOn",
        "description": "Turns on/opens/presses a device or entity.",
        "parameters": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "domain": {"type": "array", "items": {"type": "string"}}},
        },
    },
}


async def streamed(gateway: Served) -> list[str]:
    """The payloads of a streamed answer."""
    async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": True}) as response:
        assert response.status == 200
        return await events(response)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


async def test_sdk_gets_an_answer(demo: Served) -> None:
    async with demo.sdk() as client:
        answer = await client.chat.completions.create(model="demo-rules", messages=[{"role": "user", "content": "count to 3"}])
    assert answer.choices[0].message.content == "1 2 3"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 3)


async def test_sdk_gets_a_stream_without_unrequested_usage(demo: Served) -> None:
    async with demo.sdk() as client:
        stream = await client.chat.completions.create(
            model="demo-rules", messages=[{"role": "user", "content": "count to 3"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "1", " 2", " 3", None]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1


async def test_sdk_gets_requested_usage(demo: Served) -> None:
    async with demo.sdk() as client:
        stream = await client.chat.completions.create(
            model="demo-rules",
            messages=[{"role": "user", "content": "count to 3"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3


async def test_stream_ends_with_done_and_is_not_buffered(demo: Served) -> None:
    body = {"model": "demo-rules", "messages": [{"role": "user", "content": "count to 2"}], "stream": True}
    async with demo.session.post(f"{demo.url}/chat/completions", json=body) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["X-ZeroconfAI-Provider"] == "demo-rules"
        assert response.headers["X-ZeroconfAI-Model"] == "demo-rules"
        assert response.headers["X-ZeroconfAI-Attempts"] == "1"
        assert response.headers["X-Request-ID"]
        assert (await events(response))[-1] == "[DONE]"


async def test_tool_call_and_result_complete_a_conversation(demo: Served) -> None:
    messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Turn on the kitchen light"}]
    async with demo.sdk() as client:
        first = await client.chat.completions.create(model="demo-rules", messages=messages, tools=[LIGHT])  # type: ignore[list-item]
        [call] = first.choices[0].message.tool_calls or []
        assert first.choices[0].finish_reason == "tool_calls"
        assert call.type == "function"
        assert call.function.name == "intent__HassTurnOn"
        assert json.loads(call.function.arguments) == {"name": "kitchen light"}
        result = {
            "response_type": "action_done",
            "data": {"success": [{"name": "Kitchen light", "type": "entity"}], "failed": []},
        }
        messages += [
            first.choices[0].message.model_dump(exclude_none=True),  # type: ignore[list-item]
            {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)},
        ]
        second = await client.chat.completions.create(model="demo-rules", messages=messages, tools=[LIGHT])  # type: ignore[list-item]
    assert second.choices[0].message.content == "I turned on Kitchen light."


async def test_tool_call_streamed_is_assembled_by_the_sdk(demo: Served) -> None:
    async with (
        demo.sdk() as client,
        client.chat.completions.stream(
            model="demo-rules",
            messages=[{"role": "user", "content": "Turn on the kitchen light and the desk lamp"}],
            tools=[LIGHT],  # type: ignore[list-item]
        ) as stream,
    ):
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments)["name"] for call in calls] == ["kitchen light", "desk lamp"]
    assert len({call.id for call in calls}) == 2


async def test_structured_answer_is_valid(demo: Served) -> None:
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 3},
            "rooms": {"type": "array", "items": {"$ref": "#/$defs/room"}, "minItems": 2},
        },
        "required": ["title", "rooms"],
        "additionalProperties": False,
        "$defs": {
            "room": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "heating": {"enum": ["eco", "comfort"]}},
                "required": ["name", "heating"],
                "additionalProperties": False,
            }
        },
    }
    async with demo.sdk() as client:
        answer = await client.chat.completions.create(
            model="demo-rules",
            messages=[{"role": "user", "content": "Rooms that should be on comfort"}],
            response_format={"type": "json_schema", "json_schema": {"name": "home", "schema": schema, "strict": True}},
        )
    made = json.loads(answer.choices[0].message.content or "")
    jsonschema.validate(made, schema)
    assert made["rooms"][0]["heating"] == "comfort"


async def test_embeddings_in_each_encoding_reach_the_sdk_as_numbers(demo: Served) -> None:
    async with demo.sdk() as client:
        packed = await client.embeddings.create(model="demo-embed", input=["a lamp", "a dog"])
        plain = await client.embeddings.create(model="demo-embed", input=["a lamp", "a dog"], encoding_format="float")
    assert [len(item.embedding) for item in packed.data] == [256, 256]
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert packed.data[0].embedding != packed.data[1].embedding


async def test_embeddings_with_stream_ignore_it(demo: Served) -> None:
    status, body, _ = await demo.ask("POST", "embeddings", json={"model": "demo-embed", "input": "x", "stream": True})
    assert (status, body["object"]) == (200, "list")


async def test_text_completions_are_answered_complete_and_streamed(demo: Served) -> None:
    async with demo.sdk() as client:
        whole = await client.completions.create(model="demo-rules", prompt="count to 4", max_tokens=2)
        stream = await client.completions.create(model="demo-rules", prompt="count to 4", stream=True)
        texts = [chunk.choices[0].text async for chunk in stream]
    assert (whole.choices[0].text, whole.choices[0].finish_reason) == ("1 2", "length")
    assert "".join(texts) == "1 2 3 4"


async def test_unknown_model_is_named_with_the_known_ones(demo: Served) -> None:
    async with demo.sdk() as client:
        with pytest.raises(openai.NotFoundError) as raised:
            await client.chat.completions.create(model="demo-rulez", messages=[{"role": "user", "content": "Hello"}])
    assert raised.value.code == "model_not_found"
    assert "demo-rules" in raised.value.message


async def test_invalid_parameter_is_named(demo: Served) -> None:
    async with demo.sdk() as client:
        with pytest.raises(openai.BadRequestError) as raised:
            await client.chat.completions.create(
                model="demo-rules", messages=[{"role": "user", "content": "Hello"}], temperature=3
            )
    assert (raised.value.param, raised.value.code) == ("temperature", "invalid_value")


@pytest.mark.parametrize("body", [b"{not json", b"[]", b"", b'"text"'])
async def test_body_that_is_not_a_json_object_is_refused(demo: Served, body: bytes) -> None:
    status, answer, _ = await demo.ask("POST", "chat/completions", data=body)
    assert status == 400
    assert answer["error"]["code"] == "invalid_json"


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("wants_usage", [False, True])
async def test_stream_names_the_provider_in_the_first_chunk_or_in_each(demo: Served, each: bool, wants_usage: bool) -> None:
    demo.gateway.provider_in_chunks = each
    options = {"stream_options": {"include_usage": True}} if wants_usage else {}
    async with demo.sdk() as client:
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "count to 3"}]
        stream = await client.chat.completions.create(model="demo-rules", messages=messages, stream=True, extra_body=options)
        named = [(chunk.model_extra or {}).get("provider") for chunk in [chunk async for chunk in stream]]
    demo.gateway.provider_in_chunks = False
    assert len(named) > 3
    assert named[0] == "demo-rules"
    assert set(named[1:]) == ({"demo-rules"} if each else {None})


async def test_stream_bytes_of_an_upstream_are_unchanged(session: aiohttp.ClientSession) -> None:
    kind = '"object": "chat.completion.chunk"'
    odd = '{"choices":[{"delta":{"content":"Grüße  🏠"},"index":0}],' + kind + ',  "x_vendor": [1.10]}'

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f"data:{odd}\r\n\r\n: comment\r\n\r\n".encode())
        await response.write(
            f"data: {json.dumps(delta(finish='stop'))}\n\ndata: {json.dumps(usage())}\n\ndata: [DONE]\n\n".encode()
        )
        return response

    provider = FakeProvider(answers=[answer])
    async with upstream(provider, session) as backend, served(backend) as gateway:
        found = await streamed(gateway)
    assert found[0] == odd[:-1] + ',"provider":"Upstream"}'
    assert found[-1] == "[DONE]"
    assert not any("usage" in event for event in found)
    assert provider.requests[0]["stream_options"] == {"include_usage": True}


async def test_error_before_the_first_token_is_an_error_response(session: aiohttp.ClientSession) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await send_stream(request, [delta(role="assistant"), {"error": {"message": "out of memory"}}], done=False)

    provider = FakeProvider(answers=[answer])
    async with upstream(provider, session) as backend, served(backend) as gateway:
        status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"stream": True})
    assert status == 502
    assert body["error"]["type"] == "upstream_error"
    assert "reported an error instead of an answer" in body["error"]["message"]


async def test_stream_error_is_the_last_event_without_done(session: aiohttp.ClientSession) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = await send_stream(request, [delta("Once"), delta(" upon")], done=False)
        await pause_fake(0.1)
        await response.write(b'data: {"error": {"message": "the GPU fell off; key sk-secret12345"}}\n\n')
        return response

    provider = FakeProvider(answers=[answer])
    async with upstream(provider, session) as backend, served(backend) as gateway:
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": True}) as response:
            assert response.status == 200
            found = await events(response)
        async with gateway.sdk() as client:
            stream = await client.chat.completions.create(**CHAT, stream=True)  # type: ignore[call-overload]
            said: list[str] = []

            async def listen() -> None:
                async for chunk in stream:
                    said.extend(choice.delta.content for choice in chunk.choices)

            with pytest.raises(openai.APIError, match="reported an error instead of an answer"):
                await listen()
    assert said == ["Once", " upon"]
    assert "[DONE]" not in found
    error = json.loads(found[-1])["error"]
    assert (error["type"], error["code"]) == ("upstream_error", "provider_error")
    assert "GPU" not in found[-1]


async def test_stream_interrupted_ends_with_an_error(session: aiohttp.ClientSession) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = await send_stream(request, [delta("Once")], done=False)
        await pause_fake(0.1)
        return response

    provider = FakeProvider(answers=[answer])
    async with upstream(provider, session) as backend, served(backend) as gateway:
        found = await streamed(gateway)
    assert len(found) == 2
    assert "error" in json.loads(found[1])


async def test_stream_internal_error_reveals_no_details(caplog: pytest.LogCaptureFixture) -> None:
    async with served(DemoBackend(word_seconds=0.0)) as gateway:
        member = next(iter(gateway.engine.pool))
        original = member.backend.send

        async def send(request: object) -> object:
            answer = await original(request)  # type: ignore[arg-type]
            batches = answer.batches

            async def broken() -> AsyncIterator[object]:
                async for batch in batches():
                    yield batch
                    if b'"1"' in batch[0].raw:
                        raise KeyError("an inner secret")

            answer.batches = broken  # type: ignore[method-assign,assignment]
            return answer

        member.backend.send = send  # type: ignore[method-assign,assignment]
        body = {"model": "demo-rules", "messages": [{"role": "user", "content": "count to 9"}], "stream": True}
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=body) as response:
            found = await events(response)
    assert json.loads(found[-1])["error"]["code"] == "internal_error"
    assert "secret" not in "".join(found)
    assert "an inner secret" in caplog.text


@pytest.mark.parametrize(
    ("silent", "stream"), [(False, True), (True, True), (True, False)], ids=["mid-stream", "first token", "whole"]
)
async def test_client_disconnect_cancels_the_upstream_at_once(session: aiohttp.ClientSession, silent: bool, stream: bool) -> None:
    script = Endless(silent=silent)
    async with upstream(FakeProvider(answers=[script]), session) as backend, served(backend) as gateway:
        heard = asyncio.Event()
        asking = asyncio.create_task(_read(gateway, heard, stream=stream))
        await (script.begun if silent else heard).wait()
        asking.cancel()
        await until(script.gone.is_set, seconds=AT_ONCE)
        member = next(iter(gateway.engine.pool))
        await until(lambda: not member.active, seconds=AT_ONCE)
        with stopped_loop_clock():
            await gateway.gateway.drain(3600)  # returns at once if no request is running


async def _read(gateway: Served, heard: asyncio.Event, *, stream: bool) -> None:
    async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": stream}) as response:
        async for _ in response.content.iter_any():
            heard.set()


async def test_stream_without_output_is_kept_alive_with_comments(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_writer, "PING_SECONDS", 0.01)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: " + json.dumps(delta("Hm")).encode() + b"\n\n")
        await pause_fake(0.5)
        await response.write(b"data: " + json.dumps(delta("!", finish="stop")).encode() + b"\n\ndata: [DONE]\n\n")
        return response

    async with upstream(FakeProvider(answers=[answer]), session) as backend, served(backend) as gateway:
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": True}) as response:
            raw = (await response.read()).decode()
        async with gateway.sdk() as client:
            stream = await client.chat.completions.create(**CHAT, stream=True)  # type: ignore[call-overload]
            said = [chunk.choices[0].delta.content async for chunk in stream]
    assert raw.count(": ping\n\n") >= 3
    assert said == ["Hm", "!"]


async def test_loop_of_two_gateways_is_a_508(session: aiohttp.ClientSession) -> None:
    first_provider = FakeProvider()
    async with upstream(first_provider, session) as to_second, served(to_second, provider_id="first") as first:
        second_provider = FakeProvider()
        async with upstream(second_provider, session) as to_first, served(to_first, provider_id="second") as second:
            to_second.move(Endpoint(second.url))
            to_first.move(Endpoint(first.url))
            status, body, _ = await first.ask("POST", "chat/completions", json=CHAT)
            looped, refused, _ = await first.ask("POST", "chat/completions", json=CHAT, headers={"Via": "1.1 other, 1.1 first"})
    assert (status, body["error"]["code"]) == (508, "loop_detected")
    assert "detected a request loop" in body["error"]["message"]
    assert (looped, refused["error"]["code"]) == (508, "loop_detected")


async def test_via_is_sent_to_the_upstream_with_the_own_id(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.extend([request.headers["Via"], request.headers["X-Request-ID"]])
        return web.json_response({"choices": [{"message": {"content": "Hi"}}]})

    async with upstream(FakeProvider(answers=[answer]), session) as backend, served(backend) as gateway:
        headers = {"Via": "1.1 before", "X-Request-ID": "abc-1"}
        _, _, answered = await gateway.ask("POST", "chat/completions", json=CHAT, headers=headers)
    assert seen == ["1.1 before, 1.1 gateway-id", "abc-1"]
    assert answered["X-Request-ID"] == "abc-1"


async def test_streams_in_great_number_arrive_completely(demo: Served) -> None:
    async def one(number: int) -> list[str]:
        body = {"model": "demo-rules", "messages": [{"role": "user", "content": f"count to {number}"}], "stream": True}
        async with demo.session.post(f"{demo.url}/chat/completions", json=body) as response:
            return await events(response)

    found = await asyncio.gather(*(one(number) for number in range(10, 40)))
    for number, payloads in zip(range(10, 40), found, strict=True):
        words = [json.loads(payload)["choices"][0]["delta"].get("content") or "" for payload in payloads[:-1]]
        assert "".join(words) == " ".join(str(count) for count in range(1, number + 1))


async def test_failover_is_reported_in_the_headers(session: aiohttp.ClientSession) -> None:
    good = FakeProvider(answers=[text("Hi")])
    async with (
        upstream(good, session) as backend,
        upstream(FakeProvider(), session) as dead,
        served(backend, dead) as gateway,
    ):
        gateway.engine.pool.get(dead.info.id).priority_override = 1  # type: ignore[union-attr]
        dead.move(Endpoint("http://127.0.0.1:9/v1"))
        status, _, headers = await gateway.ask("POST", "chat/completions", json=CHAT)
    assert (status, headers["X-ZeroconfAI-Attempts"]) == (200, "2")
