"""What a person types or pastes: plain text, the JSON of every API, and curl commands for any of its paths."""

import json
from typing import Any

import pytest

from zeroconf_ai.admin.pasted_request import LIMIT, Api, Form, read_pasted
from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.request import Kind

USER = [{"role": "user", "content": "Hello"}]
TOOL = {"name": "f", "description": "", "input_schema": {"type": "object"}}
BODIES: list[tuple[Api, Kind, dict[str, Any]]] = [
    (Api.CHAT, Kind.CHAT, {"messages": USER}),
    (Api.MESSAGES, Kind.CHAT, {"messages": USER, "max_tokens": 9, "system": "Be short."}),
    (Api.MESSAGES, Kind.CHAT, {"messages": USER, "max_tokens": 9, "tools": [TOOL]}),
    (Api.RESPONSES, Kind.CHAT, {"input": "Hello"}),
    (Api.GEMINI, Kind.CHAT, {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
    (Api.OLLAMA_CHAT, Kind.CHAT, {"messages": USER, "options": {"num_ctx": 4096}}),
    (Api.OLLAMA_CHAT, Kind.CHAT, {"messages": [USER[0] | {"images": ["aGk="]}]}),
    (Api.OLLAMA_GENERATE, Kind.CHAT, {"prompt": "Hello", "system": "Be short."}),
    (Api.COMPLETIONS, Kind.COMPLETION, {"prompt": "Hello"}),
    (Api.EMBEDDINGS, Kind.EMBEDDINGS, {"input": ["Hello"], "encoding_format": "float"}),
]
PATHS: list[tuple[str, Api, dict[str, Any]]] = [
    ("/v1/chat/completions", Api.CHAT, {"messages": USER}),
    ("/api/v1/chat/completions", Api.CHAT, {"messages": USER}),
    ("/chat/completions/", Api.CHAT, {"messages": USER}),
    ("/v1/chat/completions", Api.CHAT, {"input": "Hello"}),
    ("/v1/completions", Api.COMPLETIONS, {"prompt": "Hello"}),
    ("/v1/embeddings", Api.EMBEDDINGS, {"input": "Hello"}),
    ("/v1/responses", Api.RESPONSES, {"input": "Hello"}),
    ("/v1/messages?beta=true", Api.MESSAGES, {"messages": USER, "max_tokens": 5}),
    ("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", Api.GEMINI, BODIES[4][2]),
    ("/v1beta/models/embed-1:embedContent", Api.GEMINI_EMBEDDINGS, {"content": {"parts": [{"text": "Hello"}]}}),
    ("/api/chat", Api.OLLAMA_CHAT, {"messages": USER}),
    ("/api/generate", Api.OLLAMA_GENERATE, {"prompt": "Hello", "raw": True}),
    ("/api/embed", Api.OLLAMA_EMBED, {"input": ["Hello"]}),
    ("/api/embeddings", Api.OLLAMA_EMBED, {"prompt": "Hello"}),
    ("/somewhere/else", Api.MESSAGES, {"messages": USER, "max_tokens": 5, "system": "x"}),
]


def test_pasted_plain_text_is_a_question_to_the_chosen_model() -> None:
    found = read_pasted("  Is the {window} open?\n", "qwen")
    assert (found.form, found.request.kind, found.request.model) == (Form.TEXT, Kind.CHAT, "qwen")
    assert found.request.body["messages"] == [{"role": "user", "content": "Is the {window} open?"}]
    assert read_pasted("Hello").request.model == "auto"


@pytest.mark.parametrize(("api", "kind", "body"), BODIES, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("fence", [False, True])
def test_pasted_json_of_each_api_is_recognized_by_its_fields(api: Api, kind: Kind, body: dict[str, Any], fence: bool) -> None:
    text = json.dumps({"model": "m", **body}, indent=2)
    found = read_pasted(f"```json\n{text}\n```\n" if fence else text, "other")
    assert (found.form, found.api, found.request.kind, found.request.model) == (Form.JSON, api, kind, "m")


@pytest.mark.parametrize(("path", "api", "body"), PATHS, ids=lambda value: str(value)[:40])
def test_pasted_curl_for_each_path_is_read_as_that_api(path: str, api: Api, body: dict[str, Any]) -> None:
    quoted = json.dumps(body)
    found = read_pasted(f"curl 'http://gpu.local:8000{path}' -H 'content-type: application/json' -d '{quoted}'", "m")
    assert (found.form, found.api) == (Form.CURL, api)
    assert found.request.model == {"gemini-2.5-flash:s": "gemini-2.5-flash", "embed-1:embedConte": "embed-1"}.get(
        path[15:33], "m"
    )


def test_pasted_curl_to_azure_names_the_model_in_its_path() -> None:
    url = "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    assert read_pasted(f"curl '{url}' -d '{json.dumps({'messages': USER})}'").request.model == "gpt-4o"


@pytest.mark.parametrize("header", ["Authorization: Bearer zai_key", "x-api-key: zai_key", "X-Goog-Api-Key: zai_key"])
def test_pasted_curl_key_is_found_and_hidden(header: str) -> None:
    found = read_pasted(f"curl localhost:8000/v1/chat/completions -H '{header}' -d '{json.dumps({'messages': USER})}'")
    assert found.secret == "zai_key"
    assert "zai_key" not in repr(found)


def test_pasted_messages_alone_and_lines_of_batch_files_are_requests() -> None:
    assert read_pasted(json.dumps(USER)).request.body["messages"] == USER
    line = {"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {"model": "e", "input": "Hello"}}
    assert read_pasted(json.dumps(line)).request.kind is Kind.EMBEDDINGS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" \n", "Type a question"),
        ('{"messages": [', "not valid JSON"),
        ('{"model": "m"}', "messages"),
        ("[1]", "messages"),
        ("curl http://gpu.local/v1/models", "sends no body"),
        ("curl http://gpu.local/v1/chat/completions -d 'secret=1'", "not valid JSON"),
        ("curl http://gpu.local/v1/chat/completions -d '[1]'", "JSON object"),
        ("curl 'http://[/v1/chat/completions' -d '{}'", "address"),
        ("{" + '"a":{' * 100 + "}" * 101, "nested deeper"),
        ("x" * (LIMIT + 1), "longer"),
    ],
)
def test_pasted_text_that_is_no_request_is_an_error_that_says_why(text: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words) as raised:
        read_pasted(text)
    assert "secret" not in raised.value.message


@pytest.mark.parametrize(
    "body",
    [
        {"messages": 5},
        {"messages": [5]},
        {"model": 5, "input": {}},
        {"contents": 5},
        {"prompt": 5},
        {"tools": [5], "messages": USER},
    ],
)
def test_pasted_json_of_wrong_types_is_refused_like_a_request(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        read_pasted(json.dumps(body))
