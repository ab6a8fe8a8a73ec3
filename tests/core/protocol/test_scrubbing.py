"""What is left of secrets and texts in a recording."""

import json
import re
from typing import Any

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.protocol.scrubbing import Scrubber, scrub_bytes

SECRETS = (
    "sk-proj-abcDEF0123456789",
    "zai_abcdefghijklmnop0123456789abcdef",
    "AIzaSyA-0123456789abcdefghijklmnopqrstu",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "d41d8cd98f00b204e9800998ecf8427e",
    "anna.berg@example.net",
    "192.168.17.23",
    "2001:db8::17:23",
    "gpu-of-anna.local",
    "anna-the-host",
    "annas-password",
    "anna",
)
KEYS, (MAIL, V4, V6, LOCAL, HOST, PASSWORD, USER) = SECRETS[:6], SECRETS[6:]
TOLD = (
    f"I use {', '.join(KEYS[:4])} with Bearer {KEYS[4]} or {KEYS[5]}; write to {MAIL}, at {V4} or {V6} or {LOCAL}, "
    f"see https://{HOST}:8443/x?password={PASSWORD} and /home/{USER}/models"
)


@pytest.mark.parametrize("keep_texts", [True, False])
@pytest.mark.parametrize("form", ["plain", "json", "kept key", "events", "slashes"])
def test_scrubbing_leaves_no_secret_in_any_form(keep_texts: bool, form: str) -> None:
    body = {
        "plain": TOLD,
        "json": json.dumps({"messages": [{"role": "user", "content": TOLD}]}),
        "kept key": json.dumps({"models": [{"id": part, TOLD: 1} for part in TOLD.split()], "error": {"message": TOLD}}),
        "events": f"event: {TOLD}\nid: {TOLD}\ndata: {json.dumps({'error': TOLD})}\n\n: {TOLD}\n\n",
        "slashes": json.dumps({"error": {"message": TOLD}}).replace("/", "\\/"),
    }[form]
    scrubbed = Scrubber(keep_texts=keep_texts).body(body, is_error=form == "plain")
    assert [secret for secret in SECRETS if secret in scrubbed] == []
    assert len(scrubbed) == len(body)
    if form in ("json", "kept key", "slashes"):
        json.loads(scrubbed)


def test_scrubbing_secrets_of_headers_are_found_everywhere_else() -> None:
    scrubber = Scrubber(keep_texts=True)
    headers = {"Authorization": "Bearer my house key", "X-Api-Key": "hunter2hunter2", "Cookie": "sid=abc123x; theme=darkest"}
    scrubber.learn(headers, {"key": "opensesame"})
    scrubber.learn({"Authorization": "Basic aG9tZW93bmVyOnNlc2FtZTEyMw==", "Host": "attic-box:8000", "User-Agent": "aiohttp"}, {})
    told = scrubber.body(
        '{"echo": "hunter2hunter2 abc123x opensesame darkest homeowner sesame123 aG9tZW93bmVyOnNlc2FtZTEyMw attic-box:8000"}'
    )
    learned = ("hunter2", "abc123x", "opensesame", "darkest", "homeowner", "sesame123", "aG9tZW9", "attic-box")
    assert not any(secret in told for secret in learned)
    assert scrubber.text("aiohttp") == "aiohttp"
    kept = scrubber.headers({**headers, "Content-Type": "application/json", "X-RateLimit-Limit": "5", "Via": "annas-proxy"})
    assert kept == {
        **dict.fromkeys((*headers, "Via"), "scrubbed"),
        "Content-Type": "application/json",
        "X-RateLimit-Limit": "5",
    }


REQUEST: dict[str, Any] = {
    "model": "qwen3:8b",
    "stream": True,
    "user": "anna",
    "messages": [
        {"role": "system", "content": "You live in Münster 🏡. Temperature: 21."},
        {"role": "user", "name": "anna", "content": [{"type": "text", "text": 'Turn on "the" light\n<think>'}]},
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "call_7",
                    "type": "function",
                    "function": {"name": "light_on", "arguments": '{"room": "attic", "on": true}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_7", "content": "done"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "light_on",
                "description": "Anna's lights",
                "parameters": {
                    "type": "object",
                    "properties": {"room": {"type": "string", "enum": ["attic"]}},
                    "required": ["room"],
                },
            },
        }
    ],
}


