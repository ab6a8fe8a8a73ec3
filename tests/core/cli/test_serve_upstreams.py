"""`zeroconf-ai serve` with backends of others: real processes, asked with OpenAI's own client."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
import json
import os
from pathlib import Path
import signal
from typing import Any

from openai import APIStatusError, AsyncOpenAI, BadRequestError
import pytest

from tests.support.clouds.ollama import FakeOllama
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Reply
from tests.support.waiting import AT_ONCE, until

from ...support.command import COMMAND, environment, run, serving

pytestmark = pytest.mark.usefixtures("own_loopback")

QUIET = ("--no-advertise",)
SECRET = "sk-canary-0123456789"
QUESTION: Any = [{"role": "user", "content": "Hi"}]
LONG = "A long story of a house that answers. " * 8


@dataclass
class Served:
    """A running `zeroconf-ai serve`."""

    process: asyncio.subprocess.Process
    ready: dict[str, Any]
    client: AsyncOpenAI
    errors: list[str] = field(default_factory=list)

    async def ask(self, model: str = "auto") -> str:
        """What it answers."""
        answer = await self.client.chat.completions.create(model=model, messages=QUESTION)
        return answer.choices[0].message.content or ""

    async def models(self) -> list[str]:
        """What it serves."""
        return [model.id for model in (await self.client.models.list()).data if not (model.model_extra or {}).get("virtual")]

    async def until_serves(self, *models: str) -> None:
        """Wait until it serves just these."""

        async def serves() -> bool:
            return await self.models() == list(models)

        await until(serves)

    async def until_answered_by(self, *backend_ids: str) -> None:
        """Wait until each of these backends, whose fakes answer with their ids, is known: a busy machine starts without them."""

        async def answers(backend_id: str) -> bool:
            with suppress(APIStatusError):
                return await self.ask(f"{backend_id}/gpt-4.1") == backend_id
            return False

        for backend_id in backend_ids:
            await until(partial(answers, backend_id))

    async def stop(self) -> str:
        """End it; what it said on stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(self.process.communicate(), 20)
        assert self.process.returncode == 0
        return said.decode()


@asynccontextmanager
async def gateway(
    state: Path, *arguments: str, env: Mapping[str, str] | None = None, verbose: bool = True, closed: bool = False
) -> AsyncIterator[Served]:
    """A server without an API key, unless an option sets its access or `closed` leaves it to the default or the file."""
    closed = closed or any(option in arguments for option in ("--key", "--keys", "--auth", "--open"))
    options = [*(() if closed else ("--auth", "none")), *arguments]
    command = [*COMMAND, *(("-v",) if verbose else ()), "serve", "--host", "127.0.0.1", "--json", *options]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(state, env)
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 90)
        if not line:
            raise EOFError((await process.communicate())[1].decode())
        ready = json.loads(line)
        async with AsyncOpenAI(base_url=ready["url"], api_key="unused", max_retries=0) as client:
            yield Served(process, ready, client)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def provider(backend_id: str, cloud: FakeOpenAI, **more: Any) -> dict[str, Any]:
    return {"id": backend_id, "type": "openai", "endpoint": cloud.base_url, "authSecret": "${CLOUD_KEY}", **more}


def write(file: Path, *providers: dict[str, Any]) -> Path:
    """A file as editors save it: a new one in the place of the old. JSON is YAML."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"providers": providers}))
    fresh.replace(file)
    return file


async def test_upstreams_one_offline_the_other_answers_without_leaking_keys(tmp_path: Path) -> None:
    async with FakeOpenAI(Reply("second")) as second, FakeOpenAI(Reply("first"), key="sk-canary-of-the-first") as first:
        file = write(
            tmp_path / "p.yaml",
            provider("first", first, priority=1, authSecret="sk-canary-of-the-first"),
            provider("second", second),
        )
        async with gateway(tmp_path, *QUIET, "--config", str(file), env={"CLOUD_KEY": SECRET}) as served:
            await served.until_answered_by("first", "second")
            assert await served.ask() == "first"
            await first.stop()
            assert await served.ask() == "second"
            assert await served.ask("gpt-4.1") == "second"
            stream = await served.client.chat.completions.create(model="auto", messages=QUESTION, stream=True)
            assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]) == "second"
            said = await served.stop()
    assert "sk-canary" not in said + json.dumps(served.ready)
    assert "did not answer" in said  # with details


async def test_upstream_that_is_only_known_as_compatible_is_used_by_its_native_api(tmp_path: Path) -> None:
    async with FakeOllama(Reply("native")) as ollama, FakeOpenAI(Reply("other"), key=None) as other:
        file = write(
            tmp_path / "p.yaml",
            {"id": "attic", "type": "local", "endpoint": f"{ollama.root}/v1", "priority": 1},
            {"id": "other", "type": "custom", "endpoint": other.base_url, "priority": 2},
        )
        async with gateway(tmp_path, *QUIET, "--config", str(file)) as served:
            long: Any = [{"role": "user", "content": "word " * 5000}]
            answer = await served.client.chat.completions.create(model="attic", messages=long)
            assert answer.choices[0].message.content == "native"
            assert await served.ask("other") == "other"
            said = await served.stop()
    (body,) = ollama.bodies("/api/chat")
    assert body["options"]["num_ctx"] > 5000  # Ollama's default would cut the prompt without a word
    assert "attic is Ollama: it is used as the type 'ollama'" in said
    assert "other is" not in said


async def test_serve_requests_nested_250_levels_leave_the_process_alive(tmp_path: Path) -> None:
    """With what once reached orjson's serializer, the first of them aborted the process."""
    deep = {f"x{number}": json.loads("[" * 250 + "]" * 250) for number in range(8)}
    async with FakeOpenAI(Reply("alive")) as cloud:
        file = write(tmp_path / "p.yaml", provider("cloud", cloud))
        async with gateway(tmp_path, *QUIET, "--config", str(file), env={"CLOUD_KEY": SECRET}) as served:
            for path, body in (("chat/completions", {"messages": QUESTION}), ("completions", {"prompt": deep["x0"]})):
                for _ in range(5):
                    with pytest.raises(BadRequestError, match="nested deeper than 64 levels"):
                        await served.client.post(f"/{path}", body={"model": "gpt-4.1", **body, **deep}, cast_to=object)
            assert await served.ask() == "alive"
            await served.stop()


