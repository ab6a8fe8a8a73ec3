"""The files of images: in their conversation's folder only, bounded in number, shown through signed URLs, and deleted with it."""

import asyncio
from pathlib import Path
import threading
import time
from typing import Any
from urllib.parse import parse_qsl

import pytest

from zeroconf_ai.accounting.conversations import image_folders, image_store
from zeroconf_ai.accounting.conversations.conversation import Image, Owner, Role
from zeroconf_ai.accounting.conversations.deletion import ORPHAN_SECONDS
from zeroconf_ai.accounting.conversations.image_store import URL_SECONDS, ImageStore, Origin
from zeroconf_ai.accounting.storage.database import Database
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError

from ....support.pictures import encoded, opened
from ..conftest import FreshDatabase, run

ANNA, BEN = Owner(user_id="anna"), Owner(user_id="ben")
PAGE = Origin("page", "Anna", "Anna's phone")
PNG = encoded()


@pytest.fixture
def folder(file: Path) -> Path:
    """Where the images are."""
    return file.parent / "images"


@pytest.fixture
async def kept(file: Path) -> Any:
    """A store with a file."""
    store = await AccountingStore.open(file)
    yield store
    await store.close()


def files(folder: Path) -> list[str]:
    """The paths of all images."""
    return sorted(found.relative_to(folder).as_posix() for found in folder.glob("*/*/*"))


async def open_by(store: ImageStore, image: Image, query: str, **changed: str) -> tuple[Image, bytes]:
    """What the signed URL of an image shows."""
    given = {**dict(parse_qsl(query)), **changed}
    path = (image.conversation_id, image.message_id, image.filename)
    return await store.open(path, given["expires"], given["owner"], given["signature"])


