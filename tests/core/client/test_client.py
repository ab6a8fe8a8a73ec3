"""The client library against real providers, which are found by real mDNS packets on the loopback interface."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import aiohttp
import pytest

import zeroconf_ai
from zeroconf_ai import ApiError, Client, NoProviderError, SyncClient

from ...support.command import Server, environment, serving

pytestmark = pytest.mark.usefixtures("own_loopback")

LO = ["127.0.0.1"]


@pytest.fixture(scope="module")
def provider(own_loopback: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demo provider that is advertised."""
    with serving(tmp_path_factory.mktemp("first"), "--name", "First", "--priority", "5") as server:
        yield server


@pytest.fixture
async def ai(provider: Server) -> AsyncIterator[Client]:
    async with Client(interfaces=LO) as client:
        yield client


async def test_client_without_arguments_finds_the_provider_and_is_answered(ai: Client) -> None:
    answer = await ai.chat("Hello")
    assert answer.text
    assert str(answer) == answer.text
    assert (answer.provider, answer.model, answer.finish_reason) == ("First", "demo-rules", "stop")
    assert answer.usage.completion_tokens > 0
    assert answer.body["choices"][0]["message"]["content"] == answer.text
    assert [(one.name, one.online, one.models) for one in ai.providers] == [("First", True, ("demo-rules", "demo-embed"))]
    assert [model.id for model in ai.models] == ["demo-rules", "demo-embed"]


async def test_client_streams_the_same_answer_in_pieces(ai: Client) -> None:
    async with ai.stream("Hello") as stream:
        assert (stream.provider, stream.model) == ("First", "demo-rules")
        with pytest.raises(RuntimeError, match="not read to its end"):
            _ = stream.answer
        pieces = [piece async for piece in stream]
    assert len(pieces) > 1
    assert "".join(pieces) == stream.answer.text == (await ai.chat("Hello")).text


async def test_client_embeds_texts_in_their_order(ai: Client) -> None:
    one, two = await ai.embed(["one", "two"], model="demo-embed")
    assert len(one) == len(two) > 10
    assert await ai.embed("two", model="demo-embed") == [two]


async def test_client_asks_the_next_provider_when_the_best_one_goes(tmp_path: Path, provider: Server) -> None:
    with serving(tmp_path, "--name", "Better", "--priority", "1") as better:
        async with Client(interfaces=LO) as ai:
            assert (await ai.chat("Hello")).provider == "Better"
            better.stop()
            answer = await ai.chat("Hello")
    assert answer.provider == "First"
    assert list(answer.failed) == ["Better"]


async def test_client_of_a_url_needs_no_discovery(provider: Server) -> None:
    async with Client(provider.url) as ai:
        assert (await ai.chat("Hello")).text


async def test_client_with_a_key_is_answered_and_without_one_it_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, "--name", "Locked", "--key", "zai_example") as server:
        async with Client(server.url, key="zai_example") as ai:
            assert (await ai.chat("Hello")).text
        with pytest.raises(NoProviderError, match=r"requires an API key\. Set key="):
            await Client(server.url).open()
        with pytest.raises(NoProviderError, match="does not accept this API key"):
            await Client(server.url, key="zai_other").open()


def test_client_does_not_send_a_key_to_any_provider() -> None:
    with pytest.raises(ValueError, match="belongs to one provider"):
        Client(key="zai_example")


async def test_client_of_a_provider_that_is_not_there_names_those_that_are(provider: Server) -> None:
    with pytest.raises(NoProviderError, match=r"No provider named Cellar was found. Found: .*First"):
        await Client("Cellar", interfaces=LO).open()


@pytest.mark.parametrize("kept", [False, True])
async def test_client_session_sends_what_was_said_before(provider: Server, tmp_path: Path, kept: bool) -> None:
    sessions = tmp_path / "sessions.db" if kept else None
    async with Client(provider.url, sessions=sessions) as ai:
        await ai.chat("Hello", session="work")
        async with ai.stream("And again", session="work") as stream:
            assert [piece async for piece in stream]
        alone = (await ai.chat("And again")).usage.prompt_tokens
        assert (await ai.chat("And again", session="work")).usage.prompt_tokens > alone
        said = await ai._history.load("work")
        await ai.chat("Once", session="other")
        await ai.forget("other")
        assert (await ai.chat("And again", session="other")).usage.prompt_tokens == alone
    assert [message["role"] for message in said] == ["user", "assistant"] * 3
    if sessions is not None:
        async with Client(provider.url, sessions=sessions) as later:
            assert (await later.chat("And again", session="work")).usage.prompt_tokens > alone


@pytest.mark.parametrize("parameters", [{"session": "../etc"}, {"temperature": "hot"}, {"model": "no-such-model"}])
async def test_client_invalid_request_is_an_error_in_one_sentence(ai: Client, parameters: dict[str, Any], tmp_path: Path) -> None:
    async with Client(ai.providers[0].id, interfaces=LO, sessions=tmp_path / "sessions.db") as kept:
        with pytest.raises(ApiError) as caught:
            await kept.chat("Hello", **parameters)
    assert caught.value.status in (400, 404)
    assert "\n" not in caught.value.message


async def test_client_of_openai_is_answered_by_the_best_provider_and_needs_its_own_key(ai: Client) -> None:
    async with await ai.openai_client(max_retries=0) as openai:
        answer = await openai.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}])
        assert answer.choices[0].message.content
        stream = await openai.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}], stream=True)
        assert len([chunk async for chunk in stream]) > 1
        async with aiohttp.ClientSession() as session, session.get(f"{openai.base_url}models") as response:
            assert response.status == 401


async def test_client_that_is_not_open_says_how_to_open_it() -> None:
    with pytest.raises(RuntimeError, match="use `async with"):
        await Client("http://127.0.0.1:9").chat("Hello")


def test_sync_client_waits_and_streams(provider: Server) -> None:
    with SyncClient(provider.url) as ai:
        text = ai.chat("Hello").text
        assert "".join(ai.stream("Hello")) == text
        with closing(ai.stream("Hello")) as pieces:
            assert next(pieces)
        with ai.stream("Hello") as stream:
            assert next(stream)
            with pytest.raises(RuntimeError, match="not read to its end"):
                _ = stream.answer
            assert "".join(stream)
        assert (stream.answer.text, stream.answer.model) == (text, "demo-rules")
        with ai.stream("Hello") as stream:
            assert next(stream)
        assert list(stream) == []
        assert ai.providers[0].online
        assert [model.id for model in ai.models] == ["demo-rules", "demo-embed"]
        assert ai.embed("one", model="demo-embed")
        with pytest.raises(ApiError):
            list(ai.stream("Hello", model="no-such-model"))


def test_sync_client_without_a_provider_ends_with_the_error() -> None:
    with pytest.raises(NoProviderError), SyncClient("http://127.0.0.1:9"):
        pass


def test_public_names_are_imported_when_they_are_used(tmp_path: Path) -> None:
    code = "import sys, json, zeroconf_ai; print(json.dumps([name for name in sys.modules if name.startswith('zeroconf_ai.')]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment(tmp_path))
    assert json.loads(done.stdout) == ["zeroconf_ai.version"]
    assert all(getattr(zeroconf_ai, name) for name in zeroconf_ai.__all__)
    with pytest.raises(AttributeError):
        _ = zeroconf_ai.Nothing
