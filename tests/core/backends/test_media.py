"""The gate for images: public addresses only, the very address that was checked, no redirects, no more than an image."""

import asyncio
from base64 import b64decode, b64encode
from ipaddress import ip_address, ip_network
import socket
from typing import Any

import aiohttp
from aiohttp import web
import pytest

from tests.support.clouds.anthropic import BOTH, FakeAnthropic
from tests.support.clouds.asking import before, chat, error_of, say
from tests.support.clouds.ollama import SEER, FakeOllama
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import PNG
from tests.support.fakes.provider import FakeProvider, running, serving
from zeroconf_ai.backends import media
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.media import ImageGate
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.dialects.images import Image, image_from_data_url
from zeroconf_ai.protocol.errors import InvalidRequestError

HERE = ip_network("127.0.0.0/8")
WHERE = "messages[0].content[0]"


def picture(url: str) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": url}}]


def answers(body: bytes = b"", status: int = 200, **headers: str) -> Any:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return answer


def png() -> bytes:
    return b64decode(PNG)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "0.0.0.0",
        "168.63.129.16", "224.0.0.251", "239.1.1.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1",
        "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::fb", "::ffff:127.0.0.1", "::ffff:192.168.1.1",
        "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:c0a8:101::", "2001:db8::1",
        "::7f00:1", "::ffff:0:7f00:1", "fec0::1", "64:ff9b:1::7f00:1", "64:ff9b:1::101:101", "5f00::1", "4000::1", "3fff::1",
        "2001::7f00:1", "2001:0:101:101::1", "192.88.99.1", "203.0.113.1", "192.0.0.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_not_reached(address: str) -> None:
    assert not ImageGate().allows(ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]
)
def test_public_addresses_are_reached(address: str) -> None:
    assert ImageGate().allows(ip_address(address))


def test_egress_allowed_hosts_are_reached_and_no_others() -> None:
    gate = ImageGate([ip_network("192.168.7.0/24")])
    assert gate.allows(ip_address("192.168.7.9"))
    assert gate.allows(ip_address("::ffff:192.168.7.9"))
    assert not gate.allows(ip_address("192.168.8.9"))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/a.png", "http://localhost:{port}/a.png", "http://[::1]:{port}/a.png",
        "http://[::ffff:127.0.0.1]:{port}/a.png", "http://2130706433:{port}/a.png", "http://127.1:{port}/a.png",
        "http://0:{port}/a.png", "http://１２７.０.０.１:{port}/a.png", "http://127。0。0。1:{port}/a.png",
        "http://127．0．0．1:{port}/a.png", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/a.png", "http://[::127.0.0.1]:{port}/a.png",
    ],
)  # fmt: skip
async def test_egress_loopback_in_each_notation_is_refused(url: str) -> None:
    asked = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.Response(body=png())

    async with serving(answer) as port:
        err = await error_of(ImageGate().fetch_all([(url.format(port=port), WHERE)]))
    assert isinstance(err, InvalidRequestError)
    assert "public addresses" in err.message
    assert not asked


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/a.png", "http://user:pw@example.org/a.png", "http://", "x", "http://[::1"]
)
async def test_image_url_of_another_scheme_is_refused(url: str) -> None:
    err = await error_of(ImageGate().fetch_all([(url, WHERE)]))
    assert isinstance(err, InvalidRequestError)
    assert err.param == WHERE


