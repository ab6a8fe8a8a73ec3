"""Data URLs of requests: every spelling of an image or file reaches a backend as `data:TYPE;base64,DATA`."""

from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote

import pytest

from zeroconf_ai.dialects.anthropic.client_request import to_chat as from_anthropic
from zeroconf_ai.dialects.ollama.client_request import chat_to_chat
from zeroconf_ai.dialects.responses.client_request import to_chat as from_responses
from zeroconf_ai.protocol.data_urls import plain_data_url
from zeroconf_ai.protocol.request import Kind, Request

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200, 256)) * 2 + b"\xff\xfe"
PDF = b"%PDF-1.7\n" + b"\xfb\xff\xbf" * 9
DATA = b64encode(PNG).decode()
PLAIN = f"data:image/png;base64,{DATA}"
WRAPPED = "\r\n".join(DATA[place : place + 76] for place in range(0, len(DATA), 76))


@pytest.mark.parametrize(
    "url",
    [
        PLAIN,
        PLAIN.rstrip("="),
        f"data:image/png;base64,{WRAPPED}\n",
        f"data:image/png;base64,{urlsafe_b64encode(PNG).decode()}",
        f"data:image/png;base64,{urlsafe_b64encode(PNG).decode().rstrip('=')}",
        f"data:image/png;base64,{quote(DATA, safe='')}",
        f"data:image/png;BASE64,{DATA}",
        f"DATA:IMAGE/PNG;base64,{DATA}",
        f"  data:image/png;base64, {DATA}",
        f"data:;base64,{DATA}",
        f"data:base64;base64,{DATA}",
        f"data:image/png;charset=utf-8;base64,{DATA}",
        f"data:image/png; charset=utf-8; base64,{DATA}",
        f"data:image/jpeg;base64,{DATA}",
        f"data:image/jpg;base64,{DATA}",
        f"data:application/octet-stream;base64,{DATA}",
    ],
)
def test_data_url_in_every_spelling_becomes_plain(url: str) -> None:
    assert plain_data_url(url) == PLAIN


@pytest.mark.parametrize(
    "url",
    ["data:image/svg+xml,<svg/>", "data:image/png;base64,????", "data:image/png;base64,Zm9vY", "data:", "data:image/png;base64"],
)
def test_data_url_that_cannot_be_read_is_unchanged(url: str) -> None:
    assert plain_data_url(url) == url


def test_data_url_of_unknown_content_keeps_its_type() -> None:
    assert plain_data_url("data:image/heic;base64,AAAAGGZ0eXBoZWlj") == "data:image/heic;base64,AAAAGGZ0eXBoZWlj"
    assert plain_data_url("data:;base64,AAAA") == "data:application/octet-stream;base64,AAAA"


def only_part(chat: dict[str, Any]) -> Any:
    body = Request.parse(Kind.CHAT, chat).body
    return body["messages"][-1]["content"][-1]


@pytest.mark.parametrize("data", [DATA, WRAPPED, DATA.rstrip("="), PLAIN, urlsafe_b64encode(PNG).decode()])
@pytest.mark.parametrize("stated", [{"media_type": "image/png"}, {"media_type": "image/jpeg"}, {}])
def test_image_of_a_message_is_plain(data: str, stated: dict[str, str]) -> None:
    source = {"type": "base64", "data": data, **stated}
    asked = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    assert only_part(from_anthropic(asked))["image_url"]["url"] == PLAIN


@pytest.mark.parametrize("data", [DATA, WRAPPED, PLAIN, f"DATA:;base64,{DATA}"])
def test_image_of_ollama_and_responses_is_plain(data: str) -> None:
    chat = {"model": "m", "messages": [{"role": "user", "content": "x", "images": [data]}]}
    assert only_part(chat_to_chat(chat))["image_url"]["url"] == PLAIN
    url = data if data.lower().startswith("data:") else f"data:image/png;base64,{data}"
    asked = {"model": "m", "input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]}
    assert only_part(from_responses(asked)[0])["image_url"]["url"] == PLAIN


@pytest.mark.parametrize("image", [f"data:;base64,{WRAPPED}", {"url": f"data:;base64,{WRAPPED}", "detail": "low"}])
def test_image_of_a_chat_is_plain_and_keeps_its_other_fields(image: Any) -> None:
    part = only_part({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": image}]}]})
    assert part["image_url"]["url"] == PLAIN
    assert ("detail" in part["image_url"]) == isinstance(image, dict)


@pytest.mark.parametrize("prefix", ["data:application/pdf;base64,", "data:;base64,", "data:application/octet-stream;BASE64,", ""])
def test_file_of_a_chat_is_plain(prefix: str) -> None:
    file = {"filename": "a.pdf", "file_data": prefix + b64encode(PDF).decode().rstrip("=")}
    part = only_part({"messages": [{"role": "user", "content": [{"type": "file", "file": file}]}]})
    assert part["file"] == {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{b64encode(PDF).decode()}"}


def test_request_with_plain_data_urls_is_not_copied() -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PLAIN}}]}]}
    assert Request.parse(Kind.CHAT, body).body["messages"] is body["messages"]
