"""Compressed bodies: gzip and deflate are decompressed, every other encoding is a 415 in the error format of the path."""

from collections.abc import Callable
import gzip
import json
import zlib

import pytest

from ...support.server import Served, served
from .test_audio import FakeAudio, form

CHAT = json.dumps({"model": "demo-rules", "max_tokens": 9, "messages": [{"role": "user", "content": "count to 3"}]}).encode()
ZSTD = b"\x28\xb5\x2f\xfd\x20\x02\x11\x00\x00{}"  # a frame of RFC 8878 with one raw block
JSON = {"Content-Type": "application/json"}


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses", "/api/chat"])
@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "x-gzip", "gzip, br", "BR", "snappy"])
async def test_other_encoding_is_a_415_in_the_dialects_format(demo: Served, path: str, encoding: str) -> None:
    data = ZSTD if encoding == "zstd" else CHAT
    status, body, headers = await demo.ask("POST", path, data=data, headers={**JSON, "Content-Encoding": encoding})
    assert status == 415
    assert headers["Accept-Encoding"] == "gzip, deflate"
    message = body["error"] if path.startswith("/api") else body["error"]["message"]
    assert encoding.lower() in message
    assert "gzip or deflate" in message
    if path == "messages":
        assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:])),
        ("gzip", lambda data: gzip.compress(data) + b"\0" * 8),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        ("", bytes),
    ],
    ids=["gzip", "capitals", "members", "padding", "zlib", "raw", "identity", "empty"],
)
async def test_gzip_and_deflate_are_decompressed(demo: Served, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    status, body, _ = await demo.ask("POST", "chat/completions", data=pack(CHAT), headers={**JSON, "Content-Encoding": encoding})
    assert status == 200
    assert body["choices"][0]["message"]["content"] == "1 2 3"


@pytest.mark.parametrize("data", [gzip.compress(CHAT)[:-9], b"\x1f\x8b nothing", b""], ids=["cut", "damaged", "empty"])
async def test_damaged_compression_is_a_400(demo: Served, data: bytes) -> None:
    status, body, _ = await demo.ask("POST", "chat/completions", data=data, headers={**JSON, "Content-Encoding": "gzip"})
    assert status == 400
    assert body["error"]["code"] == "invalid_body"


async def test_body_of_many_pieces_arrives_complete(demo: Served) -> None:
    data = gzip.compress(CHAT[:-1] + b', "user": "' + b"x" * 500_000 + b'"}')
    status, _, _ = await demo.ask("POST", "chat/completions", data=data, headers={**JSON, "Content-Encoding": "gzip"})
    assert status == 200


async def test_compressed_form_is_read() -> None:
    audio = FakeAudio()
    async with served(audio=audio) as gateway:
        payload = form()()
        headers = {"Content-Type": payload.headers["Content-Type"], "Content-Encoding": "gzip"}
        data = gzip.compress(await payload.as_bytes())
        status, body, _ = await gateway.ask("POST", "audio/transcriptions", data=data, headers=headers)
        refused, _, _ = await gateway.ask("POST", "audio/transcriptions", data=data, headers=headers | {"Content-Encoding": "br"})
    assert (status, refused) == (200, 415)
    assert body["text"]