def test_scrubbing_request_keeps_its_form_and_no_text() -> None:
    raw = json.dumps(REQUEST, ensure_ascii=False)
    scrubbed = Scrubber().body(raw)
    assert len(scrubbed.encode()) == len(raw.encode())
    assert not re.search(r"anna|Anna|Münster|light\\n|attic|Turn|done|21", scrubbed)
    found = json.loads(scrubbed)
    assert found["messages"][0]["content"] == "Xxx xxxx xx Xéxxxxx 😀. Xxxxxxxxxxx: 11."
    assert found["messages"][1] == {
        "role": "user",
        "name": "xxxx",
        "content": [{"type": "text", "text": 'Xxxx xx "xxx" xxxxx\n<think>'}],
    }
    call = found["messages"][2]["tool_calls"][0]
    assert (call["id"], call["function"]["name"]) == ("call_7", "light_on")
    assert json.loads(call["function"]["arguments"]) == {"xxxx": "xxxxx", "xx": True}
    assert found["tools"][0]["function"]["parameters"]["required"] == ["room"]
    assert (found["model"], found["stream"], found["user"]) == ("qwen3:8b", True, "xxxx")


def test_scrubbing_stream_keeps_events_lengths_and_escapes() -> None:
    raw = (
        'event: message\ndata: {"id":"c-1","choices":[{"delta":{"content":"caf\\u00e9 \\ud83d\\ude00\\n\\t\\"A1\\""}}],'
        '"usage":{"prompt_tokens":23}}\n\ndata: {"content":"half\ndata: plain words\n\ndata: [DONE]\n\n'
    )
    assert Scrubber().body(raw) == (
        'event: message\ndata: {"id":"c-1","choices":[{"delta":{"content":"xxx\\u00e9 \\ud83d\\ude00\\n\\t\\"X1\\""}}],'
        '"usage":{"prompt_tokens":23}}\n\ndata: {"content":"xxxx\ndata: xxxxx xxxxx\n\ndata: [DONE]\n\n'
    )


def test_scrubbing_keeps_the_characters_by_which_parsers_fail() -> None:
    raw = '\ufeffdata: {"content":"a\u2028b\u0085c\\u2028\\u0000\\ud800\u00a0ü\u200b"}\r\n\r\n: ping\r\n'
    assert Scrubber().body(raw) == '\ufeffdata: {"content":"x\u2028x\u0085x\\u2028\\u0000\\ud800\u00a0é\u200b"}\r\n\r\n: ping\r\n'


@given(
    st.lists(
        st.dictionaries(
            st.text(max_size=5), st.booleans() | st.none() | st.integers() | st.floats(0, 1e9) | st.text(max_size=8), max_size=3
        )
    ),
    st.integers(1, 7),
    st.booleans(),
)
def test_scrubbing_arguments_in_pieces_stay_json_without_their_texts(calls: list[Any], size: int, ascii_only: bool) -> None:
    whole = [json.dumps(arguments, ensure_ascii=ascii_only) for arguments in calls]
    cut = [(index, text[at : at + size]) for index, text in enumerate(whole) for at in range(0, len(text), size)]
    cut.sort(key=lambda piece: len(piece[1]), reverse=True)  # pieces of all calls arrive in turns
    chunks = [
        {"choices": [{"delta": {"tool_calls": [{"index": index, "function": {"arguments": text}}]}}]} for index, text in cut
    ]
    raw = "".join(f"data: {json.dumps(chunk, ensure_ascii=ascii_only)}\n\n" for chunk in chunks)
    scrubbed = Scrubber().body(raw)
    assert len(scrubbed.encode()) == len(raw.encode())
    found = [""] * len(calls)
    for line in scrubbed.split("\n\n")[:-1]:
        call = json.loads(line.removeprefix("data: "))["choices"][0]["delta"]["tool_calls"][0]
        found[call["index"]] += call["function"]["arguments"]
    for arguments, text in zip(calls, found, strict=True):
        told = json.loads(text, object_pairs_hook=list)
        assert [type(value) for _, value in told] == [type(value) for value in arguments.values()]
        texts = [part for pair in told for part in pair if isinstance(part, str)]
        assert all(not char.isalnum() or char in "xX1é" for part in texts for char in part)


