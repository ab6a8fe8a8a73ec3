"""A conversation with one provider, or with the best one on the network, whose answers are printed while they arrive."""

import asyncio
from dataclasses import dataclass, replace
import sys
from typing import TYPE_CHECKING, Any, Self

import click

from ..client.answers import Answer, Stream
from ..client.connections import Connections, Wanted
from ..engine import Caller, Source
from ..protocol.errors import InvalidRequestError
from ..protocol.model_names import find_name
from ..protocol.models import AUTO
from ..protocol.request import Kind, Request
from ..protocol.thinking import Piece
from ..protocol.values import clean, printable, terminal_text
from ..routing.execution.reply import Reply
from ..routing.pool.member import Member
from .connecting import connect
from .markdown_style import MarkdownStyle
from .output import colour_choice
from .transcript import Attachment, Turn

if TYPE_CHECKING:
    from .chat_session import ChatSession


@dataclass(frozen=True, slots=True)
class Answering:
    """The provider of the last answer."""

    id: str
    name: str


class Talk:
    """A conversation. Its coroutines run on one event loop, which need not run between them."""

    def __init__(self, connections: Connections, wanted: Wanted, model: str) -> None:
        """Made by `begin`."""
        self._connections = connections
        self._wanted = wanted
        self.model = model
        self.system: str | None = None
        self.attachments: list[Attachment] = []
        """Images for the next question."""
        self.turns: list[Turn] = []
        self._pin: str | None = None
        self._last: Answering | None = None
        self._session: ChatSession | None = None

    @classmethod
    async def begin(cls, wanted: Wanted, model: str, session: str | None = None) -> Self:
        """Find the providers, and continue the chat with the name `session`. Raises ApiError, NoProviderError among them."""
        talk = cls(await connect(wanted), wanted, model)
        try:
            if session is not None:
                await talk._resume(session)
        except BaseException:
            await talk.close()
            raise
        return talk

    async def close(self) -> None:
        """Close all connections, and store a named chat. Raises ApiError if that fails."""
        try:
            await self.keep()
        finally:
            if self._session is not None:
                await self._session.close()
            await self._connections.close()

    async def keep(self) -> None:
        """Store the questions and answers, if the chat has a name. Raises ApiError."""
        if self._session is not None:
            await self._session.keep(self.turns)

    @property
    def found(self) -> list[Member]:
        """All providers that were found, in the order of preference."""
        return self._connections.members

    @property
    def locked(self) -> list[str]:
        """The names of providers on the network that are left out because they require an API key."""
        return [record.name for record in self._connections.left_out]

    @property
    def members(self) -> list[Member]:
        """The providers that may answer, in the order of preference."""
        return [member for member in self.found if self._pin in (None, member.id)]

    @property
    def names(self) -> str:
        """Their names."""
        return ", ".join(clean(member.name) for member in self.members)

    def models(self) -> dict[str, list[str]]:
        """The chat models of these providers, each with the names of the providers that serve it."""
        found: dict[str, list[str]] = {}
        for member in self.members:
            for model in member.models:
                if member.online and model.for_chat and not model.virtual:
                    found.setdefault(model.id, []).append(clean(member.name))
        return found

    def select_model(self, name: str) -> None:
        """Use this model from now on. Raises InvalidRequestError if all providers list their models and no list contains it."""
        known = [AUTO, *(model.id for member in self.members for model in member.models)]
        found = find_name(known, name)
        if found is None and all(member.models for member in self.members):
            raise InvalidRequestError(f"No provider serves {printable(name, 64)}. /model lists the models.")
        self.model = found or name

    async def select_provider(self, name: str, key: str | None = None) -> None:
        """Use this provider only; `auto`: any provider. Raises NoProviderError, and KeyRequiredError if it needs `key`."""
        wanted = name.casefold()
        here = [member for member in self.found if wanted in (member.name.casefold(), member.id.casefold())]
        if here:
            self._pin = here[0].id
        elif wanted == AUTO and self._wanted.provider is None:
            self._pin = None
        else:
            fresh = replace(self._wanted, provider=None if wanted == AUTO else name, key=key, trust=False)
            connections = await connect(fresh)
            former, self._connections = self._connections, connections
            self._wanted, self._pin = fresh, None
            await former.close()
        self._last = None

    async def ask(self, question: str, *, show: bool = True) -> Answer:
        """Ask, and if `show`, print the answer as it streams. Raises ApiError if there is no answer or if it is interrupted.

        A question without an answer is forgotten: it would be sent again with the next one.
        """
        await self.keep()
        await self._look()
        turn = Turn(question, tuple(self.attachments))
        body = {"model": self.model, "messages": self._messages(turn), "stream": True}
        request = Request.parse(Kind.CHAT, body, pin=self._pin)
        printer = Printer()
        try:
            async with self._connections.engine.run(request, Caller(Source.CLI)) as reply:
                turn.provider, turn.model = clean(reply.backend_name), clean(reply.model)
                self._tell(reply)
                stream = Stream(reply)
                async for piece in stream.reasoning_pieces():
                    if show:
                        printer.show(piece)
                turn.answer, turn.reasoning = stream.answer.text, stream.answer.reasoning
                self._connections.confirm(reply.backend_id)
        finally:
            printer.end()
            turn.answer = turn.answer or printer.answer
            if turn.answer:
                self.turns.append(turn)
                self.attachments.clear()
        await self.keep()
        return stream.answer

    async def repeat(self) -> None:
        """Ask the last question again; without a new answer, the former one is kept. Raises ApiError as `ask` does."""
        if not self.turns:
            raise InvalidRequestError("There is no question to repeat yet.")
        last, waiting = self.turns.pop(), self.attachments
        self.attachments = [*last.attachments]
        before = len(self.turns)
        try:
            await self.ask(last.question)
        finally:
            self.attachments = waiting
            if len(self.turns) == before:
                self.turns.append(last)

    def clear(self) -> None:
        """Forget all questions and answers."""
        self.turns.clear()
        self.attachments.clear()

    async def _resume(self, session: str) -> None:
        from .chat_session import ChatSession  # noqa: PLC0415 - the database is slow to load

        self._session = await ChatSession.open(session)
        self.turns = await self._session.load()

    def _messages(self, turn: Turn) -> list[dict[str, Any]]:
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *(message for past in [*self.turns, turn] for message in past.messages())]

    async def _look(self) -> None:
        """Check offline providers again; wait for the result only if no provider is online."""
        away = [member for member in self.members if not member.online]
        checks = [asyncio.create_task(self._connections.engine.checker.check(member)) for member in away]
        if checks and len(away) == len(self.members):
            await asyncio.wait(checks)

    def _tell(self, reply: Reply) -> None:
        """Print which provider answers now and why, if it is not the provider of the last answer."""
        last, self._last = self._last, Answering(reply.backend_id, clean(reply.backend_name))
        failed = [attempt for attempt in reply.attempts if attempt.failure]
        if last is not None and last.id == reply.backend_id:
            return
        if failed:
            reasons = "; ".join(f"{clean(attempt.backend_name)} failed: {printable(attempt.failure, 200)}" for attempt in failed)
        elif last is None:
            return
        else:
            member = self._connections.engine.pool.get(last.id)
            reasons = f"{last.name} went offline" if member is None or not member.online else f"{last.name} is not used"
        click.secho(f"{reasons}; answering from {self._last.name}", dim=True, err=True)


