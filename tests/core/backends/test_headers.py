"""Extra headers of the owner: validation, precedence and confidentiality."""

from typing import override

from aiohttp import web
import pytest

from tests.core.backends.conftest import CHAT, KEY, Make, ask, error_of, said
from tests.support.clouds.anthropic import FakeAnthropic
from tests.support.clouds.asking import before, chat, say
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import STOP, Upstream, answers, streams
from zeroconf_ai.backends.base import Endpoint
from zeroconf_ai.backends.headers import MAX_VALUE_LENGTH, refused_header, secrets_in
from zeroconf_ai.protocol.errors import AuthenticationError, StreamBrokenError

HELD = "canary-held-in-a-header"
HEADERS = {"X-Access": HELD, "X-Basic": f"Basic {HELD}-too"}


@pytest.mark.parametrize(
    ("name", "value"), [("X-Team", "house"), ("anthropic-beta", "a,b"), ("Authorization", "Basic abc ="), ("x", "1")]
)
def test_header_allowed_is_accepted(name: str, value: str) -> None:
    assert refused_header(name, value) is None


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Content-Type", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Keep-Alive"),
        *("Trailer", "Proxy-Authorization", "Expect", "", "X Team", "X-T\u00e4m", "X:", "X\r\nY", "x" * 65),
    ],
)
def test_header_forbidden_is_refused(name: str) -> None:
    assert refused_header(name, "value")


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", f" {HELD}", f"{HELD}\r\nX-B: b", f"a\n{HELD}", f"{HELD}\0"),
        *(f"{HELD}\u00e9", HELD * MAX_VALUE_LENGTH),
    ],
)
def test_header_value_forbidden_is_refused_and_not_repeated(value: str) -> None:
    why = refused_header("X-Team", value)
    assert why
    assert HELD not in why


async def test_headers_of_the_owner_win_in_any_case(upstream: Upstream, client: Make) -> None:
    upstream.on(CHAT, streams(delta("Hello"), STOP))
    assert (await said(client(headers={"authorization": "Basic own", "X-Access": HELD}))).content == "Hello"
    (received,) = upstream.received
    assert [value for name, value in received.headers.items() if name.lower() == "authorization"] == ["Basic own"]
    assert received.headers["X-Access"] == HELD
    assert received.headers["Content-Type"] == "application/json"


async def test_headers_of_the_owner_are_sent_only_to_the_keys_host(upstream: Upstream, client: Make) -> None:
    upstream.on("/health", answers({}))
    await client(headers=HEADERS).get("/health", secret=False)
    await client(headers=HEADERS).get("/health")
    assert [(HELD in str(request.headers), KEY in str(request.headers)) for request in upstream.received] == [
        (False, False),
        (True, True),
    ]


@pytest.mark.parametrize("told", [HELD, f"Basic {HELD}-too", f"{HELD}-too", KEY])
async def test_headers_are_not_repeated_in_errors(upstream: Upstream, client: Make, told: str) -> None:
    made = client(headers=HEADERS)
    upstream.on(CHAT, answers({"detail": f"wrong: {told}!"}, 401))
    refused = await error_of(AuthenticationError, ask(made))
    upstream.on(CHAT, streams({"error": {"message": f"wrong: {told}!"}}))
    broken = await error_of(StreamBrokenError, said(made))
    for error in (refused, broken):
        assert "***!" in error.log_text
        assert "canary" not in f"{error!r}{vars(error)}"
    assert "canary" not in repr((made, made.endpoint))


def test_headers_short_values_are_not_redacted() -> None:
    assert secrets_in(Endpoint("http://192.0.2.1", "k", headers={"X-A": "1", "X-B": "true", "X-C": "Bearer abcdefgh"})) == (
        "Bearer abcdefgh",
        "abcdefgh",
        "k",
    )


async def test_auth_bearer_for_a_claude_sends_no_other_key() -> None:
    class Proxied(FakeAnthropic):
        """It stands behind a proxy that wants a bearer."""

        @override
        def shown_key(self, request: web.Request) -> str | None:
            return request.headers.get("Authorization")

    fake = Proxied(key="Bearer house")
    async with before(
        "anthropic", fake, key="", headers={"Authorization": "Bearer house", "anthropic-beta": "context-management-2025-06-27"}
    ) as backend:
        await say(backend, chat("claude-sonnet-4-5"))
    assert fake.last.headers["anthropic-beta"] == "context-management-2025-06-27"
    assert "x-api-key" not in fake.last.headers
