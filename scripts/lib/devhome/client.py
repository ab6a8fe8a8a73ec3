"""Home Assistant's WebSocket and REST API, as tests and scripts need it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import itertools
from types import TracebackType
from typing import Any, Self

import aiohttp

from . import DevHomeError

type Json = dict[str, Any]

TIMEOUT = 30.0
"""Seconds for one command; tests that expect something sooner say so themselves."""


class CommandError(DevHomeError):
    """Home Assistant refused a command."""

    def __init__(self, command: str, code: str, message: str) -> None:
        super().__init__(f"{command}: {message} ({code})")
        self.code = code


class HttpError(DevHomeError):
    """Home Assistant answered a REST request with an error status."""

    def __init__(self, request: str, status: int, body: str) -> None:
        super().__init__(f"{request}: {status} {body}")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that a command waits for."""

    command: str
    result: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class AssistRun:
    """One run of an Assist pipeline: its events as they came, each with `type`, `data` and `timestamp`."""

    events: list[Json] = field(default_factory=list)

    def data(self, kind: str) -> Json:
        """The data of the only event of this type. Raises DevHomeError if there is none."""
        for event in self.events:
            if event["type"] == kind:
                return dict(event["data"] or {})
        raise DevHomeError(f"no {kind} among {[event['type'] for event in self.events]}")

    @property
    def deltas(self) -> list[Json]:
        """What the agent streamed, piece by piece: `content`, `thinking_content`, `tool_calls`, `tool_result`."""
        steps = [event["data"] for event in self.events if event["type"] == "intent-progress"]
        return [dict(step["chat_log_delta"]) for step in steps if "chat_log_delta" in step]

    @property
    def conversation_id(self) -> str:
        """To go on with the same conversation."""
        return str(self.data("intent-end")["intent_output"]["conversation_id"])

    @property
    def speech(self) -> str:
        """What is said in the end. Raises DevHomeError if the run did not get there."""
        return str(self.data("intent-end")["intent_output"]["response"]["speech"]["plain"]["speech"])