def answer_json(answer: Answer) -> dict[str, Any]:
    """The JSON document of an answer, for `ask` and `chat` with `--json`."""
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "provider": answer.provider,
        "model": answer.model,
        "finish_reason": answer.finish_reason,
        "usage": answer.usage.to_json(),
        "failed": dict(answer.failed),
    }


class Printer:
    """Prints the pieces of an answer; on a terminal with dimmed reasoning and styled Markdown, else without reasoning."""

    def __init__(self) -> None:
        self.answer = ""
        self._terminal = sys.stdout.isatty()
        self._style = MarkdownStyle() if self._terminal and colour_choice() is not False else None
        self._reasoning = False
        self._open = False
        """Whether the current line has text."""

    def show(self, piece: Piece) -> None:
        """Print the next piece."""
        if not piece.is_reasoning:
            self.answer += piece.text
        elif not self._terminal:
            return
        text = terminal_text(piece.text)
        if self._reasoning and not piece.is_reasoning and self._open:
            click.echo()
            self._open = False
            text = text.lstrip("\n")
        self._reasoning = piece.is_reasoning
        if not text:
            return
        self._open = not text.endswith("\n")
        if piece.is_reasoning:
            text = click.style(text, dim=True)
        elif self._style is not None:
            text = self._style.feed(text)
        click.echo(text, nl=False)
        sys.stdout.flush()

    def end(self) -> None:
        """End the styles, and the line."""
        if self._style is not None and self.answer:
            click.echo(self._style.flush(), nl=False)
        if self.answer or self._open:
            click.echo()
