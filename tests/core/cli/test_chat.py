"""`zeroconf-ai chat`."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from ...support.command import LO, Server, run, serving
from ...support.fakes.chunks import delta
from ...support.fakes.provider import FakeProvider, running
from ...support.ports import free_port
from ...support.terminal import Terminal
from .conftest import NAME

pytestmark = pytest.mark.usefixtures("own_loopback")

KEY = "zai_an-example-key-of-these-tests"


def test_chat_with_a_url_is_answered_by_its_provider(provider: Server, tmp_path: Path) -> None:
    for url in (provider.url, provider.url.removesuffix("/v1"), provider.url.removesuffix("/v1").removeprefix("http://")):
        done = run(tmp_path, "chat", "--provider", url, "count to 5")
        assert (done.returncode, done.stdout, done.stderr) == (0, "1 2 3 4 5\n", "")


def test_chat_with_a_name_or_id_finds_the_provider(provider: Server, tmp_path: Path) -> None:
    for name in (NAME.upper(), provider.ready["id"]):
        done = run(tmp_path, "chat", "--provider", name, "--model", "demo-rules", "count to 3", *LO)
        assert (done.returncode, done.stdout, done.stderr) == (0, "1 2 3\n", "")


def test_chat_without_a_provider_uses_the_best(tmp_path: Path) -> None:
    with serving(tmp_path, "--name", f"Best {os.getpid()}", "--priority", "0"):
        done = run(tmp_path, "chat", "count to 3", *LO)
    assert (done.returncode, done.stdout) == (0, "1 2 3\n")


def test_chat_prompt_that_is_not_utf8_is_sent_with_question_marks(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", provider.url, "say caf\udce9")
    assert (done.returncode, done.stdout, done.stderr) == (0, "caf?\n", "")


def test_chat_with_a_session_remembers_its_questions(provider: Server, tmp_path: Path) -> None:
    ask = ("chat", "--provider", provider.url, "--session", "trip")
    assert run(tmp_path, *ask, "say my cat is Mia").returncode == 0
    assert "say my cat is Mia" in run(tmp_path, *ask, "what did I say?").stdout
    wrong = run(tmp_path, *ask[:-1], "my trip", "hello")
    assert (wrong.returncode, "Enter 1 to 64 letters" in wrong.stderr) == (2, True)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")
def test_chat_json_is_the_answer_of_a_session_and_needs_a_prompt(provider: Server, tmp_path: Path) -> None:
    ask = ("chat", "--json", "--provider", provider.url, "--session", "trip")
    first = run(tmp_path, *ask, "say my cat is Mia")
    told = json.loads(first.stdout)
    assert (told["text"], told["model"], told["finish_reason"], told["failed"]) == ("my cat is Mia", "demo-rules", "stop", {})
    assert first.stderr == ""
    assert "say my cat is Mia" in json.loads(run(tmp_path, *ask, "what did I say?").stdout)["text"]
    terminal = Terminal(tmp_path, "chat", "--json")
    problem = json.loads(terminal.rest().strip().splitlines()[-1])["error"]
    assert (terminal.end(), problem["type"]) == (2, "usage")
    assert "needs a prompt" in problem["message"]


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_chat_prompt_from_stdin_is_answered(provider: Server, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, "chat", "--provider", provider.url, *arguments, said="say one\ntwo\n")
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n")


@pytest.mark.parametrize("more", [(), ("--json",)])
async def test_chat_answer_that_was_cut_short_is_told_with_exit_code_3(tmp_path: Path, more: tuple[str, ...]) -> None:
    async with running(FakeProvider(answers=[[delta(role="assistant"), delta("Once"), delta(finish="length")]])) as fake:
        done = await asyncio.to_thread(run, tmp_path, "chat", "--provider", fake.base_url, "Tell me a story", *more)
    assert (done.returncode, "Once" in done.stdout) == (3, True)
    assert done.stderr == "The answer is incomplete: it reached the maximum length.\n"


def test_chat_without_a_prompt_is_a_usage_error(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", provider.url)
    assert done.returncode == 2
    assert "The prompt is empty" in done.stderr


def test_chat_unknown_name_lists_the_known_ones(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", "Nobody", "hello", *LO)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No provider named Nobody was found. Found: ")
    assert NAME in done.stderr


def test_chat_unknown_model_lists_the_known_ones(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", provider.url, "--model", "demo-rule", "hello")
    assert done.returncode == 1
    assert "demo-rules" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_chat_url_without_answer_is_one_error_line(tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", "http://127.0.0.1:9", "hello")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: http://127.0.0.1:9/v1 could not be reached: the connection was refused")
    assert len(done.stderr.splitlines()) == 1


def test_chat_key_is_requested_and_sent_to_its_provider_only(tmp_path: Path) -> None:
    with serving(tmp_path, "--key", KEY, "--no-advertise") as server:
        missing = run(tmp_path, "chat", "--provider", server.url, "count to 2")
        wrong = run(tmp_path, "chat", "--provider", server.url, "--key", "zai_wrong", "count to 2")
        right = run(tmp_path, "chat", "--provider", server.url, "--key", KEY, "count to 2")
        quiet = run(tmp_path, "chat", "--provider", server.url, "count to 2", env={"ZEROCONF_AI_KEY": KEY})
    assert (missing.returncode, wrong.returncode) == (1, 1)
    assert "requires an API key" in missing.stderr
    assert "does not accept this API key" in wrong.stderr
    assert (right.stdout, quiet.stdout) == ("1 2\n", "1 2\n")
    homeless = run(tmp_path, "chat", "--key", KEY, "hello", *LO)
    assert homeless.returncode == 2
    assert "--provider" in homeless.stderr


def test_chat_changed_identity_needs_confirmation(tmp_path: Path) -> None:
    name = f"Twin {os.getpid()}"
    ask = ("chat", "--provider", name, "count to 2", *LO)
    with serving(tmp_path, "--name", name) as first:
        assert run(tmp_path, *ask).stdout == "1 2\n"
        pins = json.loads((tmp_path / "zeroconf-ai" / "trusted.json").read_text())
        assert [(pin["id"], pin["name"]) for pin in pins] == [(first.ready["id"], name)]
        first.stop()
    with serving(tmp_path, "--name", name, "--id-file", str(tmp_path / "twin")):
        refused = run(tmp_path, *ask)
        assert refused.returncode == 1
        assert "has another identity" in refused.stderr
        assert refused.stdout == ""
        assert run(tmp_path, *ask, "--trust").stdout == "1 2\n"
        assert run(tmp_path, *ask).stdout == "1 2\n"


def test_chat_key_is_sent_to_a_new_address_only_if_proven_or_trusted(tmp_path: Path) -> None:
    name = f"Mover {os.getpid()}"
    secret = run(tmp_path, "keys", "create", "Chat").stdout.strip()
    ask = ("chat", "--provider", name, "--key", secret, "count to 2", *LO)

    def pinned() -> str:
        (pin,) = json.loads((tmp_path / "zeroconf-ai" / "trusted.json").read_text())
        address: str = pin["base_url"]
        return address

    with serving(tmp_path, "--name", name, "--keys", "--port", str(free_port())) as first:
        assert run(tmp_path, *ask).stdout == "1 2\n"
        assert pinned() == first.url
        first.stop()
    with serving(tmp_path, "--name", name, "--keys", "--port", str(free_port())) as moved:
        assert moved.ready["id"] == first.ready["id"]
        assert run(tmp_path, *ask).stdout == "1 2\n"
        assert pinned() == moved.url
        moved.stop()
    # A chosen key is never proven: to a client, this is an impostor that would take the key.
    with serving(tmp_path, "--name", name, "--key", secret, "--port", str(free_port())) as impostor:
        listed = json.loads(run(tmp_path, "discover", "--json", *LO).stdout)
        assert [found["trust"] for found in listed if found["name"] == name] == ["moved"]
        refused = run(tmp_path, *ask)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "--trust" in refused.stderr
        assert pinned() == moved.url
        assert run(tmp_path, *ask, "--trust").stdout == "1 2\n"
        assert pinned() == impostor.url
        assert run(tmp_path, *ask).stdout == "1 2\n"