class HomeClient:
    """One connection to a Home Assistant, as its owner. A context manager.

    `url` is without a slash at the end. Everything may be used by several tasks at once.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token
        self._ids = itertools.count(1)
        self._answers: dict[int, Answer] = {}
        self._events: dict[int, asyncio.Queue[Json | None]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._token}"})
        try:
            # States and registries of a whole home come in one message.
            self._socket = await self._session.ws_connect(f"{self.url}/api/websocket", max_msg_size=0)
            await self._socket.receive_json(timeout=TIMEOUT)
            await self._socket.send_json({"type": "auth", "access_token": self._token})
            answer = await self._socket.receive_json(timeout=TIMEOUT)
            if answer["type"] != "auth_ok":
                raise DevHomeError(f"{self.url} refuses the token: {answer.get('message')}")
        except BaseException:
            await self._session.close()
            raise
        self._reader = asyncio.create_task(self._read(self._socket))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader
        if self._session is not None:
            await self._session.close()

    # WebSocket

    async def call(self, command: str, *, timeout: float = TIMEOUT, **fields: Any) -> Any:
        """Send a command and return its result. Raises CommandError, or TimeoutError after `timeout` s."""
        number = await self._send(command, fields)
        try:
            return await asyncio.wait_for(self._answers[number].result, timeout)
        finally:
            del self._answers[number]

    @asynccontextmanager
    async def subscribe(self, command: str, **fields: Any) -> AsyncGenerator[AsyncIterator[Json]]:
        """Send a command that is answered by events; inside the context they come from the iterator.

        `subscribe_events` is one, with `event_type`. The iterator ends when the connection does.
        """
        queue: asyncio.Queue[Json | None] = asyncio.Queue()
        number = await self._send(command, fields, queue)
        try:
            await asyncio.wait_for(self._answers[number].result, TIMEOUT)
            yield self._drain(queue)
        finally:
            del self._answers[number], self._events[number]
            if self._socket is not None and not self._socket.closed:
                try:
                    await self.call("unsubscribe_events", subscription=number)
                except CommandError as error:
                    # A command whose events end by themselves is no longer there to be ended.
                    if error.code != "not_found":
                        raise

    async def _drain(self, queue: asyncio.Queue[Json | None]) -> AsyncIterator[Json]:
        while (event := await queue.get()) is not None:
            yield event

    async def _send(self, command: str, fields: Mapping[str, Any], queue: asyncio.Queue[Json | None] | None = None) -> int:
        if self._socket is None or self._reader is None or self._reader.done():
            raise DevHomeError(f"not connected to {self.url}")
        number = next(self._ids)
        self._answers[number] = Answer(command, asyncio.get_running_loop().create_future())
        if queue is not None:
            self._events[number] = queue
        await self._socket.send_json({"id": number, "type": command, **fields})
        return number

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Hand every message to whom it is for, until the connection ends."""
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._hand_over(message.json())
        finally:
            for answer in self._answers.values():
                if not answer.result.done():
                    answer.result.set_exception(DevHomeError(f"{self.url} closed the connection"))
            for queue in self._events.values():
                queue.put_nowait(None)

    def _hand_over(self, message: Json) -> None:
        number = message["id"]
        if message["type"] == "event":
            if (queue := self._events.get(number)) is not None:
                queue.put_nowait(message["event"])
            return
        answer = self._answers.get(number)
        if answer is None or answer.result.done():
            return
        if message["success"]:
            answer.result.set_result(message["result"])
        else:
            error = message["error"]
            answer.result.set_exception(CommandError(answer.command, error["code"], error["message"]))

    # REST

    async def rest(self, method: str, path: str, json: Any = None) -> Any:
        """A REST request, `path` from `/api/` on; the JSON answered. Raises HttpError at a status from 400 on."""
        if self._session is None:
            raise DevHomeError(f"not connected to {self.url}")
        timeout = aiohttp.ClientTimeout(TIMEOUT)
        async with self._session.request(method, f"{self.url}{path}", json=json, timeout=timeout) as response:
            if response.status >= 400:
                raise HttpError(f"{method} {path}", response.status, await response.text())
            return await response.json()

    async def start_flow(self, handler: str | list[str], *, kind: str = "", **context: Any) -> Json:
        """Start a config flow and return its first step.

        `kind` is "" for a new entry, `options` (`handler` is then the entry's id) or `subentries` (a pair
        `[entry id, subentry type]`).
        """
        return dict(await self.rest("POST", flow_path(kind), {"handler": handler, **context}))

    async def continue_flow(self, flow_id: str, user_input: Mapping[str, Any] | None = None, *, kind: str = "") -> Json:
        """Send a step's form; the next step. `kind` as in `start_flow`."""
        return dict(await self.rest("POST", f"{flow_path(kind)}/{flow_id}", dict(user_input or {})))

    async def flows_in_progress(self, handler: str | None = None) -> list[Json]:
        """What is discovered or waits for an answer, each with `flow_id`, `handler`, `step_id` and `context`."""
        flows = await self.call("config_entries/flow/progress")
        return [flow for flow in flows if handler in {None, flow["handler"]}]

    # What a home is made of

    async def states(self) -> dict[str, Json]:
        """Every entity's state object by entity id."""
        return {state["entity_id"]: state for state in await self.call("get_states")}

    async def state(self, entity_id: str) -> str | None:
        """An entity's state, or None if there is no such entity."""
        return state["state"] if (state := (await self.states()).get(entity_id)) else None

    async def call_service(
        self, domain: str, service: str, data: Mapping[str, Any] | None = None, *, response: bool = False
    ) -> Any:
        """Run an action to its end; what it answers if `response` is asked for. `entity_id` may stand in `data`."""
        result = await self.call(
            "call_service", domain=domain, service=service, service_data=dict(data or {}), return_response=response
        )
        return result["response"] if response else None

    async def assist(
        self, text: str, *, pipeline: str | None = None, conversation_id: str | None = None, timeout: float = 60.0
    ) -> AssistRun:
        """Say something to Assist, typed, as its dialog does. Raises CommandError where the pipeline ends with an error."""
        fields: Json = {"start_stage": "intent", "end_stage": "intent", "input": {"text": text}, "timeout": timeout}
        if pipeline is not None:
            fields["pipeline"] = pipeline
        if conversation_id is not None:
            fields["conversation_id"] = conversation_id
        run = AssistRun()
        async with asyncio.timeout(timeout), self.subscribe("assist_pipeline/run", **fields) as events:
            async for event in events:
                run.events.append(event)
                if event["type"] == "error":
                    raise CommandError("assist_pipeline/run", event["data"]["code"], event["data"]["message"])
                if event["type"] == "run-end":
                    return run
        raise DevHomeError(f"{self.url} closed the connection in the middle of an answer")


def flow_path(kind: str) -> str:
    """Where flows of this kind are started."""
    return "/api/config/config_entries/" + (f"{kind}/flow" if kind else "flow")


async def status_of(url: str) -> int | None:
    """The status that a GET is answered with, whatever the certificate; None where nobody answers."""
    timeout = aiohttp.ClientTimeout(TIMEOUT)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, ssl=False) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError):
        return None


async def eventually[T](look: Callable[[], Awaitable[T]], *, timeout: float = TIMEOUT, interval: float = 0.05) -> T:
    """Await `look()` until what it answers is true in the sense of `bool`, and return that.

    Raises TimeoutError after `timeout` s, with the last answer.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + timeout
    while not (seen := await look()):
        if loop.time() > give_up:
            raise TimeoutError(f"still {seen!r} after {timeout:.0f} s")
        await asyncio.sleep(interval)
    return seen