async def test_image_is_a_file_of_its_message(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    folder = tmp_path / "zeroconf_ai" / "images"
    store = await AccountingStore.open(fresh_database.url, image_folder=folder)
    image = await store.images.add(ANNA, "c1", "m1", PNG, PAGE)
    assert files(folder) == [image.path] == [f"c1/m1/{image.filename}"]
    assert (image.mime_type, image.width, image.height, store.images.label) == ("image/png", 40, 20, "zeroconf_ai/images")
    stored = folder / image.path
    assert image.size == stored.stat().st_size
    assert [found.stat().st_mode & 0o777 for found in (stored, stored.parent, folder)] == [0o600, 0o700, 0o700]
    conversation = await store.conversations.get(ANNA, "c1")
    assert (conversation.source, conversation.username, conversation.display_name) == ("page", "Anna", "Anna's phone")
    said = await store.conversations.append(ANNA, "c1", Role.USER, "What is this?", message_id="m1")
    assert said.images == [image]
    assert (await store.conversations.messages(ANNA, "c1")).items[0].images == (image,)
    assert (await store.images.data_url(image)).startswith("data:image/png;base64,")
    shown, data = await open_by(store.images, image, store.images.query_of(ANNA, image))
    assert (shown, data) == (image, stored.read_bytes())
    await store.close()


async def test_image_of_another_owner_is_refused_without_a_trace(kept: AccountingStore, folder: Path) -> None:
    image = await kept.images.add(ANNA, "c1", "m1", PNG, PAGE)
    for other in (BEN, Owner("phone", "anna")):
        with pytest.raises(NotFoundError, match="no such conversation"):
            await kept.images.add(other, "c1", "m1", PNG, PAGE)
        with pytest.raises(NotFoundError, match="no such image"):  # signed, but not the owner's
            await open_by(kept.images, image, kept.images.query_of(other, image))
    assert files(folder) == [image.path]


@pytest.mark.parametrize("wrong", ["", "..", "../up", "a/b", "%2e%2e", "a\\b", ".", "x" * 65, "ü", "a\0b", "C:", "c1\n"])
async def test_ids_that_lead_elsewhere_are_refused(kept: AccountingStore, folder: Path, wrong: str) -> None:
    for ids in ((wrong, "m1"), ("c1", wrong)):
        with pytest.raises(InvalidRequestError, match="must be 1 to 64 letters"):
            await kept.images.add(ANNA, *ids, PNG, PAGE)
    assert files(folder) == []
    with pytest.raises(InvalidRequestError):
        await kept.images.remove(wrong)
    image = Image("c1", "m1", f"{wrong}/../../gateway.db", 0, 1, "image/png", 1, 1)
    for call in (kept.images.data_url(image), open_by(kept.images, image, kept.images.query_of(ANNA, image))):
        with pytest.raises(NotFoundError, match="no such image"):
            await call


async def test_sixth_image_of_a_message_is_refused_also_in_parallel(kept: AccountingStore, folder: Path) -> None:
    answers = await asyncio.gather(*(kept.images.add(ANNA, "c1", "m1", PNG, PAGE) for _ in range(9)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, InvalidRequestError)]
    assert [error.code for error in refused] == ["too_many_images"] * 4
    assert len(files(folder)) == 5
    await kept.images.add(ANNA, "c1", "m2", PNG, PAGE)


async def test_images_of_one_owner_are_bounded_together(kept: AccountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    image = await kept.images.add(ANNA, "c1", "m1", PNG, PAGE)
    monkeypatch.setattr(image_store, "MAX_OWNER_BYTES", image.size * 2)
    await kept.images.add(ANNA, "c2", "m1", PNG, PAGE)
    with pytest.raises(InvalidRequestError, match="Delete some"):
        await kept.images.add(ANNA, "c3", "m1", PNG, PAGE)
    await kept.images.add(BEN, "c3", "m1", PNG, PAGE)


async def test_signed_url_is_for_one_image_and_some_minutes(kept: AccountingStore) -> None:
    now = time.time()
    moment = now
    store = ImageStore(kept._database, kept.images._folder, clock=lambda: moment)
    first, second = [await store.add(ANNA, "c1", "m1", PNG, PAGE) for _ in range(2)]
    query = store.query_of(ANNA, first)
    assert "anna" not in query
    for changed in (
        {"expires": str(int(now) + 10**6)},
        {"expires": "x"},
        {"expires": "9" * 400},
        {"expires": "٣"},
        {"owner": "other"},
        {"signature": ""},
        {"signature": "ä"},
        {"signature": "\ud800"},
    ):
        with pytest.raises(PermissionDeniedError, match="invalid"):
            await open_by(store, first, query, **changed)
    with pytest.raises(PermissionDeniedError, match="invalid"):
        await open_by(store, second, query)
    with pytest.raises(PermissionDeniedError, match="invalid"):  # another process, or after a restart
        await open_by(kept.images, first, query)
    await open_by(store, first, query)
    moment += URL_SECONDS + 2
    with pytest.raises(PermissionDeniedError, match="expired"):
        await open_by(store, first, query)


@pytest.mark.parametrize("how", ["delete", "forget", "retention"])
async def test_image_is_deleted_with_its_conversation(file: Path, folder: Path, how: str) -> None:
    store = await AccountingStore.open(file, keep_chats=1_000.0)
    gone = await store.images.add(ANNA, "c1", "m1", PNG, PAGE)
    query = store.images.query_of(ANNA, gone)
    other = await store.images.add(BEN, "c2", "m1", PNG, PAGE)
    await store.conversations.append(BEN, "c2", Role.USER, "What is this?", message_id="m1")
    if how == "delete":
        await store.conversations.delete(ANNA, "c1")
    elif how == "forget":
        await store.forget(user_id="anna")
    else:
        run(file, "UPDATE conversations SET last_used = 5 WHERE id = 'c1'")
        await store.tidy()
    assert files(folder) == [other.path]
    assert not (folder / "c1").exists()
    for call in (open_by(store.images, gone, query), store.images.data_url(gone)):
        with pytest.raises(NotFoundError, match="no such image"):
            await call
    await store.close()


async def test_image_whose_message_never_came_is_deleted_after_a_while(kept: AccountingStore, file: Path, folder: Path) -> None:
    sent, waiting, never = [await kept.images.add(ANNA, "c1", name, PNG, PAGE) for name in ("sent", "waiting", "never")]
    await kept.conversations.append(ANNA, "c1", Role.USER, "Look", message_id="sent")
    run(file, f"UPDATE images SET created = created - {ORPHAN_SECONDS + 1} WHERE message_id != 'waiting'")  # noqa: S608
    await kept.tidy()
    assert files(folder) == sorted([sent.path, waiting.path])
    assert never.path not in files(folder)


async def test_files_of_other_databases_and_programs_stay(file: Path, folder: Path) -> None:
    store = await AccountingStore.open(file)
    own = await store.images.add(ANNA, "c1", "m1", PNG, PAGE)
    await store.close()
    other = await AccountingStore.open(file.with_name("other.db"))
    theirs = await other.images.add(ANNA, "c2", "m1", PNG, PAGE)
    (folder / "notes" / "2026").mkdir(parents=True)
    (folder / "notes" / "2026" / "list.txt").write_text("milk")
    (folder / "loose.txt").write_text("eggs")
    (folder / "c1" / "m1" / "left-over.png").write_bytes(PNG)
    await other.tidy()
    assert len(files(folder)) == 4
    await other.close()
    store = await AccountingStore.open(file)
    await store.tidy()
    assert files(folder) == sorted([own.path, theirs.path, "notes/2026/list.txt"]), "only what is not in its own database is gone"
    assert (folder / "loose.txt").read_text() == "eggs"
    await store.close()


async def test_image_that_cannot_be_written_is_not_in_the_database(kept: AccountingStore, file: Path, folder: Path) -> None:
    await asyncio.to_thread(folder.write_text, "in the way")
    with pytest.raises(UnavailableError, match="cannot be stored"):
        await kept.images.add(ANNA, "c1", "m1", PNG, PAGE)
    assert run(file, "SELECT count(*) FROM images") == [(0,)]


async def test_image_whose_file_is_missing_or_damaged_is_reported(kept: AccountingStore, folder: Path) -> None:
    image = await kept.images.add(ANNA, "c1", "m1", PNG, PAGE)
    (folder / image.path).write_bytes(b"no image")
    with pytest.raises(InvalidRequestError, match="damaged"):
        await kept.images.data_url(image)
    (folder / image.path).unlink()
    with pytest.raises(NotFoundError, match="no such image"):
        await kept.images.data_url(image)


async def test_without_a_folder_no_images_are_stored(file: Path) -> None:
    database = await Database.open(file)
    store = ImageStore(database, None)
    assert not store.offered
    with pytest.raises(NotFoundError, match="stores no images"):
        await store.add(ANNA, "c1", "m1", PNG, PAGE)
    await store.sweep()
    await store.remove("c1")
    await database.close()


async def test_stored_image_opens_as_a_picture(kept: AccountingStore, folder: Path) -> None:
    image = await kept.images.add(ANNA, "c1", "m1", encoded("WEBP", "RGBA"), PAGE)
    assert opened(kept.images.file(image).read_bytes()).size == (image.width, image.height)


async def test_images_of_a_database_server_are_in_the_folder_for_it(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    store = await AccountingStore.open(fresh_database.url, server_image_folder=tmp_path / "state" / "images")
    image = await store.images.add(ANNA, "c1", "m1", PNG, PAGE)
    expected = tmp_path / ("images" if fresh_database.url.startswith("sqlite") else "state/images")
    assert files(expected) == [image.path]
    await store.close()


async def test_upload_that_is_cancelled_leaves_a_whole_image_or_none(
    kept: AccountingStore, file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, release = threading.Event(), threading.Event()
    write = image_folders.write

    def slow(*arguments: Any) -> None:
        writing.set()
        assert release.wait(30)
        write(*arguments)

    monkeypatch.setattr(image_folders, "write", slow)
    upload = asyncio.create_task(kept.images.add(ANNA, "c1", "m1", PNG, PAGE))
    assert await asyncio.to_thread(writing.wait, 30)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    release.set()
    async with asyncio.timeout(30):
        while not files(folder):
            await asyncio.sleep(0.01)
    [(row,)] = run(file, "SELECT conversation_id || '/' || message_id || '/' || filename FROM images")
    assert files(folder) == [row]
