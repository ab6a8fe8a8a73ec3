"""Errors in every shape seen, in and out, and never a secret in them."""

from email.utils import formatdate
import math
import time
from typing import Any

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.protocol.errors import (
    MESSAGE_LIMIT,
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    LoopDetectedError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    RequestTooLargeError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
    error_from_response,
    parse_retry_after,
    redact,
)

CANARY = "canary/Key+with=odd.characters"


@pytest.mark.parametrize(
    ("status", "error_class", "answered"),
    [
        (400, InvalidRequestError, 400),
        (401, AuthenticationError, 401),
        (402, QuotaError, 429),
        (403, PermissionDeniedError, 403),
        (404, NotFoundError, 404),
        (405, MethodNotAllowedError, 405),
        (408, UpstreamTimeoutError, 504),
        (409, InvalidRequestError, 400),
        (413, RequestTooLargeError, 413),
        (422, InvalidRequestError, 400),
        (429, RateLimitError, 429),
        (500, UpstreamError, 502),
        (502, UpstreamError, 502),
        (503, UnavailableError, 503),
        (504, UpstreamTimeoutError, 504),
        (508, LoopDetectedError, 508),
        (529, UnavailableError, 503),
        (307, UpstreamConnectionError, 502),
    ],
)
def test_error_status_has_one_class(status: int, error_class: type[ApiError], answered: int) -> None:
    error = error_from_response(status, b'{"error":{"message":"why"}}', {})
    assert type(error) is error_class
    assert (error.status, error.upstream_status) == (answered, status)
    body = error.to_json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert body["type"] == error_class.type


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "why", "type": "t", "code": "c"}}, "why"),
        ({"error": "why"}, "why"),
        ({"detail": "why"}, "why"),
        ({"detail": [{"loc": ["body", "stream_options"], "msg": "why"}, {"msg": "more"}]}, "body.stream_options: why; more"),
        ({"detail": {"error": "why"}}, "why"),
        ({"message": "why"}, "why"),
        ({"object": "error", "message": "why", "code": 400}, "why"),
        ([{"error": {"code": 400, "message": "why", "status": "INVALID_ARGUMENT"}}], "why"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "why"}}, "why"),
        ({"error": None, "detail": "why"}, "why"),
        ("why", "why"),
        ({"error": None}, "the provider answered with an error (HTTP 400)"),
        ({"error": {}}, "the provider answered with an error (HTTP 400)"),
        ({"error": {"message": None}}, "the provider answered with an error (HTTP 400)"),
        ({}, "the provider answered with an error (HTTP 400)"),
        ([], "the provider answered with an error (HTTP 400)"),
        (None, "the provider answered with an error (HTTP 400)"),
        (7, "the provider answered with an error (HTTP 400)"),
    ],
)
def test_error_message_in_each_format_is_found(body: object, message: str) -> None:
    assert error_from_response(400, orjson.dumps(body), {}).message == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"Internal Server Error", "Internal Server Error"),
        (b"<html><body>nginx</body></html>", ""),
        (b"", ""),
        (b"\xff\xfe bad", "\ufffd\ufffd bad"),
        (b"line\r\none\x00", "line  one "),
    ],
)
def test_error_message_that_is_not_json_is_kept_unless_it_is_html(body: bytes, message: str) -> None:
    standard = "the provider answered with an error (HTTP 500)"
    assert error_from_response(500, body, {}).log_text == (f"{standard}: {message}" if message else standard)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "detail", "message", "msg", "loc", "code", "param", "type"]), inner)
    ),
    max_leaves=10,
)


@given(st.integers(300, 599), anything.map(orjson.dumps) | st.binary())
def test_error_of_any_body_can_be_serialized(status: int, body: bytes) -> None:
    error = error_from_response(status, body, {})
    sent = error.to_json()["error"]
    orjson.dumps(sent)
    assert isinstance(sent["message"], str)
    assert 0 < len(sent["message"]) <= MESSAGE_LIMIT
    assert all(sent[name] is None or (isinstance(sent[name], str) and len(sent[name]) <= 100) for name in ("code", "param"))


