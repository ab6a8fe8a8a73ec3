"""`zeroconf-ai serve --record` and `zeroconf-ai replay`."""

from pathlib import Path
import signal
from typing import Any

import click
from click.testing import CliRunner
from openai import AsyncOpenAI
import pytest

from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Call, Reply
from zeroconf_ai.cli import replay, serve

from ...support.command import COMMAND, line_of, started
from .test_serve_upstreams import QUIET, SECRET, gateway, provider, write

QUESTION: Any = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Who is Anna?"}], "stream": True}


async def events(client: AsyncOpenAI) -> list[Any]:
    """The choices in the events of an answer."""
    return [event.choices[0].model_dump() async for event in await client.chat.completions.create(**QUESTION) if event.choices]


@pytest.mark.usefixtures("own_loopback")
async def test_serve_records_and_replay_answers_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    async with FakeOpenAI(Reply("Anna is here.", calls=(Call("find", {"who": "Anna"}, "call_01A"),))) as cloud:
        file = write(tmp_path / "p.yaml", provider("cloud", cloud))
        arguments = ("--config", str(file), "--record", str(folder), "--record-texts", *QUIET)
        async with gateway(tmp_path, *arguments, env={"CLOUD_KEY": SECRET}) as served:
            assert await events(served.client)
            said = await served.stop()
        async with AsyncOpenAI(base_url=cloud.base_url, api_key=SECRET, max_retries=0) as direct:
            real = await events(direct)
    assert f"Recording the exchanges with all upstreams in {folder}, with the texts" in said
    files = [*folder.glob("*")]
    assert {file.name.partition("-")[2] for file in files} == {"GET-v-models.json", "POST-v-chat-completions.json"}
    assert not any(SECRET in file.read_text() for file in files)
    replaying = started(tmp_path, [*COMMAND, "replay", str(folder), "--speed", "0"])
    try:
        url, paths = line_of(replaying).split("  ")
        assert paths == "(GET /v1/models, POST /v1/chat/completions)\n"
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
            assert await events(client) == real
            assert "gpt-4.1" in [model.id for model in (await client.models.list()).data]
    finally:
        replaying.send_signal(signal.SIGINT)
        replaying.communicate(timeout=20)


@pytest.mark.parametrize(
    ("command", "arguments", "code", "error"),
    [
        (serve.command, ("--demo", "--record", "x"), 2, "--record requires other backends"),
        (serve.command, ("--upstream", "ollama", "--record-texts"), 2, "--record-texts requires --record DIR."),
        (replay.command, (".",), 1, "contains no recorded exchange"),
    ],
)
def test_recording_with_an_unsuitable_option_is_an_error(
    tmp_path: Path, command: click.Command, arguments: tuple[str, ...], code: int, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert error in done.stderr