async def test_upstreams_of_several_types_are_served_at_one_address(tmp_path: Path) -> None:
    async with FakeOpenAI(Reply("cloud")) as cloud, FakeOllama(Reply("attic")) as attic:
        quick = ("--upstream", f"openai={cloud.root}", "--upstream", f"ollama={attic.root}")
        env = {"PROVIDER_OPENAI_API_KEY": SECRET}
        async with gateway(tmp_path, *QUIET, *quick, "--name", "Both", env=env, verbose=False) as served:
            assert await served.ask("gpt-4.1") == "cloud"
            assert await served.ask("phi4:latest") == "attic"
            vectors = await served.client.embeddings.create(model="nomic-embed-text:latest", input="hi")
            assert vectors.data[0].embedding
            assert await served.stop() == ""
        off = {**env, "PROVIDER_OPENAI_ENABLED": "no"}
        async with gateway(tmp_path, *QUIET, *quick, env=off) as served:
            assert "gpt-4.1" not in await served.models()


async def test_upstreams_changed_file_is_applied_without_interrupting_streams(tmp_path: Path) -> None:
    async with FakeOpenAI(Reply(LONG)) as old, FakeOpenAI(Reply("new")) as new:
        old.pause = 0.02
        file = write(tmp_path / "p.yaml", provider("cloud", old, models=["gpt-4.1"]))
        async with gateway(tmp_path, *QUIET, "--config", str(file), env={"CLOUD_KEY": SECRET}) as served:
            stream = await served.client.chat.completions.create(model="gpt-4.1", messages=QUESTION, stream=True)
            said = ""
            async for chunk in stream:
                if not said:
                    write(file, provider("cloud", new, models=["o4-mini"]))
                    served.process.send_signal(signal.SIGHUP)
                    await served.until_serves("o4-mini")
                    assert await served.ask("o4-mini") == "new"
                said += chunk.choices[0].delta.content or "" if chunk.choices else ""
            assert said == LONG
            write(file, provider("cloud", new, models=["gpt-4.1", "o4-mini"]))  # without a signal
            await served.until_serves("gpt-4.1", "o4-mini")
            assert SECRET not in await served.stop()


async def test_upstreams_invalid_file_is_reported_and_not_applied(tmp_path: Path) -> None:
    async with FakeOpenAI(Reply("still here")) as cloud:
        file = write(tmp_path / "p.yaml", provider("cloud", cloud))
        async with gateway(tmp_path, *QUIET, "--config", str(file), env={"CLOUD_KEY": SECRET}, verbose=False) as served:
            assert served.process.stderr is not None
            for broken in (f"providers:\n  - id: cloud\n    apKey: {SECRET}\n", ""):
                file.write_text(broken)
                served.process.send_signal(signal.SIGHUP)
                told = (await asyncio.wait_for(served.process.stderr.readline(), AT_ONCE)).decode()
                assert told.startswith(f"Error: {file}:{3 if broken else 1}:")
                assert told.endswith("The previous configuration stays in use.\n")
                assert SECRET not in told
            file.unlink()
            assert await served.ask() == "still here"
            served.process.send_signal(signal.SIGHUP)
            assert b"cannot be read" in await asyncio.wait_for(served.process.stderr.readline(), AT_ONCE)
            assert await served.ask() == "still here"


