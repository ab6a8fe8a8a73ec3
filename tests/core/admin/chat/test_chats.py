"""Conversations: sent, answered, stored, followed by every page of the person, stopped, repeated and deleted."""

import asyncio
from typing import Any

import pytest

from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import ROLE, STOP, USAGE, StubBackend
from tests.support.pictures import encoded
from tests.support.waiting import until
from zeroconf_ai.accounting.conversations.image_store import Origin
from zeroconf_ai.accounting.storage.database import DatabaseError
from zeroconf_ai.admin.chat import answer as answer_module, chats as chats_module, history
from zeroconf_ai.admin.chat.chats import RUNS
from zeroconf_ai.admin.chat.messages import TEXT_LIMIT, Choice
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, RateLimitError, UpstreamConnectionError
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.routing.policy import Terms

from .conftest import ANNA, AUTO, BEN, ChatHome, says

MILLION = 1_000_000


async def test_chat_answer_is_stored_with_who_gave_it_how_fast_and_at_what_cost(home: ChatHome) -> None:
    terms = Terms(prices={"*": Prices(2 * MILLION, 8 * MILLION)})
    await home.add("cloud", says("Hello ", "Anna"), cost=Cost.METERED, terms=terms)
    conversation = await home.ask("Good morning")
    found = (await home.answered(conversation)).messages.values()
    asked, answered = found
    assert (asked["role"], asked["content"]) == ("user", "Good morning")
    assert (answered["role"], answered["content"]) == ("assistant", "Hello Anna")
    details = answered["details"]
    assert (details["backend"], details["model"], details["outcome"]) == ("Cloud", "m", "ok")
    assert (details["tokens_prompt"], details["tokens_completion"], details["estimated"]) == (3, 2, False)
    assert details["cost"] == {"USD": pytest.approx((3 * 2 + 2 * 8) * MILLION / 10**6 / 10**9)}
    assert details["first_token_ms"] > 0
    assert details["attempts"] == []
    listed = await home.chats.conversations(ANNA.owner)
    assert [(one["title"], one["running"]) for one in listed["conversations"]] == [("Good morning", False)]


async def test_chat_sends_the_conversation_without_failures_notices_and_repeated_answers(home: ChatHome) -> None:
    one = await home.add("one", says("First"), says("Second"), UpstreamConnectionError("refused"))
    conversation = await home.ask("A")
    await home.answered(conversation)
    await home.chats.retry(ANNA, conversation, Choice())
    await home.answered(conversation)
    await home.ask("B", conversation=conversation)
    await home.answered(conversation)
    one.outcomes = [says("Third")]
    await home.ask("C", conversation=conversation)
    shown = await home.answered(conversation)
    sent = [(message["role"], message["content"]) for message in one.sent[-1].body["messages"]]
    assert sent == [("user", "A"), ("assistant", "Second"), ("user", "B\n\nC")]
    assert [
        message["details"].get("replaced", False) for message in shown.messages.values() if message["role"] == "assistant"
    ] == [
        True,
        False,
        False,
        False,
    ]


async def test_chat_failed_attempts_are_shown_with_reasons(home: ChatHome) -> None:
    await home.add("attic", UpstreamConnectionError("Attic refuses the connection."), priority=1)
    await home.add("cellar", says("Hello"), priority=2)
    details = (await home.answered(await home.ask())).last["details"]
    assert details["backend"] == "Cellar"
    assert [(one["backend"], one["model"]) for one in details["attempts"]] == [("Attic", "m")]
    assert "refuses" in details["attempts"][0]["reason"]


async def test_chat_error_is_one_sentence_and_keeps_the_question(home: ChatHome) -> None:
    conversation = await home.ask("Is anybody there?")
    shown = await home.answered(conversation)
    assert [message["role"] for message in shown.messages.values()] == ["user", "assistant"]
    assert shown.last["content"] == ""
    assert shown.last["details"]["outcome"] == "error"
    assert shown.last["details"]["error"].endswith(".")


