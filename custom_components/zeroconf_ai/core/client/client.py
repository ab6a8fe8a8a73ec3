"""`Client`: asks the providers on the network.

async with Client() as ai:
print(await ai.chat("What is mDNS?"))
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..config.state_folder import ENROLMENTS, state_folder
from ..engine import Caller, Source
from ..protocol.errors import InvalidRequestError
from ..protocol.household import HouseholdCode
from ..protocol.models import AUTO, ModelInfo
from ..protocol.request import Kind, Request
from ..protocol.values import encodable, mapping
from .answers import Answer, Stream, whole_answer
from .connections import Connections, Hints, Wanted
from .history import History, MemoryHistory

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from .file_history import FileHistory
    from .openai_server import OpenAIServer

type Question = str | Sequence[Mapping[str, Any]]
"""A question, or the messages of a conversation in OpenAI's format."""

_CALLER = Caller(Source.CLI)


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """A provider as this client knows it."""

    id: str
    name: str
    online: bool
    models: tuple[str, ...]
    """Without aliases such as `auto`."""
    reason: str = ""
    """Why it is not online."""
    details: tuple[ModelInfo, ...] = ()
    """What is known of each of `models`, in the same order."""


class Client:
    """Finds the providers on the network and asks the best one; if it fails, the next. Belongs to one event loop.

    All methods that ask raise ApiError: `message` is one sentence, `status` and `code` are those of the OpenAI API.
    """

    def __init__(
        self,
        provider: str | None = None,
        *,
        key: str | None = None,
        model: str = AUTO,
        trust: bool = False,
        interfaces: Iterable[str] = (),
        trust_file: str | Path | None = None,
        sessions: str | Path | None = None,
        hints: Hints | None = None,
        household: str | None = None,
        enrolments: str | Path | None = None,
    ) -> None:
        """`provider`: the name or id of one on the network, or its URL; None: all that need no key. `key` is its API key.

        `model`: for questions that name none; "auto" is the choice of the provider. `trust`: accept the new identity or address
        of a known provider, once. `interfaces`: the IP addresses of those to search on (none: all). `trust_file` keeps the
        identities of providers between runs, and `sessions`, an SQLite file, the conversations; without them, they end with
        the client. `hints`: how errors write the options, for a program that has its own. `household`: the code of
        `zeroconf-ai household`, whose providers need no key. `enrolments`: the folder with the client certificates of
        `zeroconf-ai enroll` (None: that of the command), each of which is used for its provider. Raises ValueError for a key
        without a provider, which would be sent to any, and HouseholdError for a text that is no code.
        """
        if key is not None and provider is None:
            raise ValueError("A key belongs to one provider: name it")
        code = None if household is None else HouseholdCode.parse(household).text
        self._wanted = Wanted(provider, key, trust, tuple(interfaces), code)
        self._model = model
        self._trust_file = None if trust_file is None else Path(trust_file)
        self._session_file = None if sessions is None else Path(sessions)
        self._hints = hints
        self._enrolments = state_folder() / ENROLMENTS if enrolments is None else Path(enrolments)
        self._connections: Connections | None = None
        self._history: History = MemoryHistory()
        self._server: OpenAIServer | None = None

    async def __aenter__(self) -> Self:
        """Find the providers. Raises NoProviderError if none can be used, DatabaseError for a file that cannot be opened."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.close()

    async def open(self) -> None:
        """Find the providers, as `async with` does."""
        if self._connections is not None:
            return
        if self._session_file is not None:
            self._history = await (await asyncio.to_thread(_file_history)).open(self._session_file)
        try:
            self._connections = await Connections.open(
                self._wanted, trust_file=self._trust_file, hints=self._hints, enrolments=self._enrolments
            )
        except BaseException:
            await self._history.close()
            raise

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        server, self._server = self._server, None
        connections, self._connections = self._connections, None
        if server is not None:
            await server.close()
        if connections is not None:
            await connections.close()
            await self._history.close()

    @property
    def providers(self) -> list[ProviderInfo]:
        """The providers, the preferred one first."""
        found = []
        for member in self._opened.members:
            models = tuple(model for model in member.models if not model.virtual)
            names = tuple(model.id for model in models)
            found.append(ProviderInfo(member.id, member.name, member.online, names, member.last_reason or "", models))
        return found

    @property
    def models(self) -> list[ModelInfo]:
        """The models of the providers that answer, those of the preferred one first."""
        return [model for _, model in self._opened.engine.models()]

    async def chat(
        self, question: Question, *, model: str | None = None, session: str | None = None, **parameters: Any
    ) -> Answer:
        """Return the complete answer. `parameters` are those of OpenAI's chat completions, such as `temperature` or `tools`.

        With a `session`, of 1 to 64 letters, digits, `-` or `_`, the earlier questions and answers of that name are sent too,
        and this one is kept.
        """
        request = await self._request(question, model, session, {**parameters, "stream": False})
        async with self._opened.engine.run(request, _CALLER) as reply:
            answer = whole_answer(reply)
            self._opened.confirm(reply.backend_id)
        await self._keep(session, question, answer)
        return answer

    @asynccontextmanager
    async def stream(
        self, question: Question, *, model: str | None = None, session: str | None = None, **parameters: Any
    ) -> AsyncIterator[Stream]:
        """The answer as it arrives; leaving the block ends it. The arguments are those of `chat`.

        async with ai.stream("Tell me a story") as story:
            async for piece in story:
                print(piece, end="")
        """
        request = await self._request(question, model, session, {**parameters, "stream": True})
        async with self._opened.engine.run(request, _CALLER) as reply:
            stream = Stream(reply)
            yield stream
            if stream.complete:
                self._opened.confirm(reply.backend_id)
        if stream.complete:
            await self._keep(session, question, stream.answer)

    async def forget(self, session: str) -> None:
        """Forget the questions and answers of a session."""
        await self._history.clear(session)

    async def embed(self, texts: str | Sequence[str], *, model: str | None = None, **parameters: Any) -> list[list[float]]:
        """The embeddings of texts, in their order."""
        wanted = [texts] if isinstance(texts, str) else [*texts]
        body = {**parameters, "model": model or self._model, "input": [encodable(text) for text in wanted]}
        async with self._opened.engine.run(Request.parse(Kind.EMBEDDINGS, body), _CALLER) as reply:
            rows = [mapping(row) for row in reply.completion.data.get("data", ())]
            self._opened.confirm(reply.backend_id)
        rows.sort(key=lambda row: row.get("index", 0))
        return [list(row["embedding"]) for row in rows]

    async def usage(
        self, start: date | None = None, end: date | None = None, *, group_by: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """The usage that the provider recorded, as its `GET /v1/usage` answers: `data` (a row for each group), `total`.

        `start` and `end` are the first and the last day; None: the first of this month, and today. `group_by`: `day`, `model`,
        `backend`, `key`, `user`, `source` or `label`; empty: `day`. A key with the endpoint groups `usage` and `admin` sees the
        usage of all callers, others see their own. Raises InvalidRequestError if this client is not for one provider, and
        NotFoundError if the provider records nothing.
        """
        if self._wanted.provider is None:
            raise InvalidRequestError("Usage is recorded by each provider: name one.", param="provider")
        days = {name: day.isoformat() for name, day in (("from", start), ("to", end)) if day is not None}
        return await self._opened.usage({**days, **({"group_by": ",".join(group_by)} if group_by else {})})

    async def openai_client(self, **options: Any) -> "AsyncOpenAI":
        """A client of the package `openai` whose requests go to the best provider, and to the next one when it goes.

        It is valid until this client is closed. `options` are those of `AsyncOpenAI`. Needs `pip install openai`.
        """
        from openai import AsyncOpenAI  # noqa: PLC0415 - not everybody has it

        from .openai_server import OpenAIServer  # noqa: PLC0415 - nor needs a server

        opened = self._opened
        if self._server is None:
            self._server = await OpenAIServer.start(opened.engine)
        return AsyncOpenAI(base_url=self._server.base_url, api_key=self._server.key, **options)

    async def check(self) -> list[ProviderInfo]:
        """Ask every provider for its health and models now; returns them like `providers`."""
        engine = self._opened.engine
        await asyncio.gather(*(engine.checker.check(member, models=True) for member in engine.pool))
        return self.providers

    @property
    def _opened(self) -> Connections:
        if self._connections is None:
            raise RuntimeError("The client is not open: use `async with Client() as ai`")
        return self._connections

    async def _request(self, question: Question, model: str | None, session: str | None, rest: Mapping[str, Any]) -> Request:
        if isinstance(question, str):
            messages: list[Mapping[str, Any]] = [{"role": "user", "content": encodable(question)}]
        elif session is not None:
            raise InvalidRequestError("A session keeps the messages itself: ask with a text.", param="session")
        else:
            messages = [*question]
        if session is not None:
            messages = [*await self._history.load(session), *messages]
        request = Request.parse(Kind.CHAT, {**rest, "model": model or self._model, "messages": messages})
        return request if session is None else request.with_meta(session=session)

    async def _keep(self, session: str | None, question: Question, answer: Answer) -> None:
        if session is not None and isinstance(question, str) and answer.text:
            details = {"provider": answer.provider, "model": answer.model}
            await self._history.add(session, encodable(question), answer.text, details)


def _file_history() -> "type[FileHistory]":
    """The class, whose module loads the database's library: most clients need none."""
    from .file_history import FileHistory  # noqa: PLC0415

    return FileHistory
