"""Conversations of the page's chats: kept per owner, bounded, searched, and deleted with all that belongs to them."""

from contextlib import suppress
import math
import time
from typing import Any

import pytest

from zeroconf_ai.accounting.conversations import conversation as bounds, conversation_store, deletion, owned
from zeroconf_ai.accounting.conversations.conversation import Owner, Role, bounded_details, title_of
from zeroconf_ai.accounting.conversations.conversation_store import ConversationStore
from zeroconf_ai.accounting.conversations.stored_exchange import StoredExchange
from zeroconf_ai.accounting.storage import statements
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError

from ..conftest import FreshDatabase, content

ANNA = Owner(user_id="anna")
PHONE = Owner("phone", "anna")
"""An API key of the same user is another owner: the user may have given it to a program."""
OTHERS = (Owner(user_id="ben"), PHONE, Owner("anna"), Owner("phone"), Owner("phone", "ben"))
TABLES = ("conversations", "messages", "images", "bodies")


async def begin(store: AccountingStore, owner: Owner = ANNA, *, question: str = "How warm is it?") -> str:
    """A conversation with a question and an answer; returns its id."""
    made = await store.conversations.create(owner, source="page", username="Anna", display_name="Anna's phone")
    await store.conversations.append(owner, made.id, Role.USER, question, message_id="q")
    await store.conversations.append(owner, made.id, Role.ASSISTANT, "21 °C", message_id="a", details={"model": "qwen3:8b"})
    return made.id


async def test_conversation_messages_and_metadata_are_kept(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url)
    began = time.time()
    named = await begin(store)
    await store.conversations.append(ANNA, named, Role.NOTICE, "Cellar continues with llama3.")
    grown = {"model": "qwen3:8b", "tokens": 12, "cost": 0.5, "tools": [{"name": "HassTurnOn", "ok": True}], "none": None}
    await store.conversations.update_message(ANNA, named, "a", content="It is 21 °C 🌡", details=grown)
    await store.close()
    store = await AccountingStore.open(fresh_database.url)
    found = await store.conversations.get(ANNA, named)
    assert (found.title, found.source, found.username, found.display_name) == ("How warm is it?", "page", "Anna", "Anna's phone")
    assert began <= found.created <= found.last_used <= time.time()
    page = await store.conversations.messages(ANNA, named)
    assert [(said.role, said.content) for said in page.items] == [
        (Role.USER, "How warm is it?"),
        (Role.ASSISTANT, "It is 21 °C 🌡"),
        (Role.NOTICE, "Cellar continues with llama3."),
    ]
    assert page.items[1].details == grown
    assert page.next is None
    assert await store.conversations.message(ANNA, named, "a") == page.items[1]
    await store.close()