async def test_egress_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("93.184.216.34", "192.168.1.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    err = await error_of(ImageGate().fetch_all([("http://rebind.example/a.png", WHERE)]))
    assert "public addresses" in err.message


async def test_egress_name_is_resolved_once_and_the_checked_address_used(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = []

    async def resolve(host: str, port: int, **_: Any) -> Any:
        resolved.append(host)
        address = "127.0.0.1" if len(resolved) == 1 else "192.168.1.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    async with serving(answers(png())) as port:
        images = await ImageGate([HERE]).fetch_all([(f"http://pictures.example:{port}/a.png", WHERE)])
    assert [image.data for image in images.values()] == [PNG]
    assert resolved == ["pictures.example"]


async def test_image_that_is_not_fetched_one_text_for_every_reason(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    monkeypatch.setattr(media, "MAX_IMAGE_BYTES", 2000)
    monkeypatch.setattr(media, "FETCH_SECONDS", 1.0)

    over = asyncio.Event()

    async def silent(_: web.BaseRequest) -> web.Response:
        await over.wait()
        return web.Response()

    async def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def told(port: int, host: str = "127.0.0.1", gate: ImageGate | None = None) -> str:
        err = await error_of((gate or ImageGate([HERE])).fetch_all([(f"http://{host}:{port}/a.png", WHERE)]))
        assert isinstance(err, InvalidRequestError)
        assert err.__cause__ is None
        return err.message

    texts = {await told(unused_tcp_port), await told(unused_tcp_port, gate=ImageGate()), await told(9, "192.168.1.1")}
    with monkeypatch.context() as names:
        names.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        texts.add(await told(9, "no-such-host.example"))
    for answer in (
        answers(status=302, Location="http://127.0.0.1/x"),
        answers(status=404),
        answers(status=500),
        answers(b"<html>"),
        answers(b""),
        answers(b"\x89PNG\r\n\x1a\n" + bytes(3000)),
        silent,
    ):
        async with serving(answer) as port:
            texts |= {await told(port), await told(port, gate=ImageGate())}
            if answer is silent:
                over.set()
    (text,) = texts
    assert text.startswith(WHERE)
    assert "127.0.0.1" not in text


async def test_images_beyond_the_maximum_are_refused() -> None:
    err = await error_of(ImageGate().fetch_all([(f"https://example.org/{number}", WHERE) for number in range(21)]))
    assert err.param == "messages"


async def test_images_missing_cause_no_request() -> None:
    assert await ImageGate().fetch_all([]) == {}


@pytest.mark.parametrize(
    ("raw", "kind"),
    [(b"\xff\xd8\xff\xe0", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF89a", "gif"), (b"RIFF\0\0\0\0WEBPVP8 ", "webp")],
)
def test_image_type_is_detected_by_its_first_bytes(raw: bytes, kind: str) -> None:
    url = "data:application/octet-stream;base64," + b64encode(raw).decode()
    assert image_from_data_url(url, WHERE) == Image(f"image/{kind}", b64encode(raw).decode())


def test_image_repr_is_short() -> None:
    assert repr(Image("image/png", PNG)) == f"<Image image/png of {len(PNG)} characters>"


async def test_image_url_for_ollama_is_fetched() -> None:
    fake = FakeOllama()
    async with serving(answers(png())) as port, before("ollama", fake, gate=ImageGate([HERE])) as backend:
        await say(backend, chat(SEER, picture(f"http://127.0.0.1:{port}/a.png")))
    assert fake.last.body["messages"][0]["images"] == [PNG]


async def test_image_url_for_anthropic_is_https_or_data() -> None:
    fake = FakeAnthropic()
    async with serving(answers(png())) as port, before("anthropic", fake, gate=ImageGate([HERE])) as backend:
        await say(backend, chat(BOTH, picture(f"http://127.0.0.1:{port}/a.png") + picture("https://example.org/b.png")))
    assert [block["source"]["type"] for block in fake.last.body["messages"][0]["content"]] == ["base64", "url"]


@pytest.mark.parametrize("flavor", ["llamacpp", "vllm", "lmstudio", "litellm", "openai_compatible"])
async def test_image_url_for_a_local_engine_is_fetched(flavor: str) -> None:
    fake = FakeOpenAI()
    async with serving(answers(png())) as port, before(flavor, fake, gate=ImageGate([HERE])) as backend:
        text: Any = {"type": "text", "text": "What is it?"}
        (image,) = picture(f"http://127.0.0.1:{port}/a.png")
        image["image_url"]["detail"] = "low"
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [text, image]}]
        await say(backend, chat("gpt-4.1", messages=messages))
    by_value = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
    assert fake.last.body["messages"] == [messages[0], {"role": "user", "content": [text, by_value]}]


async def test_image_url_for_a_cloud_is_not_fetched() -> None:
    fake = FakeOpenAI()
    async with before("openai", fake) as backend:
        await say(backend, chat("gpt-4.1", picture("https://example.org/a.png")))
    assert fake.last.body["messages"][0]["content"] == picture("https://example.org/a.png")


@pytest.mark.parametrize(
    ("name", "fake", "model"),
    [("ollama", FakeOllama(), SEER), ("anthropic", FakeAnthropic(), BOTH), ("llamacpp", FakeOpenAI(), "gpt-4.1")],
)
async def test_image_url_with_a_private_address_is_not_fetched(name: str, fake: Any, model: str) -> None:
    async with before(name, fake) as backend:
        err = await error_of(backend.send(chat(model, picture("http://192.168.1.1/admin.png"))))
    assert isinstance(err, InvalidRequestError)
    assert not fake.received


async def test_image_url_for_a_lan_provider_is_fetched() -> None:
    provider = FakeProvider()
    async with running(provider), aiohttp.ClientSession() as session, serving(answers(png())) as port:
        gate = ImageGate([HERE])
        backend = ZeroconfAIBackend(session, BackendInfo("lan", "GPU box"), Endpoint(provider.base_url), gate=gate)
        await (await backend.send(chat("test-model", picture(f"http://127.0.0.1:{port}/a.png")))).close()
        err = await error_of(backend.send(chat("test-model", picture("http://192.168.1.1/admin.png"))))
    assert isinstance(err, InvalidRequestError)
    (sent,) = provider.requests
    assert sent["messages"][0]["content"][0]["image_url"]["url"] == f"data:image/png;base64,{PNG}"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "video_url", "video_url": {"url": "http://192.168.1.1/a.mp4"}},
        {"type": "audio_url", "audio_url": "HTTP://192.168.1.1/a.wav"},
        {"type": "input_image", "image_url": "file:///etc/passwd"},
        {"type": "file", "file": {"file_id": "https://192.168.1.1/a.pdf"}},
        {"type": "file", "file": {"file_data": " http://192.168.1.1/a.pdf"}},
        {"type": "custom", "deep": [{"deeper": ["s3://bucket/key"]}]},
    ],
)
@pytest.mark.parametrize("flavor", ["vllm", "litellm", "openai_compatible"])
async def test_url_in_another_part_than_an_image_is_refused_for_local_engines(flavor: str, part: dict[str, Any]) -> None:
    fake = FakeOpenAI()
    async with before(flavor, fake) as backend:
        err = await error_of(backend.send(chat("gpt-4.1", [{"type": "text", "text": "What is it?"}, part])))
    assert isinstance(err, InvalidRequestError)
    assert err.param == "messages[0].content[1]"
    assert not fake.received


async def test_image_url_in_a_text_is_not_fetched() -> None:
    fake = FakeOpenAI()
    async with before("vllm", fake) as backend:
        await say(backend, chat("gpt-4.1", [{"type": "text", "text": "http://192.168.1.1 is my router."}]))
    assert fake.received
