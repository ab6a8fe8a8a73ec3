"""What crosses a relay link."""

import pytest

from zeroconf_ai.protocol.relayed import MAX_TARGET, may_cross, request_headers, response_headers


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/images/generations"),
        ("POST", "/v1/images/edits"),
        ("POST", "/v1/responses"),
        ("POST", "/v1/messages"),
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/v1/audio/transcriptions"),
        ("POST", "/v1/audio/speech"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/qwen3:8b"),
        ("GET", "/v1/models/Qwen/Qwen3-8B-Instruct"),
        ("GET", "/v1/models/hf.co%2Fowner%2Fmodel:Q4_K_M"),
        ("GET", "/v1/health"),
        ("GET", "/v1/status"),
        ("GET", "/v1/audio/voices?model=kokoro"),
    ],
)
def test_request_for_a_model_may_cross(method: str, target: str) -> None:
    """What a provider is asked for crosses."""
    assert may_cross(method, target)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/admin"),
        ("GET", "/admin/"),
        ("GET", "/admin/usage"),
        ("GET", "/ADMIN/usage"),
        ("POST", "/v1/enroll"),
        ("GET", "/v1/enroll/1"),
        ("GET", "/v1/usage"),
        ("GET", "/v1/usage?from=2026-01-01"),
        ("GET", "/v1/generation?id=req_1"),
        ("GET", "/v1/metrics"),
        ("GET", "/metrics"),
        ("GET", "/v1/relay"),
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("GET", "/v1/images/1/2/picture.png"),
        ("POST", "/v1/images/upload"),
        ("POST", "/v1/models/gemini:generateContent"),
        ("POST", "/api/pull"),
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/v1/chat/completions"),
        ("get", "/v1/models"),
        ("PUT", "/v1/chat/completions"),
        ("DELETE", "/v1/models/qwen3:8b"),
        ("GET", "//v1/models"),
        ("GET", "/v1//models"),
        ("GET", "/v1/models/"),
        ("GET", "/v1/models/../../admin/usage"),
        ("GET", "/v1/models/..%2f..%2fadmin/usage"),
        ("GET", "/v1/models/%2e%2e/%2e%2e/admin/usage"),
        ("GET", "/v1/models/%252e%252e/%252e%252e/admin/usage"),
        ("GET", "/v1/models/..%5c..%5cadmin"),
        ("GET", "/v1/models/a\\..\\b"),
        ("GET", "/v1/chat/../../admin"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "/v1/chat/completions#/admin"),
        ("POST", "/v1/chat/completions HTTP/1.1\r\nHost: other"),
        ("POST", "http://other.example/v1/chat/completions"),
        ("GET", "/v1/models/ä"),
        ("GET", "/v1/models\n"),
        ("GET", f"/v1/models/{'a' * MAX_TARGET}"),
    ],
)
def test_any_other_request_may_not_cross(method: str, target: str) -> None:
    """Nothing else does, however its path is written."""
    assert not may_cross(method, target)


def test_request_headers_are_those_of_the_request_only() -> None:
    """Keys, cookies, hop-by-hop headers and those of the sender's network stay."""
    sent = [
        ("Content-Type", "application/json"),
        ("X-Request-ID", "req_1"),
        ("Via", "1.1 house"),
        ("Authorization", "Bearer zai_secret"),
        ("x-api-key", "secret"),
        ("api-key", "secret"),
        ("x-goog-api-key", "secret"),
        ("Cookie", "session=secret"),
        ("Proxy-Authorization", "Basic secret"),
        ("Connection", "keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("Transfer-Encoding", "chunked"),
        ("TE", "trailers"),
        ("Upgrade", "websocket"),
        ("Host", "house.example"),
        ("Origin", "https://house.example"),
        ("Referer", "https://house.example/page"),
        ("X-Forwarded-For", "203.0.113.7"),
        ("Forwarded", "for=203.0.113.7"),
        ("Expect", "100-continue"),
        ("X-ZeroconfAI-Tools", "home"),
        ("Accept", "text/event-stream\r\nX-Evil: 1"),
    ]
    crossed = [("content-type", "application/json"), ("x-request-id", "req_1"), ("via", "1.1 house")]
    assert request_headers(sent) == crossed


def test_response_headers_are_those_of_the_answer_only() -> None:
    """No cookie and nothing of the connector's server."""
    sent = [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("X-Request-ID", "req_1"),
        ("Retry-After", "7"),
        ("x-ratelimit-remaining-tokens", "12"),
        ("X-ZeroconfAI-Provider", "ollama"),
        ("Set-Cookie", "session=secret"),
        ("Server", "Python/3.14 aiohttp/3.14"),
        ("Date", "Mon, 30 Nov 2026 09:00:00 GMT"),
        ("Connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("WWW-Authenticate", "Bearer"),
        ("Access-Control-Allow-Origin", "*"),
        ("Location", "http://192.0.2.1/"),
    ]
    assert [name for name, _ in response_headers(sent)] == [
        "content-type",
        "x-request-id",
        "retry-after",
        "x-ratelimit-remaining-tokens",
        "x-zeroconfai-provider",
    ]


def test_headers_more_than_a_request_has_are_cut() -> None:
    """A house that sends thousands of headers is not followed."""
    assert len(request_headers([("via", "1.1 house")] * 10_000)) == 64
    assert request_headers([("via", "a" * 100_000)]) == []