def test_error_message_nested_endlessly_is_searched_to_a_depth() -> None:
    assert (
        error_from_response(500, b'{"error":' * 900 + b"1" + b"}" * 900, {}).log_text
        == "the provider answered with an error (HTTP 500)"
    )


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}},  # vLLM
        {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404},
        {"error": {"message": "model 'x' not found", "type": "api_error", "param": None, "code": None}},  # Ollama
        {"error": 'model "x" not found, try pulling it first'},
        {"detail": "Model x not found"},
        {"error": {"message": "gone", "code": "model_not_found"}},
    ],
)
def test_error_of_a_missing_model_differs_from_a_missing_path(body: object) -> None:
    assert error_from_response(404, orjson.dumps(body), {}).code == "model_not_found"
    assert error_from_response(404, b'{"detail":"Not Found"}', {}).code == "not_found"


@pytest.mark.parametrize("name", ["code", "type"])
def test_error_of_an_exhausted_quota_differs_from_a_rate_limit(name: str) -> None:
    body = orjson.dumps({"error": {"message": "pay", name: "insufficient_quota"}})
    error = error_from_response(429, body, {"Retry-After": "60"})
    assert isinstance(error, QuotaError)
    assert (error.code, error.retry_after) == ("budget_exceeded", 60)


def test_error_contains_no_secret() -> None:
    words = f"key {CANARY} refused"
    body = orjson.dumps({"error": {"message": words, "code": words, "param": words, "type": words}})
    error = error_from_response(400, body, {}, secrets=[None, "", CANARY])
    for shown in (str(error), repr(error), orjson.dumps(error.to_json()).decode(), str(vars(error))):
        assert "canary" not in shown
    assert error.message == "key *** refused"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-Abc123_def456",
        "sk-or-v1-0123456789abcdef",
        "zai_0123456789abcdefghijABCDEFGHIJ__",
        "gsk_abcdefghijkl",
        "hf_abcdefghijkl",
        "xai-abcdefghijkl",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ],
)
def test_redact_text_in_the_form_of_a_key_is_removed(secret: str) -> None:
    assert secret not in redact(f"Incorrect API key provided: {secret}.")
    assert "opaque" not in redact("Authorization: Bearer opaque+token/1==")


def test_redact_secret_at_the_length_limit_is_removed_completely() -> None:
    body = orjson.dumps({"error": {"message": "x" * (MESSAGE_LIMIT - 5) + CANARY}})
    assert "can" not in error_from_response(500, body, {}, secrets=[CANARY]).log_text


def test_redact_ordinary_text_is_unchanged() -> None:
    words = "The task sk_1 of the risk-model desk failed at 12:30."
    assert redact(words) == words


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, 9.0),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "1e300"}, 31 * 86400.0),
        ({}, None),
    ],
)
def test_retry_after_of_each_format_is_parsed(headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(headers) == seconds


def test_retry_after_date_is_parsed() -> None:
    ahead = parse_retry_after({"Retry-After": formatdate(time.time() + 60, usegmt=True)})
    assert ahead == pytest.approx(60, abs=2)
    assert parse_retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


@given(st.text() | st.floats().map(str) | st.sampled_from(["Wed, 99 Oct 99999 99:99:99 GMT", "0000", ", ,"]))
def test_retry_after_of_any_value_is_finite_and_serializable(value: str) -> None:
    seconds = parse_retry_after({"Retry-After": value})
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
    RateLimitError("slow down", retry_after=seconds).headers()


def test_retry_after_headers_have_whole_seconds_and_milliseconds() -> None:
    assert RateLimitError("slow", retry_after=0.2).headers() == {"Retry-After": "1", "retry-after-ms": "200"}
    assert RateLimitError("slow").headers() == {}


def test_error_without_details_omits_them() -> None:
    assert UpstreamError("all failed", details=("a: refused",)).to_json()["error"]["details"] == ["a: refused"]
    error: dict[str, Any] = InvalidRequestError("bad", param="temperature").to_json()["error"]
    assert error == {"message": "bad", "type": "invalid_request_error", "param": "temperature", "code": "invalid_value"}
