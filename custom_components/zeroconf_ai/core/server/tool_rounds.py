"""Answers a request in rounds: the model calls tools of the house, the gateway runs them and asks the model again.

Each round is a request of its own to the engine: with its own admission, record and usage.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
import time
from typing import Any

from ..dialects.base import first_choice
from ..dialects.house_server import approval_item, call_item, tools_item
from ..engine import Caller, Engine
from ..protocol import json
from ..protocol.chunks import Chunk, Delta, Message
from ..protocol.request import Request
from ..protocol.tool_calls import ToolCall, whole_arguments
from ..protocol.usage import Usage
from ..protocol.values import NOTHING
from ..protocol.whole_answer import completion_of
from ..routing.execution.reply import Reply
from .tool_memory import RanCall, Transcript
from .tool_requests import HouseRequest
from .tool_runner import ToolResult

MAX_ROUNDS = 10
"""Requests to the model. In the last one it must answer."""
MAX_CALLS = 50
"""Calls of all rounds together."""
MAX_SECONDS = 300.0
"""Seconds after which the model must answer."""
CALL_SECONDS = 60.0
RESULT_LIMIT = 64 * 1024
"""Characters of a result that the model gets."""


_SAID = ("reasoning_content", "reasoning", "reasoning_details")
"""Fields of a message that some models require after a tool call."""


@dataclass(slots=True)
class _Turn:
    """What the model did in a round."""

    reason: str
    house: list[ToolCall]
    client: list[ToolCall]
    message: Mapping[str, Any] = NOTHING
    """The whole message of a turn with calls of the house."""
    waits: bool = False
    """Whether a person must approve a call first."""
    results_from: int = 0
    """Where the results of the turn begin in the transcript."""


@asynccontextmanager
async def run_rounds(engine: Engine, request: Request, caller: Caller, house: HouseRequest) -> AsyncIterator["RoundsReply"]:
    """Answer a request with the tools of the house. Raises an ApiError as `Engine.run` does."""
    reply = RoundsReply(engine, request, caller, house)
    try:
        await reply.start()
        yield reply
    finally:
        await reply.close()


class RoundsReply:
    """The answer of all rounds, which a client sees as one: their texts, the calls of its own tools, and the sum of their usage.

    Its properties are those of `Reply`; the provider is that of the first round.
    """

    def __init__(self, engine: Engine, request: Request, caller: Caller, house: HouseRequest) -> None:
        """Made by `run_rounds`."""
        self._engine = engine
        self._request = request
        self._caller = caller
        self._house = house
        self._transcript: Transcript = house.transcript
        self._stack = AsyncExitStack()
        self._reply: Reply | None = None
        self._first: Reply | None = None
        self._head: dict[str, Any] = {}
        """Id, time and model of the first chunk, which all chunks have."""
        self._spent = Usage()
        self._text = ""
        """The text so far."""
        self._begun = False
        """Whether a text of this round was shown."""
        self._deadline = 0.0
        self._last = False
        """Whether the model must answer in this round."""
        self._completion: Chunk | None = None
        self._items: list[dict[str, Any]] = []
        if house.server is not None:
            listed = ((tool.name, tool.description, tool.parameters, tool.annotations) for tool in house.offered)
            self._items.append(tools_item(listed))
        self._locked = False
        self.answer_id: str | None = None

    @property
    def first(self) -> Reply:
        """The reply of the first round."""
        assert self._first is not None
        return self._first

    @property
    def used(self) -> Usage:
        """The usage of all rounds so far."""
        return self._spent if self._reply is None else self._spent + self._reply.used

    @property
    def completion(self) -> Chunk:
        """The complete answer to a request without streaming."""
        assert self._completion is not None
        return self._completion

    def take_items(self) -> list[dict[str, Any]]:
        """The items of Responses about the tools since the last time; none if the client did not ask for them in its dialect."""
        taken, self._items = self._items, []
        return taken

    async def start(self) -> None:
        """Wait for the first token; without streaming, for the end of all rounds. Raises an ApiError."""
        await self._transcript.lock.acquire()
        self._locked = True
        self._deadline = time.monotonic() + MAX_SECONDS
        async for _ in self._run_pending():
            pass
        await self._begin()
        self.answer_id = self.first.answer_id
        if not self._request.stream:
            self._completion = await self._complete()

    async def close(self) -> None:
        """End the running round."""
        try:
            await self._stack.aclose()
        finally:
            if (rule := self._transcript.home_rule) is not None:  # also for a text that was cut short
                self._house.memory.keep_answer(self._house.key_id, self._request.body["messages"], self._text, rule)
            if self._locked:
                self._locked = False
                self._transcript.lock.release()

    async def batches(self) -> AsyncIterator[list[Chunk]]:
        """The chunks of all rounds; an empty batch after each call, which `take_items` returns. Raises an ApiError."""
        while True:
            assert self._reply is not None
            chunks: list[Chunk] = []
            async for batch in self._reply.batches():
                chunks += batch
                if shown := [found for chunk in batch if (found := self._shown(chunk)) is not None]:
                    yield shown
            turn = await self._end_round(completion_of(chunks))
            async for _ in self._run_pending():
                yield []
            if self._is_over(turn):
                break
            await self._begin()
        yield self._final(turn)

    async def _complete(self) -> Chunk:
        """The answer of all rounds as one."""
        while True:
            assert self._reply is not None
            answer = self._reply.completion.data
            self._text = "\n\n".join(filter(None, (self._text, Delta.parse(answer).content)))
            turn = await self._end_round(answer)
            async for _ in self._run_pending():
                pass
            if self._is_over(turn):
                break
            await self._begin()
        choice, message = first_choice(answer)
        kept = {name: value for name, value in message.items() if name not in ("tool_calls", "function_call")}
        kept["content"] = self._text or None
        if turn.client:
            kept["tool_calls"] = [call.to_json() for call in turn.client]
        ended = {**choice, "index": 0, "message": kept, "finish_reason": turn.reason}
        return Chunk.of({**answer, **self._head, "choices": [ended], "usage": self._spent.to_json()})

    @property
    def _is_last(self) -> bool:
        """Whether the model must answer now."""
        transcript = self._transcript
        return transcript.rounds >= MAX_ROUNDS - 1 or transcript.calls >= MAX_CALLS or time.monotonic() >= self._deadline

    async def _begin(self) -> None:
        """Ask the model."""
        transcript, request = self._transcript, self._request
        self._last = self._is_last
        if transcript.messages:
            request = request.with_body(messages=[*request.body["messages"], *transcript.messages])
            if request.body.get("tool_choice") != "none":  # a required call would be required in each round
                request = request.with_body(tool_choice="none" if self._last else None)
        if transcript.home_rule is not None:
            request = request.with_meta(home_rule=transcript.home_rule)
        if self._first is not None and request.request_id is not None:
            request = request.with_meta(request_id=f"{request.request_id}-{transcript.rounds + 1}")
        self._reply = await self._stack.enter_async_context(self._engine.run(request, self._caller))
        self._begun = False
        if self._first is None:
            self._first = self._reply
            if not self._request.stream:
                self._remember_head(self._reply.completion.data)

    async def _end_round(self, answer: Mapping[str, Any]) -> _Turn:
        """Close the round's request; the calls of the house become pending."""
        assert self._reply is not None
        self._spent += self._reply.used
        self._reply = None
        await self._stack.aclose()
        choice, given = first_choice(answer)
        message = Message()
        message.add(Delta.parse(answer))
        calls = message.tool_calls
        for call in calls:
            call.arguments = whole_arguments(call.arguments)
        house = [] if self._last else [call for call in calls if call.name in self._house.names]
        asked = [call for call in house if call.name in self._house.needing_approval]
        self._items += map(approval_item, asked)
        house = [call for call in house if call not in asked]
        client = [call for call in calls if call.name not in self._house.names]
        turn = _Turn(_reason(choice, client), house, client, waits=bool(asked))
        if house:
            transcript = self._transcript
            said = {name: given[name] for name in _SAID if given.get(name)}
            said = {"role": "assistant", "content": message.content, **said}
            turn.message = {**said, "tool_calls": [call.to_json() for call in calls]}
            # Without the client's calls, which have no results here.
            transcript.add({**said, "tool_calls": [call.to_json() for call in house]})
            turn.results_from = len(transcript.messages)
            transcript.pending = list(house)
            transcript.rounds += 1
        return turn

    def _is_over(self, turn: _Turn) -> bool:
        """Whether the model is not asked again: it called no tool of the house, or also tools that the client runs."""
        if turn.house and turn.client:
            results = self._transcript.messages[turn.results_from :]
            rule = self._transcript.home_rule
            self._house.memory.divide(self._house.key_id, turn.message, results, turn.client, rule)
        return turn.waits or bool(turn.client) or not turn.house

    async def _run_pending(self) -> AsyncIterator[None]:
        """Run the pending calls, one after the other. Raises PermissionDeniedError."""
        transcript = self._transcript
        while transcript.pending or transcript.running is not None:
            running = transcript.running
            if running is None:
                running = transcript.running = asyncio.get_running_loop().create_task(self._run_next())
                running.add_done_callback(_retrieve)
            try:
                ran = await asyncio.shield(running)
            finally:
                if running.done():
                    transcript.running = None
            if self._house.server is not None:
                self._items.append(call_item(ran.call, ran.result.text, failed=ran.result.failed))
            yield

    async def _run_next(self) -> RanCall:
        """Run the first pending call, and add its result. Raises PermissionDeniedError."""
        transcript = self._transcript
        call = transcript.pending[0]
        result = await self._result(call)
        transcript.pending.pop(0)
        transcript.calls += 1
        transcript.home_rule = transcript.home_rule or result.home_rule
        transcript.add({"role": "tool", "tool_call_id": call.id, "content": result.text})
        return RanCall(call, result)

    async def _result(self, call: ToolCall) -> ToolResult:
        if self._transcript.calls >= MAX_CALLS:
            return ToolResult(f"Not run: an answer may call tools {MAX_CALLS} times.", failed=True)
        try:
            arguments = json.loads(call.arguments or "{}")
        except json.JSONDecodeError as err:
            return ToolResult(f"Not run: the arguments are not valid JSON ({err}). Call it again.", failed=True)
        if not isinstance(arguments, dict):
            return ToolResult("Not run: the arguments must be a JSON object. Call it again.", failed=True)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                result = await self._house.tools.call(call.name, arguments)
        except TimeoutError:
            return ToolResult(f"The tool did not answer within {CALL_SECONDS:.0f} s.", failed=True)
        if len(result.text) <= RESULT_LIMIT:
            return result
        return ToolResult(f"{result.text[:RESULT_LIMIT]}… (the rest was cut off)", result.failed, result.home_rule)

    def _remember_head(self, data: Mapping[str, Any]) -> None:
        self._head = {name: data[name] for name in ("id", "object", "created", "model") if data.get(name) is not None}

    def _shown(self, chunk: Chunk) -> Chunk | None:
        """What the client sees of a chunk: no calls, no end and no usage, which follow after the last round."""
        data = chunk.data
        choice, delta = first_choice(data)
        if not self._head and choice:
            self._remember_head(data)
        later = bool(self._transcript.rounds)
        kept = {name: value for name, value in delta.items() if name not in ("tool_calls", "function_call")}
        text = kept.get("content")
        if later:
            kept.pop("role", None)
            if isinstance(text, str) and text and not self._begun and self._text:
                kept["content"] = f"\n\n{text}"
        if isinstance(text, str) and text:
            self._begun = True
            self._text += kept["content"]
        whole = not later and kept == delta and choice.get("finish_reason") is None and not chunk.may_have_usage
        if whole:
            return chunk
        if not any(value for name, value in kept.items() if name != "role"):
            return None
        rest = {name: value for name, value in data.items() if name not in ("usage", "timings", "x_groq")}
        return Chunk.of({**rest, **self._head, "choices": [{**choice, "delta": kept, "finish_reason": None}]})

    def _final(self, turn: _Turn) -> list[Chunk]:
        """The chunks at the end: the client's calls, why the model stopped, and the usage of all rounds."""
        head = {**self._head, "object": "chat.completion.chunk"}
        chunks = []
        if turn.client:
            calls = [{"index": index, **call.to_json()} for index, call in enumerate(turn.client)]
            chunks.append(Chunk.of({**head, "choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}]}))
        chunks.append(Chunk.of({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": turn.reason}]}))
        chunks.append(Chunk.of({**head, "choices": [], "usage": self._spent.to_json()}))
        return chunks


def _reason(choice: Mapping[str, Any], client: list[ToolCall]) -> str:
    """Why the model stopped. A call of the house in the last round is neither run nor shown."""
    if client:
        return "tool_calls"
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason not in ("tool_calls", "function_call") else "stop"


def _retrieve(task: asyncio.Task[RanCall]) -> None:
    """Mark the error of a call as known: the request that waited for it may be gone."""
    if not task.cancelled():
        task.exception()
