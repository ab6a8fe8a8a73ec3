"""`Chats`: the conversations of all people who use the page."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
import logging
from secrets import token_hex
import time
from typing import Any, cast

from ...accounting.conversations.conversation import Message, Owner, Role
from ...accounting.conversations.conversation_store import ConversationStore
from ...accounting.storage.database import DatabaseError
from ...engine import Engine
from ...protocol.errors import ApiError, InvalidRequestError, NotFoundError, RateLimitError
from ...protocol.home_rule import HomeRule
from ...protocol.tasks import start_eagerly
from ...protocol.values import clean, encodable
from ...routing.accounting import Accounting
from ..images import HomeImages
from ..live import LiveFeed
from .answer import AnswerTooLongError, Event, LiveAnswer
from .answerer import Answerer, AnswerError, Turn, no_images
from .details import RequestWatch, details_of
from .history import history_of
from .messages import TEXT_LIMIT, Choice, ConversationData, Details, MessageData
from .providers import providers_of
from .runs import Follower, Person, Publish, Run, Starting

_LOGGER = logging.getLogger(__name__)

RUNS = 4
"""Answers that are written at the same time for one person."""
PAGE = 50
"""Conversations in a page of the list."""
MESSAGES = 300
"""The newest messages of a conversation that are shown."""
TITLE_LIMIT = 100
_REMEMBERED = 1000
"""People whose last choice is kept in memory; that of others is read from their newest conversation."""
_OPEN_SECONDS = 5.0
"""How long a closing home waits for answers to be stored."""


class Chats:
    """Sends messages, and publishes what happens to every page of the same person. Belongs to one event loop."""

    def __init__(
        self,
        engine: Engine,
        store: Callable[[], ConversationStore],
        answerer: Answerer,
        images: Callable[[], HomeImages | None] = no_images,
    ) -> None:
        """`store` raises an ApiError while nothing can be stored. `images` returns None while the home stores none."""
        self._engine = engine
        self._store = store
        self._answerer = answerer
        self._images = images
        self._watch = RequestWatch()
        self._runs: dict[str, Run] = {}
        self._starting: set[str] = set()
        self._followers: list[Follower] = []
        self._choices: OrderedDict[Owner, Choice] = OrderedDict()
        self._revisions: dict[Owner, int] = {}
        self._version = 0
        """Changes with every message that is added or changed."""
        self._detach: Callable[[], None] | None = None

    async def open(self) -> None:
        """Follow the records of the engine. `close` must be called."""
        self._detach = await self._engine.attach(Accounting(self._watch))

    async def close(self) -> None:
        """Stop all answers; what was written so far is stored."""
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        for run in self._runs.values():
            self._cancel(run)
        if tasks:
            await asyncio.wait(tasks, timeout=_OPEN_SECONDS)
        for follower in self._followers:
            if follower.feed is not None:
                follower.feed.close()
        self._followers.clear()
        if self._detach is not None:
            self._detach()
            self._detach = None

    async def conversations(self, owner: Owner, search: str = "", after: str | None = None) -> dict[str, Any]:
        """A page of the person's conversations, the last used first. `search`: in titles and messages."""
        found = await self._store().conversations(owner, search=search, after=after, limit=PAGE)
        listed: list[ConversationData] = [
            {
                "id": one.id,
                "title": one.title,
                "created": one.created,
                "last_used": one.last_used,
                "running": one.id in self._runs,
            }
            for one in found.items
        ]
        return {"conversations": listed, "next": found.next}

    async def create(self, person: Person) -> str:
        """Begin a conversation, to which images can then be uploaded; returns its id."""
        made = await self._store().create(
            person.owner,
            source=person.caller.source,
            username=person.caller.username,
            display_name=person.caller.name or None,
        )
        return made.id

    async def rename(self, owner: Owner, conversation_id: str, title: str) -> None:
        """Change the title. Raises NotFoundError or InvalidRequestError."""
        title = clean(title, TITLE_LIMIT)
        if not title:
            raise InvalidRequestError("The title must not be empty.", param="title")
        await self._store().rename(owner, conversation_id, title)
        self._changed(owner)

    async def delete(self, owner: Owner, conversation_id: str) -> None:
        """Delete a conversation with its images; a running answer ends. Raises NotFoundError."""
        run = self._runs.get(conversation_id)
        if run is not None and run.person.owner == owner:
            run.deleted = True
            self._cancel(run)
        await self._store().delete(owner, conversation_id)
        self._publish(owner, conversation_id, {"type": "deleted", "id": conversation_id})
        self._changed(owner)

    async def send(
        self,
        person: Person,
        conversation_id: str,
        text: str,
        choice: Choice,
        *,
        message_id: str | None = None,
    ) -> str:
        """Send a message, and begin to answer it. Returns the id of the message.

        Images that were uploaded for `message_id` before belong to it. Raises an ApiError if the message is not sent; what
        happens to its answer is published.
        """
        text = encodable(text)
        if not text.strip() and not await self._has_images(person.owner, conversation_id, message_id):
            raise InvalidRequestError("The message is empty.", param="text")
        if len(text) > TEXT_LIMIT:
            raise InvalidRequestError(f"The message has more than {TEXT_LIMIT} characters.", param="text")
        with self._begin(person, conversation_id):
            details = {"choice": choice.to_json()}
            sent = await self._store().append(
                person.owner, conversation_id, Role.USER, text, message_id=message_id, details=details
            )
            self._remember(person.owner, choice)
            self._add(person.owner, conversation_id, self._message(person.owner, sent))
            await self._answer(person, conversation_id, choice)
        return sent.id

    async def retry(self, person: Person, conversation_id: str, choice: Choice) -> None:
        """Answer the newest message of the person again; the former answer is kept, and marked. Raises an ApiError."""
        with self._begin(person, conversation_id):
            store = self._store()
            for message in reversed(await self._messages(person.owner, conversation_id)):
                if message.role is Role.USER:
                    break
                if message.role is Role.ASSISTANT and not message.details.get("replaced"):
                    marked = await store.update_message(
                        person.owner, conversation_id, message.id, details={**message.details, "replaced": True}
                    )
                    self._add(person.owner, conversation_id, self._message(person.owner, marked))
            else:
                raise InvalidRequestError("There is no message to answer.")
            self._remember(person.owner, choice)
            await self._answer(person, conversation_id, choice)

    def stop(self, owner: Owner, conversation_id: str) -> None:
        """Stop the running answer, of which the text so far is kept. Does nothing if none is running."""
        run = self._runs.get(conversation_id)
        if run is not None and run.person.owner == owner:
            self._cancel(run)

    async def follow(self, owner: Owner, conversation_id: str | None, send: Publish) -> Callable[[], None]:
        """Send events to a page until the returned function is called.

        `home` comes at once and after changes: what can be chosen. With a conversation, `conversation` has all of it, then
        `message` adds or replaces a message, `delta` adds text to one, and `tools`, `reached` and `text` change one. `deleted`
        comes for a conversation that does not exist, or does not exist any more.
        """
        follower = Follower(owner, conversation_id, send)
        choice = await self._choice(owner)
        self._followers.append(follower)
        try:
            if conversation_id is not None:
                send(await self._snapshot(owner, conversation_id))
        except NotFoundError as err:
            if err.code != "conversation_not_found":
                self._followers.remove(follower)
                raise
            send({"type": "deleted", "id": conversation_id})
        except BaseException:
            self._followers.remove(follower)
            raise
        follower.ready = True
        self._choices.setdefault(owner, choice)
        feed = follower.feed = LiveFeed(self._engine, lambda: self._home(owner), send)
        feed.start()

        def end() -> None:
            feed.close()
            if follower in self._followers:
                self._followers.remove(follower)

        return end

    def _home(self, owner: Owner) -> Event:
        return {
            "type": "home",
            "providers": providers_of(self._engine),
            "tools": self._answerer.offers_tools,
            "images": self._images() is not None,
            "choice": self._choices.get(owner, Choice()).to_json(),
            "running": [run.conversation_id for run in self._runs.values() if run.person.owner == owner],
            "revision": self._revisions.get(owner, 0),
        }

    async def _snapshot(self, owner: Owner, conversation_id: str) -> Event:
        """The whole conversation, with the answer that is being written."""
        store = self._store()
        while True:
            version = self._version
            conversation = await store.get(owner, conversation_id)
            found = await self._messages(owner, conversation_id)
            if version == self._version:
                break
        messages = [self._message(owner, message) for message in found]
        run = self._runs.get(conversation_id)
        if run is not None:
            run.answer.flush()
            known = {message["id"] for message in messages}
            live = [run.answer.message()] if run.notice is None else [run.notice, run.answer.message()]
            messages += [message for message in live if message["id"] not in known]
        return {
            "type": "conversation",
            "id": conversation_id,
            "title": conversation.title,
            "messages": messages,
            "running": None if run is None else run.answer.id,
        }

    async def _has_images(self, owner: Owner, conversation_id: str, message_id: str | None) -> bool:
        images = self._images()
        return images is not None and message_id is not None and await images.count(owner, conversation_id, message_id) > 0

    def _begin(self, person: Person, conversation_id: str) -> Starting:
        """Hold the conversation until its answer runs. Raises an ApiError if another one runs, or too many do."""
        if conversation_id in self._runs or conversation_id in self._starting:
            raise InvalidRequestError("An answer is being written. Wait for its end, or stop it.", code="answer_running")
        if sum(run.person.owner == person.owner for run in self._runs.values()) >= RUNS:
            message = f"{RUNS} answers are being written for you. Wait for the end of one."
            raise RateLimitError(message, code="too_many_answers", retry_after=5.0)
        return Starting(self._starting, conversation_id)

    async def _answer(self, person: Person, conversation_id: str, choice: Choice) -> None:
        """Begin to answer the newest message."""
        messages = await self._messages(person.owner, conversation_id)
        former = next((_provider(message) for message in reversed(messages) if message.details.get("backend_id")), None)
        publish = self._publisher(person.owner, conversation_id)
        answer = LiveAnswer(f"msg_{token_hex(12)}", time.time(), publish)
        run = self._runs[conversation_id] = Run(person, conversation_id, answer, former)

        def new_request_id() -> str:
            request_id = f"gen_{token_hex(16)}"
            self._watch.watch(request_id, run.records)
            return request_id

        answer.on_reached = lambda: self._note_switch(run)
        rules = (str(message.details.get("home_rule")) for message in messages)
        kept = next((HomeRule(rule) for rule in rules if rule in HomeRule), None)
        caller = person.caller if kept is None else replace(person.caller, home_rule=kept)
        turn = Turn(conversation_id, caller, choice, history_of(messages), new_request_id, person.language)
        self._add(person.owner, conversation_id, answer.message(), running=True)
        self._changed(person.owner)
        # Eager: a task that is cancelled before it begins would not store its answer.
        run.task = start_eagerly(self._run(run, turn), f"zeroconf_ai chat {conversation_id}")

    async def _run(self, run: Run, turn: Turn) -> None:
        """Write the answer to its end, and store it."""
        found: Details = {"outcome": "ok"}
        try:
            await self._answerer.answer(turn, run.answer)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None:
                task.uncancel()  # what was written so far is stored
            found = {"outcome": "stopped"}
        except AnswerTooLongError:
            found = {"outcome": "stopped", "error": "The answer became too long and was stopped."}
        except ApiError as err:
            found = {"outcome": "error", "error": err.message}
        except AnswerError as err:
            found = {"outcome": "error", "error": str(err)}
        except Exception:
            _LOGGER.exception("The answer in conversation %s failed", run.conversation_id)
            found = {"outcome": "error", "error": "The answer failed because of a fault in ZeroConf AI. The log has the details."}
        run.writing = False
        run.answer.flush()
        self._watch.forget(run.records)
        owner = run.person.owner
        message = run.answer.message()
        message["details"] |= details_of(run.records)
        message["details"] |= found
        try:
            await self._finish(run, message)
        except (ApiError, DatabaseError) as err:
            message["details"]["error"] = f"This answer could not be stored: {err}"
        finally:
            del self._runs[run.conversation_id]
            if not run.deleted:
                self._add(owner, run.conversation_id, message)
            self._changed(owner)

    async def _finish(self, run: Run, message: MessageData) -> None:
        """Store the answer, after the notice of another provider."""
        if run.deleted:
            return
        store, owner = self._store(), run.person.owner
        for one in (message,) if run.notice is None else (run.notice, message):
            await store.append(
                owner,
                run.conversation_id,
                Role(one["role"]),
                one["content"],
                message_id=one["id"],
                details=one["details"],
            )

    def _note_switch(self, run: Run) -> None:
        """Say in the conversation that another provider answers than before."""
        answer = run.answer
        if run.former is None or run.former[0] == answer.backend_id or run.notice is not None:
            return
        origin = run.former[1]
        run.notice = {
            "id": f"msg_{token_hex(12)}",
            "role": "notice",
            "content": f"{answer.backend} answers instead of {origin}.",
            "created": answer.created,
            "images": [],
            "details": {"origin": origin, "target": answer.backend},
        }
        self._publish(run.person.owner, run.conversation_id, {"type": "message", "message": run.notice, "before": answer.id})

    def _cancel(self, run: Run) -> None:
        if run.task is not None and run.writing:
            run.task.cancel()

    def _message(self, owner: Owner, message: Message) -> MessageData:
        images = self._images()
        return {
            "id": message.id,
            "role": message.role.value,
            "content": message.content,
            "created": message.created,
            "images": [] if images is None else [images.shown(owner, image) for image in message.images],
            "details": cast(Details, message.details),
        }

    async def _messages(self, owner: Owner, conversation_id: str) -> list[Message]:
        """The newest messages of a conversation, oldest first. Raises NotFoundError."""
        store, after = self._store(), None
        found: list[Message] = []
        while True:
            page = await store.messages(owner, conversation_id, after=after)
            found = [*found, *page.items][-MESSAGES:]
            if (after := page.next) is None:
                return found

    def _add(self, owner: Owner, conversation_id: str, message: MessageData, *, running: bool = False) -> None:
        """Publish a message that was added or changed."""
        self._version += 1
        self._publish(owner, conversation_id, {"type": "message", "message": message, "running": running})

    def _publisher(self, owner: Owner, conversation_id: str) -> Publish:
        return lambda event: self._publish(owner, conversation_id, event)

    def _publish(self, owner: Owner, conversation_id: str, event: Event) -> None:
        for follower in self._followers:
            if follower.ready and follower.conversation_id == conversation_id and follower.owner == owner:
                follower.send(event)

    def _changed(self, owner: Owner) -> None:
        """The list of a person's conversations has changed."""
        self._revisions[owner] = self._revisions.get(owner, 0) + 1
        for follower in self._followers:
            if follower.owner == owner and follower.feed is not None:
                follower.feed.changed()

    def _remember(self, owner: Owner, choice: Choice) -> None:
        self._choices[owner] = choice
        self._choices.move_to_end(owner)
        if len(self._choices) > _REMEMBERED:
            self._choices.popitem(last=False)

    async def _choice(self, owner: Owner) -> Choice:
        """The person's last choice, which every message of his keeps."""
        if (known := self._choices.get(owner)) is not None:
            return known
        store = self._store()
        for conversation in (await store.conversations(owner, limit=1)).items:
            for message in reversed(await self._messages(owner, conversation.id)):
                if message.role is Role.USER and isinstance(choice := message.details.get("choice"), dict):
                    return Choice.of(choice)
        return Choice()


def _provider(message: Message) -> tuple[str, str]:
    return message.details["backend_id"], message.details.get("backend") or ""