async def test_chat_switch_of_the_provider_is_said_in_the_conversation(home: ChatHome) -> None:
    attic = await home.add("attic", says("Hello"), priority=1)
    await home.add("cellar", says("Hello again"), priority=2)
    conversation = await home.ask("One")
    await home.answered(conversation)
    page = await home.follow(conversation)
    await home.ask("Two", conversation=conversation, choice=Choice("cellar"))
    shown = await home.answered(conversation)
    expected = ["user", "assistant", "user", "notice", "assistant"]
    assert [message["role"] for message in shown.messages.values()] == expected
    notice = next(message for message in shown.messages.values() if message["role"] == "notice")
    assert (notice["details"]["origin"], notice["details"]["target"]) == ("Attic", "Cellar")
    (live,) = (event for event in page.of("message") if event["message"]["role"] == "notice")
    assert live["before"] == shown.last["id"]
    await home.ask("Three", conversation=conversation, choice=Choice("cellar"))
    again = await home.answered(conversation)
    assert [message["role"] for message in again.messages.values()] == [*expected, "user", "assistant"]
    assert len(attic.sent) == 1


async def test_chat_stopped_answer_keeps_what_was_written_and_ends_the_request(home: ChatHome) -> None:
    backend = await home.add("one", [ROLE, delta("Once upon "), asyncio.Event()])
    conversation = await home.ask()
    page = await home.follow(conversation)
    await until(lambda: page.last["content"])
    home.chats.stop(BEN.owner, conversation)
    assert backend.open == 1
    home.chats.stop(ANNA.owner, conversation)
    shown = await home.answered(conversation)
    assert (shown.last["content"], shown.last["details"]["outcome"]) == ("Once upon ", "stopped")
    assert shown.last["details"]["backend"] == "One"
    assert backend.open == 0


async def test_chat_every_page_of_the_person_sees_the_answer_and_leaving_does_not_end_it(home: ChatHome) -> None:
    more = asyncio.Event()
    await home.add("one", [ROLE, delta("Hello"), more, delta(" there"), STOP, USAGE])
    conversation = await home.ask()
    first = await home.follow(conversation)
    await until(lambda: first.last["content"] == "Hello")
    second = await home.follow(conversation)
    (begun,) = second.of("conversation")
    assert begun["running"] == second.last["id"]
    assert second.last["content"] == "Hello"
    for page in (first, second):
        assert page.end is not None
        page.end()
    seen = len(first.events)
    more.set()
    shown = await home.answered(conversation)
    assert shown.last["content"] == "Hello there"
    assert len(first.events) == seen


async def test_chat_text_is_published_a_few_times_a_second(home: ChatHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_module, "INTERVAL", 3600.0)
    words = [f"w{number} " for number in range(500)]
    await home.add("one", says(*words))
    conversation = await home.chats.create(ANNA)
    page = await home.follow(conversation)
    await home.ask(conversation=conversation)
    await home.answered(conversation)
    assert page.last["content"] == "".join(words)
    assert len(page.of("delta")) == 1  # with the end of the answer


@pytest.mark.parametrize(
    "steps",
    [
        [ROLE, delta(reasoning_content="Let me think."), delta("Yes"), STOP, USAGE],
        says("<think>Let me ", "think.</think>Yes"),
        says("Let me ", "think.</think>Yes"),
    ],
    ids=["field", "tags", "closing tag only"],
)
async def test_chat_reasoning_is_kept_apart_from_the_answer(home: ChatHome, steps: list[object]) -> None:
    await home.add("one", steps)
    answered = (await home.answered(await home.ask())).last
    assert (answered["content"], answered["details"]["thinking"]) == ("Yes", "Let me think.")


