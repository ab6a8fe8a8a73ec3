"""Errors of the paths of Google's API, and the names and keys that they accept."""

import json
from typing import Any

from aiohttp import web
from google.genai import errors
import pytest

from zeroconf_ai.server import response_writer

from ...support.fakes.chunks import delta
from ...support.fakes.provider import send_stream
from ...support.sdks import scripted
from ...support.server import KEY, Served, served
from ...support.waiting import pause_fake
from .google_clients import HELLO, google, path


@pytest.mark.parametrize("named", ["demo-rules", "PROVIDER/demo-rules", "models/demo-rules", "PROVIDER%2Fdemo-rules"])
async def test_model_names_with_slashes_and_prefixes_are_understood(demo: Served, named: str) -> None:
    named = named.replace("PROVIDER", next(iter(demo.engine.pool)).id)
    for version in ("v1", "v1beta"):
        status, answer, _ = await demo.ask("POST", path("generateContent", named, version), json=HELLO)
        assert (status, answer.get("modelVersion")) == (200, "demo-rules")
    status, answer, _ = await demo.ask("GET", f"/v1beta/models/{named}")
    assert status == 200


async def test_key_is_accepted_in_googles_header_and_not_in_the_url() -> None:
    async with served(key=KEY) as gateway:
        async with google(gateway, KEY) as client:
            assert (await client.models.generate_content(model="demo-rules", contents="count to 3")).text == "1 2 3"
        async with google(gateway, "zai_another-example") as client:
            with pytest.raises(errors.ClientError) as raised:
                await client.models.generate_content(model="demo-rules", contents="Hi")
        asked = path("generateContent", "demo-rules")
        status, body, _ = await gateway.ask("POST", f"{asked}?key={KEY}", json=HELLO)
    assert (raised.value.code, raised.value.status) == (401, "UNAUTHENTICATED")
    assert (status, body["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert "x-goog-api-key" in body["error"]["message"]
    assert KEY not in str(body)


async def test_error_of_an_unknown_model_names_the_known_ones(demo: Served) -> None:
    async with google(demo) as client:
        with pytest.raises(errors.ClientError, match="demo-rules") as raised:
            await client.models.generate_content(model="demo-rulez", contents="Hi")
        with pytest.raises(errors.ClientError, match="demo-rules"):
            await client.models.get(model="demo-rulez")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "asked", "status"),
    [
        ("GET", path("generateContent"), 404),
        ("POST", "/v1beta/models", 405),
        ("POST", path("predict"), 405),
        ("GET", "/v1beta/files", 404),
        ("GET", "/v1beta", 404),
    ],
)
async def test_unknown_paths_and_methods_have_googles_error_format(demo: Served, method: str, asked: str, status: int) -> None:
    found, body, _ = await demo.ask(method, asked, json=None if method == "GET" else {})
    assert (found, body["error"]["code"]) == (status, status)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"contents": []}, "contents"),
        ({"contents": "Hi"}, "contents"),
        ({"contents": [{"role": "robot", "parts": [{"text": "Hi"}]}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"inlineData": {"data": "x"}}]}]}, "contents[0].parts[0].inlineData.mimeType"),
        ({"contents": [{"parts": [{"inline_data": {"mime_type": "video/mp4", "data": "x"}}]}]}, "video/mp4"),
        (
            {"contents": [{"parts": [{"fileData": {"fileUri": "files/1", "mimeType": "image/png"}}]}]},
            "contents[0].parts[0].fileData",
        ),
        ({"contents": [{"parts": [{"functionResponse": {"name": "x", "response": {}}}]}]}, "functionResponse"),
        ({"contents": [{"role": "model", "parts": [{"functionCall": {"args": {}}}]}]}, "functionCall.name"),
        ({"cachedContent": "cachedContents/1"}, "cachedContent"),
        ({"generationConfig": []}, "generationConfig"),
        ({"generationConfig": {"candidateCount": 2}}, "candidateCount"),
        ({"generation_config": {"response_mime_type": "text/x.enum"}}, "responseMimeType"),
        ({"generationConfig": {"responseModalities": ["AUDIO"]}}, "responseModalities"),
        ({"generationConfig": {"temperature": 3}}, "temperature"),
        ({"tools": [{"functionDeclarations": [{"description": "x"}]}]}, "tools[0].functionDeclarations[0].name"),
        (
            {"tools": [{"functionDeclarations": [{"name": "x"}]}], "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
            "mode",
        ),
    ],
)
async def test_invalid_parameter_is_named(demo: Served, fields: Any, named: str) -> None:
    status, body, _ = await demo.ask("POST", path("generateContent", "demo-rules"), json=HELLO | fields)
    assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert named in body["error"]["message"]


@pytest.mark.parametrize("sse", [True, False])
async def test_stream_failure_is_an_error_at_its_end(sse: bool) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = await send_stream(request, [delta("Once"), delta(" upon")], done=False)
        await pause_fake(0.1)
        await response.write(b'data: {"error": {"message": "the GPU fell off; key sk-secret12345"}}\n\n')
        return response

    said: list[str] = []

    async def listen(client: Any) -> None:
        stream = await client.models.generate_content_stream(model="test-model", contents="Hi")
        said.extend([answer.text async for answer in stream])

    async with scripted(breaks) as (gateway, _), google(gateway) as client:
        if sse:
            with pytest.raises(errors.APIError, match="reported an error instead of an answer"):
                await listen(client)
            return
        url = f"http://127.0.0.1:{gateway.port}{path('streamGenerateContent')}"
        async with gateway.session.post(url, json=HELLO) as response:
            answers = json.loads(await response.read())
    assert [answer["candidates"][0]["content"]["parts"] for answer in answers[:-1]] == [[{"text": "Once"}], [{"text": " upon"}]]
    assert answers[-1]["error"]["status"] == "UNKNOWN"
    assert "GPU" not in str(answers)


async def test_stream_without_output_is_kept_alive_for_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_writer, "PING_SECONDS", 0.01)

    async def pauses(request: web.Request) -> web.StreamResponse:
        response = await send_stream(request, [delta("Hm")], done=False)
        await pause_fake(0.5)
        await response.write(b"data: " + json.dumps(delta("!", finish="stop")).encode() + b"\n\ndata: [DONE]\n\n")
        return response

    async with scripted(pauses) as (gateway, _), google(gateway) as client:
        answers = [answer async for answer in await client.models.generate_content_stream(model="test-model", contents="Hi")]
        async with gateway.session.post(
            f"http://127.0.0.1:{gateway.port}{path('streamGenerateContent')}?alt=sse", json=HELLO
        ) as response:
            raw = await response.read()
    assert "".join(answer.text for answer in answers if answer.text) == "Hm!"
    assert b"\n\n\n\n" in raw
