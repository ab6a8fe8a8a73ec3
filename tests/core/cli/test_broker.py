"""`zeroconf-ai broker`: a program with a key chats with a machine that connects from elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
import json
from pathlib import Path
import signal

from openai import AuthenticationError, InternalServerError, NotFoundError, OpenAI
import pytest
import yaml

from tests.support import postgres
from tests.support.command import COMMAND, Server, line_of, run, started
from tests.support.documented import DOCS
from tests.support.ports import free_port
from tests.support.waiting import until_in_thread
from zeroconf_ai.cli.broker import command
from zeroconf_ai.config.providers_file import read_config


@contextmanager
def broker(state: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A broker that is ready inside the block."""
    started_by = [*COMMAND, "broker", "--host", "127.0.0.1", "--json", *arguments]
    with started(state, started_by, env) as process:
        try:
            yield Server(process, json.loads(line_of(process)))
        finally:
            process.kill()


@contextmanager
def connector(state: Path, server: Server, name: str, broker_state: Path) -> Iterator[None]:
    """A machine with the built-in model that has been paired with a broker, and connects to it."""
    made = json.loads(run(broker_state, "connectors", "pair", "--json").stdout)
    code = state / "code.txt"
    code.write_text(made["code"])
    host = server.url.removesuffix("/v1")
    with started(state, [*COMMAND, "connect", host, "--code-file", str(code), "--demo", "--name", name, "--json"]) as process:
        try:
            line_of(process)
            yield
        finally:
            process.kill()


def answer_of(server: Server, key: str) -> str | None:
    """The answer of the first model that answers; None while there is none."""
    with OpenAI(base_url=server.url, api_key=key, max_retries=0) as client:
        try:
            found = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}])
        except (NotFoundError, InternalServerError):
            return None
        return found.choices[0].message.content


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The state of a broker, and that of a connector."""
    found = tmp_path / "broker", tmp_path / "gpu"
    for folder in found:
        folder.mkdir()
    return found


def test_broker_serves_the_models_of_a_connector_to_a_program_with_a_key_also_after_a_restart(folders: tuple[Path, Path]) -> None:
    own, gpu = folders
    port = ("--port", str(free_port()))
    with broker(own, *port) as server:
        assert server.ready["advertised"] is False
        assert server.ready["model"] is None
        key = server.ready["key"]
        assert answer_of(server, key) is None
        with connector(gpu, server, "GPU box", own):
            until_in_thread(lambda: answer_of(server, key))
            listed = json.loads(run(own, "connectors", "list", "--json").stdout)["connectors"]
            assert [(one["name"], one["connected"]) for one in listed] == [("GPU box", True)]
            with OpenAI(base_url=server.url, api_key=key, max_retries=0) as client:
                assert [model.id for model in client.models.list()] != []
                with pytest.raises(AuthenticationError, match="Invalid API key"):
                    client.with_options(api_key="zai_wrong").models.list()
            assert server.stop(signal.SIGTERM) == 0
            with broker(own, *port) as restarted:  # with the same keys: the connector comes back by itself
                until_in_thread(lambda: answer_of(restarted, key))
                assert restarted.stop(signal.SIGTERM) == 0


def test_brokers_with_one_database_are_one_service(tmp_path: Path) -> None:
    """Two processes and a PostgreSQL server: keys, limits and connectors are shared, also when one broker is gone."""
    folders = [tmp_path / name for name in ("a", "b", "gpu")]
    with postgres.started() as database, database.database() as name, ExitStack() as stack:
        servers = []
        for folder in folders[:2]:
            port = free_port()
            folder.mkdir()
            (folder / "broker.yaml").write_text(
                f"usage_tracking: {{storage: postgres, url: '{database.url(name)}'}}\n"
                f"cluster: {{url: 'http://127.0.0.1:{port}', secret: {'5ecre7' * 8}}}\n"
            )
            servers.append(stack.enter_context(broker(folder, "--config", str(folder / "broker.yaml"), "--port", str(port))))
        first, second = servers
        key = first.ready["key"]
        assert "key" not in second.ready
        folders[2].mkdir()
        with connector(folders[2], first, "GPU box", folders[0]):
            until_in_thread(lambda: answer_of(first, key))
            until_in_thread(lambda: answer_of(second, key))
            made = json.loads(run(folders[1], "keys", "create", "Laptop", "--json", "--database", database.url(name)).stdout)
            until_in_thread(lambda: answer_of(first, made["secret"]))
            assert first.stop() == 0
            assert answer_of(second, made["secret"]) is None  # the connector was connected to the other one only
        assert second.process.poll() is None


@pytest.mark.parametrize("option", [("--open",), ("--auth", "none"), ("--key", "chosen")])
def test_broker_without_api_keys_does_not_start(tmp_path: Path, option: tuple[str, ...]) -> None:
    ended = run(tmp_path, "broker", *option)
    assert ended.returncode == 2
    assert "A broker needs API keys" in ended.stderr


def test_documented_files_of_a_broker_are_valid() -> None:
    folder = DOCS / "broker"
    text = (folder / "broker.yaml").read_text()
    portal = "".join(line.removeprefix("# ") + "\n" for line in text.splitlines() if line.startswith(("# portal:", "#   ")))
    read = read_config(f"{text}\n{portal}", "broker.yaml", {"PORTAL_CLIENT_SECRET": "secret"})
    assert read.portal is not None
    assert read.portal.client_secret == "secret"
    compose = yaml.safe_load((folder / "compose.yaml").read_text())
    name, *options = compose["services"]["broker"]["command"]
    options[options.index("--config") + 1] = str(folder / "broker.yaml")
    assert name == "broker"
    context = command.make_context("broker", options)
    (subnet,) = compose["networks"]["inside"]["ipam"]["config"]
    assert context.params["proxies"] == (subnet["subnet"],)
