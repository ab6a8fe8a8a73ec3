"""A broker with a portal, a connector, and a real OpenID provider: oidc-provider-mock from PyPI, as a process."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
import json
from pathlib import Path
import subprocess
import sys
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener, urlopen

from openai import OpenAI, PermissionDeniedError
import pytest

from tests.support.command import COMMAND, Server, line_of, run, started
from tests.support.ports import free_port
from tests.support.waiting import until_in_thread

from .test_broker import connector

ADA = {"sub": "ada", "name": "Ada", "email": "ada@example.org", "email_verified": True, "groups": ["ai-users"]}
BOB = {"sub": "bob", "name": "Bob"}


@contextmanager
def real_provider(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The OpenID provider with its people, ready inside the block."""
    people = [word for person in (ADA, BOB) for word in ("--user-claims", json.dumps(person))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", *people]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until_in_thread(lambda: _answers(f"http://127.0.0.1:{port}/.well-known/openid-configuration"))
            yield process
        finally:
            process.kill()


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=10) as response:  # loopback
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def portal(state: Path, settings: str) -> Iterator[Server]:
    """A broker with the portal of these settings."""
    config = state / "serve.yaml"
    config.write_text(settings)
    command = [*COMMAND, "broker", "--config", str(config), "--host", "127.0.0.1", "--json"]
    with started(state, command) as process:
        try:
            yield Server(process, json.loads(line_of(process)))
        finally:
            process.kill()


def _settings(port: int, issuer: int, upstream: str | None = None) -> str:
    providers = "" if upstream is None else f"providers: [{{id: demo, type: openai_compatible, endpoint: '{upstream}'}}]"
    return f"""
server:
  port: {port}
  admin: root@example.net
{providers}
portal:
  publicUrl: http://127.0.0.1:{port}
  issuer: http://127.0.0.1:{issuer}/.well-known/openid-configuration
  client_id: portal
  client_secret_file: secret.txt
  scopes: [openid, profile, email]
  allow:
    groups: [ai-users]
  keys:
    limit: 2
    parallel: 4
"""


class _Browser:
    """A browser that follows redirects and keeps cookies, also those that need TLS: browsers trust this machine without."""

    def __init__(self, origin: str) -> None:
        jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(jar))
        self.origin = origin

    def sign_in(self, subject: str) -> str:
        """Sign in; returns where the browser ends up."""
        with self.opener.open(f"{self.origin}/portal/login", timeout=30) as form:
            address = form.url
        if not address.startswith(self.origin):
            with self.opener.open(address, urlencode({"sub": subject}).encode(), timeout=30) as response:
                return str(response.url)
        return str(address)

    def ask(self, command: str, body: Any = None) -> Any:
        """The JSON that a command answers."""
        headers = {"Origin": self.origin, "Content-Type": "application/json"}
        request = Request(f"{self.origin}/portal/api/{command}", json.dumps(body or {}).encode(), headers)
        try:
            with self.opener.open(request, timeout=30) as response:
                return json.load(response)
        except HTTPError as err:
            with err:
                return json.load(err)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("a client's secret\n")
    return tmp_path


def test_people_get_keys_at_a_real_provider_and_keep_them_without_it(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(state)
    port, issuer = free_port(), free_port()
    with ExitStack() as stack:
        server = stack.enter_context(portal(state, _settings(port, issuer)))
        (state / "gpu").mkdir()
        stack.enter_context(connector(state / "gpu", server, "GPU box", state))
        browser = _Browser(f"http://127.0.0.1:{port}")
        assert browser.sign_in("ada") == f"{browser.origin}/portal/#unavailable"
        with real_provider(issuer):
            until_in_thread(lambda: browser.sign_in("bob").endswith("/portal/#not_allowed"))
            assert browser.ask("keys")["error"]["code"] == "no_session"
            assert browser.sign_in("ada") == f"{browser.origin}/portal/"
            made = browser.ask("keys/create", {"name": "laptop"})
        client = stack.enter_context(OpenAI(base_url=browser.ask("keys")["base_url"], api_key=made["key"], max_retries=0))

        def chat() -> str | None:
            found = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}])
            return found.choices[0].message.content

        until_in_thread(lambda: [model.id for model in client.models.list()])  # the connector has connected
        assert chat()
        listed = json.loads(run(state, "users", "list", "--json").stdout)
        assert [(user["name"], user["subject"], user["keys"]) for user in listed] == [("Ada", "ada", 1)]
        assert run(state, "users", "block", "Ada").returncode == 0

        def is_refused() -> bool:
            try:
                chat()
            except PermissionDeniedError as err:
                return err.code == "user_blocked"
            return False

        until_in_thread(is_refused)
        assert browser.ask("keys")["own"]["refusal"] == "blocked"
        assert run(state, "users", "unblock", "ada").returncode == 0
        until_in_thread(lambda: not is_refused())
        assert server.process.poll() is None


def test_portal_without_anybody_who_is_allowed_does_not_start(state: Path) -> None:
    text = _settings(free_port(), free_port(), "http://127.0.0.1:9").replace("  allow:\n    groups: [ai-users]\n", "")
    (state / "serve.yaml").write_text(text)
    ended = run(state, "serve", "--config", str(state / "serve.yaml"))
    assert ended.returncode != 0
    assert "allow" in ended.stderr


def test_portal_of_an_open_server_does_not_start(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(state)
    (state / "serve.yaml").write_text(_settings(free_port(), free_port(), "http://127.0.0.1:9"))
    for option in (["--open", "--keys"], ["--key", "chosen"]):
        ended = run(state, "serve", "--no-advertise", "--config", str(state / "serve.yaml"), *option)
        assert ended.returncode != 0
        assert "The portal needs" in ended.stderr