async def test_chat_of_another_person_does_not_exist(home: ChatHome) -> None:
    await home.add("one", says("Hello"))
    conversation = await home.ask()
    await home.answered(conversation)
    calls: list[Any] = [
        lambda: home.ask(person=BEN, conversation=conversation),
        lambda: home.chats.retry(BEN, conversation, Choice()),
        lambda: home.chats.rename(BEN.owner, conversation, "Mine"),
        lambda: home.chats.delete(BEN.owner, conversation),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            await call()
    assert [event["type"] for event in (await home.follow(conversation, BEN)).events] == ["deleted", "home"]
    assert (await home.chats.conversations(BEN.owner))["conversations"] == []
    assert len((await home.answered(conversation)).messages) == 2


async def test_chat_second_message_waits_for_the_answer_and_answers_of_a_person_are_bounded(home: ChatHome) -> None:
    await home.add("one", [ROLE, delta("A"), asyncio.Event()])
    conversations = [await home.ask() for _ in range(RUNS)]
    with pytest.raises(InvalidRequestError, match="being written"):
        await home.ask(conversation=conversations[0])
    with pytest.raises(InvalidRequestError, match="being written"):
        await home.chats.retry(ANNA, conversations[0], Choice())
    with pytest.raises(RateLimitError):
        await home.ask()
    await home.ask(person=BEN)
    home.chats.stop(ANNA.owner, conversations[0])
    await home.answered(conversations[0])
    await home.ask()


@pytest.mark.parametrize("text", ["", " \n", "x" * (TEXT_LIMIT + 1)], ids=["empty", "blank", "too long"])
async def test_chat_message_that_cannot_be_sent_is_refused(home: ChatHome, text: str) -> None:
    backend = await home.add("one", says("Hello"))
    with pytest.raises(InvalidRequestError):
        await home.ask(text)
    assert backend.sent == []


async def test_chat_answer_that_never_ends_is_cut_off(home: ChatHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_module, "ANSWER_LIMIT", 20)
    backend = await home.add("one", [ROLE, *(delta("0123456789") for _ in range(5)), asyncio.Event()])
    shown = await home.answered(await home.ask())
    assert shown.last["content"] == "0123456789" * 3
    assert shown.last["details"]["outcome"] == "stopped"
    assert "too long" in shown.last["details"]["error"]
    assert backend.open == 0


async def test_chat_deleted_while_it_is_answered_leaves_nothing(home: ChatHome) -> None:
    backend = await home.add("one", [ROLE, delta("A"), asyncio.Event()])
    conversation = await home.ask()
    page = await home.follow(conversation)
    await until(lambda: page.last["content"])
    await home.chats.delete(ANNA.owner, conversation)
    assert page.of("deleted") == [{"type": "deleted", "id": conversation}]
    await until(lambda: not backend.open)
    assert (await home.chats.conversations(ANNA.owner))["conversations"] == []
    assert (await home.follow(conversation)).of("deleted") == [{"type": "deleted", "id": conversation}]


async def test_chat_list_is_searched_and_renamed_and_pages_are_told(home: ChatHome) -> None:
    await home.add("one", says("It is a heat pump."))
    conversations = [await home.ask(text) for text in ("What heats us?", "Shopping")]
    for conversation in conversations:
        await home.answered(conversation)
    page = await home.follow(None)
    before = page.of("home")[-1]["revision"]
    await home.chats.rename(ANNA.owner, conversations[1], " Groceries\x07 ")
    found = await home.chats.conversations(ANNA.owner, "GROCER")
    assert [one["title"] for one in found["conversations"]] == ["Groceries"]
    assert len((await home.chats.conversations(ANNA.owner, "heat pump"))["conversations"]) == 2
    await until(lambda: page.of("home")[-1]["revision"] > before)
    with pytest.raises(InvalidRequestError):
        await home.chats.rename(ANNA.owner, conversations[1], "\x07 ")


async def test_chat_last_choice_is_remembered_for_the_person_across_a_restart(home: ChatHome) -> None:
    await home.add("one", says("Hello"))
    chosen = Choice("one", "m", tools=False)
    await home.answered(await home.ask(choice=chosen))
    for chats in (home.chats, chats_module.Chats(home.engine, lambda: home.store.conversations, home.chats._answerer)):
        home.chats = chats
        assert (await home.follow(None)).of("home")[0]["choice"] == chosen.to_json()
        assert (await home.follow(None, BEN)).of("home")[0]["choice"] == Choice().to_json()


async def test_chat_home_lists_what_can_be_chosen(home: ChatHome) -> None:
    await home.add("far", says("Hello"), priority=20)
    await home.add("near", says("Hello"), priority=10)
    asleep = StubBackend("asleep", priority=5)
    asleep.well = UpstreamConnectionError("refused")
    member = home.engine.add(asleep)
    for _ in range(5):
        await home.engine.checker.check(member)
    off = home.engine.add(StubBackend("off"))
    off.enabled = False
    (event,) = (await home.follow(None)).of("home")
    assert [(one["name"], one["available"]) for one in event["providers"]] == [
        ("Asleep", False),
        ("Near", True),
        ("Far", True),
    ]
    assert [model["id"] for model in event["providers"][1]["models"]] == ["m"]


async def test_chat_closed_home_stores_what_was_written(home: ChatHome) -> None:
    await home.add("one", [ROLE, delta("Half "), asyncio.Event()])
    conversation = await home.ask()
    page = await home.follow(conversation)
    await until(lambda: page.last["content"])
    await home.chats.close()
    found = await home.store.conversations.messages(ANNA.owner, conversation)
    assert [message.content for message in found.items] == ["Hi", "Half "]


async def test_chat_answer_that_cannot_be_stored_is_still_shown(home: ChatHome, monkeypatch: pytest.MonkeyPatch) -> None:
    more = asyncio.Event()
    await home.add("one", [ROLE, delta("Hello"), more, STOP, USAGE])
    conversation = await home.ask()
    page = await home.follow(conversation)

    async def fail(*_: object, **__: object) -> None:
        raise DatabaseError("The disk is full.")

    monkeypatch.setattr(home.store.conversations, "append", fail)
    more.set()
    await until(lambda: "error" in page.last["details"])
    assert page.last["content"] == "Hello"
    assert "The disk is full." in page.last["details"]["error"]
    (ended,) = (event for event in page.of("message") if event["message"]["details"].get("outcome"))
    assert ended["running"] is False


async def test_chat_images_reach_the_model_and_are_shown_to_their_owner(home: ChatHome) -> None:
    backend = await home.add("one", says("A red half and a blue half."))
    conversation = await home.chats.create(ANNA)
    stored = await home.store.images.add(ANNA.owner, conversation, "m1", encoded("JPEG"), Origin("page", "Anna", "Anna"))
    await home.chats.send(ANNA, conversation, "What is this?", AUTO, message_id="m1")
    shown = await home.answered(conversation)
    (image,) = shown.messages["m1"]["images"]
    assert (image["width"], image["height"], image["mimeType"]) == (40, 20, "image/jpeg")
    assert image["url"].startswith(f"/v1/images/{conversation}/m1/{stored.filename}?")
    await home.ask("And now?", conversation=conversation)
    await home.answered(conversation)
    for request in backend.sent:
        (text, part) = request.body["messages"][0]["content"]
        assert text == {"type": "text", "text": "What is this?"}
        assert part["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert backend.sent[1].body["messages"][-1] == {"role": "user", "content": "And now?"}


async def test_chat_message_of_images_alone_is_sent(home: ChatHome) -> None:
    backend = await home.add("one", says("Red and blue."))
    conversation = await home.chats.create(ANNA)
    await home.store.images.add(ANNA.owner, conversation, "m1", encoded(), Origin("page", None, None))
    await home.chats.send(ANNA, conversation, "", AUTO, message_id="m1")
    await home.answered(conversation)
    assert [part["type"] for part in backend.sent[0].body["messages"][0]["content"]] == ["image_url"]
    with pytest.raises(InvalidRequestError, match="empty"):
        await home.chats.send(ANNA, conversation, " ", AUTO, message_id="m2")


async def test_chat_image_whose_file_is_gone_ends_the_answer_with_a_sentence(home: ChatHome) -> None:
    await home.add("one", says("Red and blue."))
    conversation = await home.chats.create(ANNA)
    stored = await home.store.images.add(ANNA.owner, conversation, "m1", encoded(), Origin("page", None, None))
    home.store.images.file(stored).unlink()
    await home.chats.send(ANNA, conversation, "What is this?", AUTO, message_id="m1")
    details = (await home.answered(conversation)).last["details"]
    assert (details["outcome"], details["error"]) == ("error", "There is no such image.")


async def test_chat_sends_the_newest_images_only(home: ChatHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "IMAGES", 2)
    backend = await home.add("one", says("Red and blue."))
    conversation = await home.chats.create(ANNA)
    for name in ("m1", "m2", "m3"):
        await home.store.images.add(ANNA.owner, conversation, name, encoded(), Origin("page", None, None))
        await home.chats.send(ANNA, conversation, name, AUTO, message_id=name)
        await home.answered(conversation)
    contents = [message["content"] for message in backend.sent[-1].body["messages"] if message["role"] == "user"]
    assert [isinstance(content, list) for content in contents] == [False, True, True]