async def test_conversation_of_another_owner_does_not_exist(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    named = await begin(store)
    conversations = store.conversations
    for other in OTHERS:
        for call in (
            conversations.get(other, named),
            conversations.messages(other, named),
            conversations.message(other, named, "q"),
            conversations.rename(other, named, "mine"),
            conversations.append(other, named, Role.USER, "mine"),
            conversations.update_message(other, named, "q", content="mine"),
            conversations.delete(other, named),
        ):
            with pytest.raises(NotFoundError, match="no such conversation"):
                await call
        assert (await conversations.conversations(other)).items == []
        assert (await conversations.conversations(other, search="warm")).items == []
        with pytest.raises(InvalidRequestError, match="in use"):
            await conversations.create(other, conversation_id=named, source="page")
    assert "mine" not in content(fresh_database, *TABLES)
    assert len((await conversations.messages(ANNA, named)).items) == 2


def test_owner_without_key_and_user_is_refused() -> None:
    with pytest.raises(ValueError, match="An owner is"):
        Owner()


@pytest.mark.parametrize("wrong", ["", "..", "a/b", "a\\b", "a.b", "x" * 65, "ü", "a\0", "a b", "a\n", None, 5])
async def test_conversation_ids_that_are_no_names_of_folders_are_refused(store: AccountingStore, wrong: Any) -> None:
    named = await begin(store)
    with pytest.raises(InvalidRequestError):
        bounds.checked_id(wrong, "conversation_id")
    if wrong is not None:
        with pytest.raises(InvalidRequestError, match="conversation_id"):
            await store.conversations.create(ANNA, conversation_id=wrong, source="page")
        with pytest.raises(InvalidRequestError, match="message_id"):
            await store.conversations.append(ANNA, named, Role.USER, "hi", message_id=wrong)


async def test_conversation_and_message_ids_are_used_once(store: AccountingStore) -> None:
    named = await begin(store)
    with pytest.raises(InvalidRequestError, match="'message_id' is in use"):
        await store.conversations.append(ANNA, named, Role.USER, "again", message_id="q")
    with pytest.raises(InvalidRequestError, match="'conversation_id' is in use"):
        await store.conversations.create(ANNA, conversation_id=named, source="page")
    with pytest.raises(NotFoundError, match="no such message"):
        await store.conversations.update_message(ANNA, named, "never", content="x")
    assert [said.id for said in (await store.conversations.messages(ANNA, named)).items] == ["q", "a"]


async def test_conversations_are_listed_by_last_use_in_pages(store: AccountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1_000.0
    conversations = ConversationStore(store._database, store.images, clock=lambda: moment)
    for number in range(7):
        moment = 1_000.0 + number // 2  # two at a time have the same
        await conversations.create(ANNA, conversation_id=f"c{number}", source="page", title=f"Number {number}")
    moment = 2_000.0
    await conversations.append(ANNA, "c0", Role.USER, "again")
    seen, after = [], None
    while True:
        page = await conversations.conversations(ANNA, after=after, limit=2)
        assert len(page.items) <= 2
        seen += [one.id for one in page.items]
        if (after := page.next) is None:
            break
    assert seen == ["c0", "c6", "c5", "c4", "c3", "c2", "c1"]
    monkeypatch.setattr(conversation_store, "PAGE_LIMIT", 3)
    assert len((await conversations.conversations(ANNA, limit=10**9)).items) == 3
    for wrong in ("", "c0", "x,c0", ",", "\0"):
        with pytest.raises(InvalidRequestError, match="next"):
            await conversations.conversations(ANNA, after=wrong)


async def test_messages_are_listed_in_pages(store: AccountingStore) -> None:
    made = await store.conversations.create(ANNA, source="page")
    for number in range(5):
        await store.conversations.append(ANNA, made.id, Role.USER, str(number), message_id=f"m{number}")
    first = await store.conversations.messages(ANNA, made.id, limit=3)
    rest = await store.conversations.messages(ANNA, made.id, after=first.next, limit=3)
    assert [said.content for said in (*first.items, *rest.items)] == list("01234")
    assert (first.next, rest.next) == ("m2", None)
    with pytest.raises(NotFoundError):
        await store.conversations.messages(ANNA, made.id, after="never")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("übersicht", {"title"}),
        ("ÜBERSICHT", {"title"}),
        ("straße", {"said"}),
        ("100%", {"percent"}),
        ("1_0", set()),
        ("'; --", set()),
        ("  ", {"title", "said", "percent"}),
        ("\0", {"title", "said", "percent"}),
        pytest.param("x" * 10_000, set(), id="long"),
    ],
)
async def test_conversations_are_found_by_title_and_words(store: AccountingStore, search: str, found: set[str]) -> None:
    await store.conversations.create(ANNA, conversation_id="title", title="Übersicht", source="page")
    for named, words in (("said", "Die STRAßE"), ("percent", "100% sure")):
        await store.conversations.create(ANNA, conversation_id=named, title="-", source="page")
        await store.conversations.append(ANNA, named, Role.USER, words)
    assert {one.id for one in (await store.conversations.conversations(ANNA, search=search)).items} == found


async def test_search_over_many_conversations_finds_them_in_pages(
    store: AccountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_store, "_SEARCH_WINDOW", 3)
    for number in range(14):
        title = "needle" if number % 4 == 0 else "hay"
        await store.conversations.create(ANNA, conversation_id=f"c{number:02}", title=title, source="page")
    seen, after = [], None
    for _ in range(9):
        page = await store.conversations.conversations(ANNA, search="Needle", after=after, limit=2)
        seen.append([one.id for one in page.items])
        if (after := page.next) is None:
            break
    assert seen == [["c12", "c08"], ["c04", "c00"]]