def test_scrubbing_description_of_a_model_keeps_what_it_can_do() -> None:
    shown = {
        "capabilities": ["completion", "tools"],
        "details": {"family": "qwen3", "parent_model": "/home/anna/blobs/sha256-0123456789abcdef0123456789abcdef"},
        "modelfile": "FROM qwen3\nSYSTEM You know Anna.",
        "system": "You know Anna.",
        "pricing": {"prompt": "0.0000003", "input": 0.25},
        "description": "A model. " * 20,
        "token": SECRETS[0],
    }
    raw = json.dumps(shown)
    found = json.loads(Scrubber().listing(raw))
    assert len(json.dumps(found)) == len(raw)
    assert (found["capabilities"], found["details"]["family"], found["pricing"]) == (
        shown["capabilities"],
        "qwen3",
        shown["pricing"],
    )
    assert not any(word in json.dumps(found) for word in ("Anna", "anna", "A model", SECRETS[0], "0123456789abcdef"))
    assert Scrubber().listing("Ollama is running") == "Ollama is running"
    assert "Anna" not in Scrubber().listing("<html>Anna's photos" + " " * 128)


def test_scrubbing_vectors_and_token_bytes_say_nothing() -> None:
    raw = '{"data":[{"embedding":[0.0231,-7.5e-05],"index":3}],"logprobs":[{"token":"Hi","bytes":[72,105],"logprob":-0.52}]}'
    assert Scrubber().body(raw) == (
        '{"data":[{"embedding":[0.0111,-1.1e-01],"index":3}],"logprobs":[{"token":"Xx","bytes":[11,101],"logprob":-0.52}]}'
    )


def test_scrubbing_error_keeps_what_went_wrong_without_long_quotes() -> None:
    words = "the whole long prompt of a person who asked it"
    raw = json.dumps({"error": {"message": f"Invalid value: '{words}'. Supported: 'auto'.", "code": "invalid_value"}})
    assert json.loads(Scrubber().body(raw))["error"] == {
        "message": f"Invalid value: '{re.sub('[a-z]', 'x', words)}'. Supported: 'auto'.",
        "code": "invalid_value",
    }
    assert Scrubber().body("upstream timed out", is_error=True) == "upstream timed out"
    assert Scrubber().body("my answer") == "xx xxxxxx"


def test_scrubbing_members_named_like_secrets_lose_their_values_even_with_texts() -> None:
    raw = json.dumps(
        {"password": "sesame123", "args": json.dumps({"api_key": "wintergreen"}), "token": "Hello!", "max_tokens": 4096}
    )
    scrubbed = Scrubber(keep_texts=True).body(raw)
    assert "sesame123" not in scrubbed
    assert "wintergreen" not in scrubbed
    assert (json.loads(scrubbed)["token"], json.loads(scrubbed)["max_tokens"]) == ("Hello!", 4096)


@pytest.mark.parametrize(
    "name",
    [
        "claude-haiku-4-5-20251001-thinking-extended",
        "Qwen3-Coder-480B-A35B-Instruct-2507-FP8",
        "get_temperature_of_room_7_in_the_attic",
    ],
)
def test_scrubbing_long_names_of_models_and_tools_stay(name: str) -> None:
    raw = json.dumps({"model": name, "tools": [{"function": {"name": name}}]})
    assert Scrubber().body(raw) == raw


def test_scrubbing_same_id_gets_the_same_stand_in() -> None:
    call = "call_0123456789abcdef0123456789abcdef"
    scrubber = Scrubber()
    first, second = scrubber.body(json.dumps({"id": call})), scrubber.body(json.dumps({"tool_call_id": call}))
    assert call not in first
    assert json.loads(first)["id"] == json.loads(second)["tool_call_id"]


texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from([*SECRETS, TOLD, 'a"b\\', "é/ü"])
values = st.recursive(
    texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values, st.booleans(), st.booleans())
def test_scrubbing_any_json_keeps_its_bytes_and_stays_json(value: Any, ascii_only: bool, keep_texts: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    scrubbed = scrub_bytes(raw, Scrubber(keep_texts=keep_texts).body)
    assert len(scrubbed) == len(raw)
    if isinstance(value, dict | list):
        json.loads(scrubbed)


@given(st.binary(max_size=300))
def test_scrubbing_any_bytes_keep_their_number(raw: bytes) -> None:
    assert len(scrub_bytes(raw, Scrubber().body)) == len(raw)
