"""Images over HTTP: uploaded as a form by an API key, and by the page with its session; shown through signed URLs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from zeroconf_ai.accounting.conversations.image_files import MAX_BYTES
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.administration.administration import Administration
from zeroconf_ai.server.gateway import Gateway

from ...support.pictures import PLACE, SVG, animation, encoded, opened, photo, png_of
from ...support.server import Served, served

UPLOAD = "/v1/images/upload"
PNG = encoded()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    opened_store = await AccountingStore.open(tmp_path / "state" / "gateway.db")
    yield opened_store
    await opened_store.close()


@pytest.fixture
async def site(store: AccountingStore) -> AsyncIterator[Served]:
    async with served(
        access=Guard(store.keys, mode=Auth.NONE),
        images=store.images,
        ledger=store.ledger,
        administration=lambda gateway: Administration(gateway, store),
        cors_origins=("*",),
    ) as server:
        yield server


@pytest.fixture
async def key(store: AccountingStore) -> dict[str, str]:
    """The header of an API key."""
    return {"Authorization": f"Bearer {(await store.keys.create('Phone'))[1]}"}


def form(data: bytes | None = PNG, name: str = "photo.png", kind: str = "image/png", **fields: str) -> aiohttp.FormData:
    """A form with an image and the ids of its message."""
    made = aiohttp.FormData(default_to_multipart=True)
    for field, value in {"conversation_id": "c1", "message_id": "m1", **fields}.items():
        made.add_field(field, value)
    if data is not None:
        made.add_field("file", data, filename=name, content_type=kind)
    return made


async def test_image_is_uploaded_and_shown_by_its_url(site: Served, key: dict[str, str], tmp_path: Path) -> None:
    status, body, _ = await site.ask("POST", UPLOAD, data=form(photo(), "../../etc/passwd", "image/png"), headers=key)
    assert status == 200, body
    filename = body["filename"]
    stored = tmp_path / "state" / "images" / "c1" / "m1" / filename
    assert body | {"url": None} == {
        "filename": filename,
        "path": f"state/images/c1/m1/{filename}",
        "size": stored.stat().st_size,
        "mimeType": "image/jpeg",
        "width": 20,
        "height": 40,
        "conversation_id": "c1",
        "message_id": "m1",
        "url": None,
        "expires_in": 600,
    }
    status, shown, headers = await site.ask("GET", body["url"])
    assert (status, shown) == (200, stored.read_bytes())
    assert PLACE not in shown
    assert opened(shown).size == (20, 40)
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"] == f'inline; filename="{filename}"'
    assert headers["Cache-Control"].startswith("private")
    assert "sandbox" in headers["Content-Security-Policy"]
    assert (await site.ask("HEAD", body["url"]))[0] == 200


@pytest.mark.parametrize("names", [("conversationId", "messageId"), ("conversation", "message")])
async def test_other_spellings_of_the_fields_are_read(site: Served, key: dict[str, str], names: tuple[str, str]) -> None:
    made = aiohttp.FormData()
    made.add_field("image", PNG, filename="a", content_type="application/octet-stream")
    for name in names:
        made.add_field(name, "x-1")
    status, body, _ = await site.ask("POST", UPLOAD, data=made, headers=key)
    assert (status, body["mimeType"], body["conversation_id"], body["message_id"]) == (200, "image/png", "x-1", "x-1")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (form(SVG, "a.png"), 415, "unsupported_image"),
        (form(SVG, "a.svg", "image/svg+xml"), 415, "unsupported_image"),
        (form(b"GIF89a" + SVG), 400, "invalid_image"),
        (form(PNG[:60]), 400, "invalid_image"),
        (form(b""), 415, "unsupported_image"),
        (form(png_of(40_001, 1_000)), 413, "image_too_large"),
        (form(bytes(MAX_BYTES + 1)), 413, "request_too_large"),
        (form(None), 400, "invalid_value"),
        (form(message_id="../../m"), 400, "invalid_value"),
        (form(conversation_id=".."), 400, "invalid_value"),
        (form(conversation_id=""), 400, "invalid_value"),
        (form(conversation_id="x" * 65), 400, "invalid_value"),
        (form(conversation_id="x" * 100_000), 413, "request_too_large"),
    ],
)
async def test_what_is_no_image_of_a_message_is_refused(
    site: Served, key: dict[str, str], tmp_path: Path, sent: aiohttp.FormData, status: int, code: str
) -> None:
    found, body, _ = await site.ask("POST", UPLOAD, data=sent, headers=key)
    assert (found, body["error"]["code"]) == (status, code)
    assert not await asyncio.to_thread(lambda: list(tmp_path.glob("state/images/**/*.*")))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + PNG),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 100 + b"--x--"),
        ("multipart/form-data; boundary=" + "x" * 500, b"--x--"),
        ("multipart/mixed; boundary=x", b"--x--"),
        ("image/png", PNG),
    ],
)
async def test_body_that_is_no_form_is_refused(site: Served, key: dict[str, str], kind: str, body: bytes) -> None:
    status, answer, _ = await site.ask("POST", UPLOAD, data=body, headers={**key, "Content-Type": kind})
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


async def test_animation_and_sixth_image(site: Served, key: dict[str, str]) -> None:
    answers = [await site.ask("POST", UPLOAD, data=form(animation("GIF")), headers=key) for _ in range(6)]
    assert [status for status, _, _ in answers] == [200] * 5 + [400]
    assert answers[-1][1]["error"]["code"] == "too_many_images"
    assert [body["mimeType"] for _, body, _ in answers[:5]] == ["image/gif"] * 5


async def test_conversation_of_another_key_does_not_exist(site: Served, key: dict[str, str], store: AccountingStore) -> None:
    status, mine, _ = await site.ask("POST", UPLOAD, data=form(), headers=key)
    assert status == 200
    other = {"Authorization": f"Bearer {(await store.keys.create('Other', user_id='anna'))[1]}"}
    status, body, _ = await site.ask("POST", UPLOAD, data=form(), headers=other)
    assert (status, body["error"]["code"]) == (404, "conversation_not_found")
    path, _, query = mine["url"].partition("?")
    for url in (path, f"{path}?", f"{path}?{query}x", f"{path}?{query.replace('expires=', 'expires=9')}", f"{path}x?{query}"):
        assert (await site.ask("GET", url))[0] == 403
    assert (await site.ask("GET", path, headers=key))[0] == 403, "the key alone does not open it: there is one way"
    status, _, _ = await site.ask("GET", f"/v1/images/..%2f..%2fgateway.db/m1/x.png?{query}")
    assert status in (403, 404)


async def test_request_without_a_key_stores_nothing(site: Served, tmp_path: Path) -> None:
    status, body, _ = await site.ask("POST", UPLOAD, data=form())
    assert status in (403, 415), body
    assert not (tmp_path / "state" / "images").exists()


async def test_key_for_other_endpoints_is_refused(site: Served, store: AccountingStore) -> None:
    _, secret = await store.keys.create("Status", endpoints=("status",))
    status, body, _ = await site.ask("POST", UPLOAD, data=form(), headers={"Authorization": f"Bearer {secret}"})
    assert (status, body["error"]["code"]) == (403, "endpoint_not_allowed")


async def test_server_without_a_database_offers_no_images() -> None:
    async with served() as server:
        for method, path in (("POST", UPLOAD), ("GET", "/v1/images/c/m/f.png")):
            status, body, _ = await server.ask(method, path, data=form() if method == "POST" else None)
            assert (status, body["error"]["code"]) == (404, "not_offered")


async def test_large_uploads_take_turns_and_leave_the_memory_free(site: Served, key: dict[str, str]) -> None:
    large = encoded("PNG", size=(3_000, 2_000))
    answers = await asyncio.gather(
        *(site.ask("POST", UPLOAD, data=form(large, message_id=f"m{number}"), headers=key) for number in range(6))
    )
    assert [status for status, _, _ in answers] == [200] * 6
    assert site.gateway.body_memory.free == site.gateway.body_memory.large.free + site.gateway.body_memory.small.free
    assert site.gateway.body_memory.large.free == site.gateway.body_memory.maximum


class Page:
    """The page in a browser where an administrator is logged in."""

    def __init__(self, site: Served) -> None:
        self.site = site
        self.origin = f"http://127.0.0.1:{site.port}"
        self.cookies: dict[str, str] = {}

    async def log_in(self, secret: str) -> None:
        """Log in."""
        async with self.site.session.post(
            f"{self.origin}/admin/api/login", json={"key": secret}, headers={"Origin": self.origin}
        ) as response:
            self.cookies = {name: cookie.value for name, cookie in response.cookies.items()}

    async def upload(self, origin: str | None = None, conversation_id: str = "c1") -> tuple[int, Any]:
        """Upload an image."""
        async with self.site.session.post(
            f"{self.origin}/admin/api/chat/images",
            data=form(conversation_id=conversation_id),
            headers={"Origin": origin or self.origin},
            cookies=self.cookies,
        ) as response:
            return response.status, await response.json()


async def test_page_uploads_with_its_session_from_its_own_origin_only(site: Served, store: AccountingStore) -> None:
    key, secret = await store.keys.create("Owner", endpoints=("admin",))
    page = Page(site)
    status, body = await page.upload()
    assert (status, body["error"]["code"]) == (401, "no_session")
    await page.log_in(secret)
    status, body = await page.upload("http://evil.example")
    assert (status, body["error"]["code"]) == (403, "origin_not_allowed")
    status, body = await page.upload()
    assert status == 200, body
    assert (await site.ask("GET", body["url"]))[0] == 200
    status, refused = await page.upload(conversation_id="../up")
    assert status == 400, refused
    await store.keys.revoke(key.id)
    assert (await page.upload())[0] == 401


async def test_page_of_a_demo_whose_link_logged_in_uploads_too(store: AccountingStore) -> None:
    made: list[str] = []

    def administration(gateway: Gateway) -> Administration:
        page = Administration(gateway, store)
        made.append(page.sessions.make_link(lambda: None))
        return page

    async with served(access=Guard(store.keys), images=store.images, administration=administration) as server:
        page = Page(server)
        await page.log_in(made[0])
        status, body = await page.upload()
        assert status == 200, body
        assert (await server.ask("GET", body["url"]))[0] == 200