async def test_conversation_rename_replaces_the_title(store: AccountingStore) -> None:
    named = await begin(store)
    assert (await store.conversations.rename(ANNA, named, "  <b>Heat</b>\0 " + "x" * 500)).title.startswith("<b>Heat</b> x")
    await store.conversations.append(ANNA, named, Role.USER, "Another question")
    found = await store.conversations.get(ANNA, named)
    assert found.title.startswith("<b>Heat</b>")
    assert len(found.title) <= bounds.TITLE_LIMIT


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("\n\n  Turn  on\tthe light\nplease", "Turn on the light"),
        ("word " * 50, "word " * 15 + "word…"),
        ("x" * 200, "x" * 80 + "…"),
        ("\n", ""),
        ("\ud800", "?"),
    ],
)
def test_title_is_the_first_line_of_the_question(text: str, title: str) -> None:
    assert title_of(text) == title


async def test_conversation_limits_of_number_and_size_are_enforced(
    store: AccountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_store, "MAX_MESSAGES", 3)
    monkeypatch.setattr(owned, "MAX_CONVERSATIONS", 2)
    monkeypatch.setattr(conversation_store, "MAX_CHARACTERS", 100)
    monkeypatch.setattr(conversation_store, "CONTENT_LIMIT", 60)
    named = await begin(store)
    second = await begin(store)
    with pytest.raises(InvalidRequestError, match="Delete some") as refused:
        await begin(store)
    assert refused.value.code == "too_many_conversations"
    await begin(store, PHONE)  # the limit is per owner
    await store.conversations.append(ANNA, named, Role.USER, "fits")
    for conversation, text in ((named, "one too many"), (second, "x" * 90)):
        with suppress(InvalidRequestError):
            await store.conversations.append(ANNA, second, Role.USER, "x" * 50)
        with pytest.raises(InvalidRequestError, match="Begin a new one") as refused:
            await store.conversations.append(ANNA, conversation, Role.USER, text)
        assert refused.value.code == "conversation_full"
    assert (await store.conversations.update_message(ANNA, named, "a", content="y" * 500)).content == "y" * 60
    await store.conversations.delete(ANNA, second)
    await begin(store)


async def test_details_from_a_provider_are_bounded(store: AccountingStore) -> None:
    deep: Any = "bottom"
    for _ in range(100):
        deep = {"deeper": [deep]}
    named = await begin(store)
    wild = {
        "thinking": "t" * 10**6,
        "tools": [{"result": "r" * 10**6}] * 5,
        "deep": deep,
        "huge": 10**400,
        "large": 2**70,
        "nan": math.nan,
        "nul": "a\0b\ud800",
        "list": list(range(10**5)),
        "object": object,
        7: "number",
    }
    kept = (await store.conversations.update_message(ANNA, named, "a", details=wild)).details  # type: ignore[arg-type]
    assert len(kept["thinking"]) == 64 * 1024
    assert "tools" not in kept, "the largest value is left out"
    assert (kept["huge"], kept["nan"], kept["nul"], kept["7"]) == (None, None, "ab?", "number")
    assert (kept["large"], len(kept["list"])) == (float(2**70), 200)
    assert bounded_details(kept) == kept
    assert (await store.conversations.message(ANNA, named, "a")).details == kept


async def test_conversation_delete_removes_all_that_belongs_to_it(store: AccountingStore, fresh_database: FreshDatabase) -> None:
    named, other = await begin(store, question="canary"), await begin(store)
    add_image(fresh_database, named, "q")
    add_image(fresh_database, other, "q")
    await store.conversations.delete(ANNA, named)
    assert named not in content(fresh_database, *TABLES)
    assert "canary" not in content(fresh_database, *TABLES)
    assert [one.id for one in (await store.conversations.conversations(ANNA)).items] == [other]
    [shown] = (await store.conversations.messages(ANNA, other, limit=1)).items
    assert [(image.path, image.width) for image in shown.images] == [(f"{other}/q/1.png", 3)]
    with pytest.raises(NotFoundError):
        await store.conversations.delete(ANNA, named)