async def test_upstreams_without_answer_is_named_and_delays_nothing(tmp_path: Path) -> None:
    async with FakeOpenAI() as cloud:
        dead = {"id": "dead", "name": "Cellar", "type": "vllm", "endpoint": "http://127.0.0.1:9/v1"}
        file = write(tmp_path / "p.yaml", dead, provider("cloud", cloud))
        async with gateway(tmp_path, *QUIET, "--config", str(file), env={"CLOUD_KEY": SECRET}, verbose=False) as served:
            assert await served.ask() == "Hello there."
            said = await served.stop()
    assert said.startswith("Not served yet: Cellar")
    assert len(said.splitlines()) == 1


async def test_upstreams_advertisement_describes_the_backends(tmp_path: Path) -> None:
    async with FakeOpenAI() as cloud:
        file = write(tmp_path / "p.yaml", provider("cloud", cloud, models=["gpt-4.1"]))
        name = f"Gateway {os.getpid()}"
        async with gateway(tmp_path, "--config", str(file), "--name", name, env={"CLOUD_KEY": SECRET}) as served:
            assert served.ready["advertised"] is True

            async def found() -> dict[str, Any]:
                command = (*COMMAND, "discover", "--json", "--interface", "127.0.0.1")
                looking = await asyncio.create_subprocess_exec(
                    *command, stdout=asyncio.subprocess.PIPE, env=environment(tmp_path)
                )
                listed = json.loads((await looking.communicate())[0])
                entry: dict[str, Any] = next(entry for entry in listed if entry["name"] == name)
                return entry

            entry = await found()
            assert (entry["models"], entry["provider"], entry["cost"], entry["backend"]) == (
                ["gpt-4.1"],
                "openai",
                "metered",
                "proxy",
            )
            assert {"tools", "vision"} <= set(entry["capabilities"])
            write(file, provider("cloud", cloud, models=["o4-mini", "gpt-4.1"]))
            await served.until_serves("o4-mini", "gpt-4.1")

            async def advertised() -> bool:
                return bool((await found())["models"] == ["o4-mini", "gpt-4.1"])

            await until(advertised)
            assert SECRET not in await served.stop()


async def test_upstreams_discovered_providers_follow_the_configured_ones(tmp_path: Path) -> None:
    async with FakeOpenAI(Reply("own")) as cloud:
        file = write(tmp_path / "p.yaml", provider("cloud", cloud, models=["gpt-4.1"], priority=60000))
        arguments = ("--config", str(file), "--discovered", "--id-file", str(tmp_path / "own"))
        env = {"CLOUD_KEY": SECRET}
        with serving(tmp_path, "--name", f"Found {os.getpid()}", "--priority", "0") as other:
            async with gateway(tmp_path, *arguments, env=env) as served:
                await served.until_serves("gpt-4.1", "demo-rules", "demo-embed")
                assert await served.ask() == "own"
                assert await served.ask("demo-rules")
                assert other.stop() == 0
                await served.until_serves("gpt-4.1")
                said = await served.stop()
    offered = [
        line.partition("Added the discovered provider ")[2]
        for line in said.splitlines()
        if "Added the discovered provider" in line
    ]
    assert [line.startswith(f"Found {os.getpid()} at ") for line in offered] == [True]
    assert SECRET not in said


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("--demo", "--upstream", "ollama"), 2, "--demo cannot be combined"),
        (("--upstream", "olama"), 1, "Error: --upstream: unknown type. Did you mean ollama?"),
        (("--config", "missing.yaml"), 2, "does not exist"),
        (("--config", "off.yaml"), 1, "Error: No provider is enabled."),
        (("--config", "bad.yaml"), 1, "bad.yaml:3:11: unknown type. Did you mean vllm?"),
        (("--config", "latin.yaml"), 1, "latin.yaml:2:9: the file is not UTF-8. Save it in this encoding."),
        (("--config", "two.yaml", "--upstream", "ollama"), 1, "two.yaml:2:9: the id ollama is used twice"),
    ],
)
def test_upstreams_invalid_option_is_one_error_line(tmp_path: Path, arguments: tuple[str, ...], code: int, error: str) -> None:
    (tmp_path / "off.yaml").write_text("providers:\n  - {id: a, type: ollama, enabled: false}\n")
    (tmp_path / "bad.yaml").write_text("providers:\n  - id: a\n    type: vlm\n")
    (tmp_path / "two.yaml").write_text("providers:\n  - id: ollama\n    type: vllm\n")
    (tmp_path / "latin.yaml").write_bytes("providers:\n  - id: ü\n".encode("latin-1"))
    paths = [str(tmp_path / word) if word.endswith(".yaml") else word for word in arguments]
    done = run(tmp_path, "serve", "--host", "127.0.0.1", *QUIET, *paths)
    assert (done.returncode, done.stdout) == (code, "")
    assert error in done.stderr
    assert "Traceback" not in done.stderr