@pytest.mark.parametrize("whose", [{"user_id": "anna"}, {"key_id": "phone"}])
async def test_forget_deletes_the_conversations_of_a_key_or_user(
    store: AccountingStore, fresh_database: FreshDatabase, whose: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "DELETE_ROWS", 3)
    monkeypatch.setattr("zeroconf_ai.accounting.store.DELETE_ROWS", 3)
    kept = await begin(store, Owner(user_id="ben"))
    owners = [PHONE] * 4 + ([ANNA] * 4 if "user_id" in whose else [])
    for owner in owners:
        add_image(fresh_database, await begin(store, owner, question="canary"), "q")
    await store.forget(**whose)
    assert "canary" not in content(fresh_database, *TABLES)
    assert (fresh_database.count("conversations"), fresh_database.count("messages"), fresh_database.count("images")) == (1, 2, 0)
    assert (await store.conversations.get(Owner(user_id="ben"), kept)).id == kept


async def test_retention_of_chats_is_separate_from_that_of_records(fresh_database: FreshDatabase) -> None:
    for keeps, left in ((None, 2), (1_000.0, 1), (10**9, 2)):
        store = await AccountingStore.open(fresh_database.url, keep=10.0, keep_chats=keeps)
        old, new = await begin(store), await begin(store)
        fresh_database.run(f"UPDATE conversations SET last_used = last_used - 5000 WHERE id = '{old}'")  # noqa: S608
        await store.tidy()
        assert fresh_database.count("conversations") == left
        assert fresh_database.count("messages") == 2 * left
        assert (await store.conversations.get(ANNA, new)).id == new
        for one in (await store.conversations.conversations(ANNA)).items:
            await store.conversations.delete(ANNA, one.id)
        await store.close()


async def test_images_without_their_message_are_deleted_after_an_hour(
    store: AccountingStore, fresh_database: FreshDatabase
) -> None:
    named = await begin(store)
    for message in ("q", "later", "never"):
        add_image(fresh_database, named, message)
    fresh_database.run(
        f"UPDATE images SET created = created - {deletion.ORPHAN_SECONDS + 1} WHERE message_id IN ('q', 'never')"  # noqa: S608
    )
    await store.tidy()
    assert fresh_database.run("SELECT message_id FROM images ORDER BY message_id") == [("later",), ("q",)]


async def test_chats_that_were_never_begun_are_deleted_after_an_hour(
    store: AccountingStore, fresh_database: FreshDatabase
) -> None:
    for named in ("empty", "new", "shown", "said"):
        await store.conversations.create(ANNA, conversation_id=named, source="page")
    add_image(fresh_database, "shown", "later")
    await store.conversations.append(ANNA, "said", Role.USER, "Hello")
    past = f"last_used = last_used - {deletion.ORPHAN_SECONDS + 1}"
    fresh_database.run(f"UPDATE conversations SET {past} WHERE id != 'new'")  # noqa: S608
    await store.tidy()
    assert fresh_database.run("SELECT id FROM conversations ORDER BY id") == [("new",), ("said",), ("shown",)]


async def test_chats_stay_when_stored_prompts_are_disabled(fresh_database: FreshDatabase) -> None:
    store = await AccountingStore.open(fresh_database.url, keep_bodies=True)
    named = await begin(store)
    for conversation in ("session", named):
        store.exchanges.put(StoredExchange("gen_1", time.time() + 60, "http", "canary", "answer", conversation, user_id="anna"))
    await store.flush()
    found = await store.conversations.get(ANNA, named)
    assert (found.title, found.created < found.last_used) == ("How warm is it?", True), "an exchange leaves the chat as it is"
    assert [one.id for one in (await store.conversations.conversations(ANNA)).items] == [named]
    await store.close()
    store = await AccountingStore.open(fresh_database.url, keep_bodies=False)
    assert "canary" not in content(fresh_database, *TABLES)
    assert fresh_database.run("SELECT id FROM conversations") == [(named,)]
    assert len((await store.conversations.messages(ANNA, named)).items) == 2
    await store.close()


def add_image(fresh_database: FreshDatabase, conversation_id: str, message_id: str) -> None:
    """Add the row of an image."""
    values = f"'{conversation_id}', '{message_id}', '1.png', {time.time()}, 5, 'image/png', 3, 4"
    columns = "conversation_id, message_id, filename, created, size, mime_type, width, height"
    fresh_database.run(f"INSERT INTO images ({columns}) VALUES ({values})")  # noqa: S608
