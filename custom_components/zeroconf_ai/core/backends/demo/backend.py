"""`DemoBackend`: serves `demo-rules` and `demo-embed` in this process, at the speed of a small model server."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
import re
import time
from typing import Any, override
from uuid import uuid4

import orjson

from ...protocol.chunks import Chunk, ChunkWriter, Delta, Message
from ...protocol.errors import InvalidRequestError, NotFoundError, UnavailableError
from ...protocol.models import ModelInfo
from ...protocol.record import PROTOCOL_VERSION, Capability
from ...protocol.request import Kind, Request
from ...protocol.status import Health, ProviderStatus, Queue
from ...protocol.usage import Usage
from ...version import __version__
from ..answer_errors import no_audio, no_images
from ..base import Answer, Backend, BackendInfo, StaticAnswer
from . import rules
from .home import text_of
from .vectors import embeddings

CHAT_MODEL = rules.MODEL
EMBEDDING_MODEL = "demo-embed"
WORD_SECONDS = 0.03
"""Pause before each word: about the speed of a small model on a good computer."""
MAX_CONCURRENT = 4
MAX_WAITING = 64
CONTEXT_WINDOW = 32_768
MAX_OUTPUT = 4_096

_FREE = {"input_cost_per_1m": 0.0, "output_cost_per_1m": 0.0, "currency": "USD"}
_CHAT = frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.TOOLS, Capability.JSON})
_WORD = re.compile(r"\s*\S{1,40}|\s+$")

CAPABILITIES = _CHAT | {Capability.EMBEDDINGS}
_EMBED = frozenset({Capability.EMBEDDINGS})
MODELS = (
    ModelInfo(CHAT_MODEL, CONTEXT_WINDOW, MAX_OUTPUT, _CHAT, warm=True, owned_by="zeroconf-ai", pricing=_FREE),
    ModelInfo(EMBEDDING_MODEL, CONTEXT_WINDOW, capabilities=_EMBED, warm=True, owned_by="zeroconf-ai", pricing=_FREE),
)


def words(text: str) -> list[str]:
    """`text` split into tokens: words with the space before them."""
    return _WORD.findall(text)


class DemoBackend(Backend):
    """The built-in rules as a backend. Needs no download and costs nothing."""

    def __init__(
        self,
        info: BackendInfo | None = None,
        *,
        word_seconds: float = WORD_SECONDS,
        max_concurrent: int = MAX_CONCURRENT,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """`word_seconds`: pause before each word. `max_concurrent` requests run in parallel, `max_waiting` more may wait."""
        self._info = info or BackendInfo(id=CHAT_MODEL, name=CHAT_MODEL, capabilities=CAPABILITIES)
        self._word_seconds = word_seconds
        self._max_concurrent = max_concurrent
        self._max_waiting = max_waiting
        self._permits = asyncio.Semaphore(max_concurrent)
        self._active = 0
        self._waiting = 0
        self._started = time.monotonic()

    @property
    @override
    def info(self) -> BackendInfo:
        return self._info

    @override
    async def health(self) -> Health:
        return Health("ok", self._info.name, __version__, time.monotonic() - self._started, self._info.id)

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        return MODELS

    @override
    async def status(self) -> ProviderStatus:
        return ProviderStatus(
            id=self._info.id,
            version=PROTOCOL_VERSION,
            uptime_seconds=time.monotonic() - self._started,
            queue=Queue(self._waiting, self._active, self._max_concurrent),
            warm_models=frozenset(model.id for model in MODELS),
        )

    @override
    async def send(self, request: Request) -> Answer:
        _check_model(request)
        if request.kind is Kind.EMBEDDINGS:
            return StaticAnswer(Chunk.of(embeddings(request.body, EMBEDDING_MODEL)))
        script = _chat_script(request) if request.kind is Kind.CHAT else _completion_script(request)
        if self._waiting >= self._max_waiting:
            raise UnavailableError("The queue is full.", code="provider_capacity_exceeded", retry_after=5.0)
        self._waiting += 1
        try:
            await self._permits.acquire()
        finally:
            self._waiting -= 1
        self._active += 1
        return _DemoAnswer(self, script)

    def _release(self) -> None:
        self._active -= 1
        self._permits.release()


class _Script:
    """A prepared answer: its chunks, and the complete body."""

    def __init__(self, chunks: Sequence[tuple[bool, Chunk]], body: Mapping[str, Any]) -> None:
        """`chunks`: (whether it is a token, which is sent after a pause; chunk)."""
        self.chunks = chunks
        self.body = body


class _DemoAnswer(Answer):
    def __init__(self, backend: DemoBackend, script: _Script) -> None:
        self._backend: DemoBackend | None = backend
        self._pause = backend._word_seconds
        self._script = script

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        for is_token, chunk in self._script.chunks:
            if is_token and self._pause:
                await asyncio.sleep(self._pause)
            yield [chunk]

    @override
    async def completion(self) -> Chunk:
        await asyncio.sleep(self._pause * sum(is_token for is_token, _ in self._script.chunks))
        return Chunk.of(dict(self._script.body))

    @override
    async def close(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend._release()


def _check_model(request: Request) -> None:
    if request.kind.is_audio:
        raise no_audio("The demo", request.kind)
    if request.kind.makes_images:
        raise no_images("The demo")
    wanted = EMBEDDING_MODEL if request.kind is Kind.EMBEDDINGS else CHAT_MODEL
    if request.model == wanted:
        return
    if request.model in (CHAT_MODEL, EMBEDDING_MODEL):
        raise InvalidRequestError(f"{request.model} does not support {request.kind.value}; use {wanted}.", param="model")
    raise NotFoundError(f"There is no model {request.model}; there is {wanted}.", code="model_not_found", param="model")


def _limit(body: Mapping[str, Any]) -> int:
    return min(body.get("max_completion_tokens") or body.get("max_tokens") or MAX_OUTPUT, MAX_OUTPUT)


def _cut_at_stop(text: str, stop: object) -> str:
    """`text` up to the first stop sequence."""
    sequences = [item for item in (stop if isinstance(stop, list) else [stop]) if isinstance(item, str) and item]
    return text[: min((place for item in sequences if (place := text.find(item)) >= 0), default=len(text))]


def _check_choices(body: Mapping[str, Any]) -> None:
    if (body.get("n") or 1) > 1:
        raise InvalidRequestError(f"{CHAT_MODEL} returns a single choice: 'n' must be 1.", param="n")


def _chat_script(request: Request) -> _Script:
    body = request.body
    _check_choices(body)
    turn = rules.respond(body)
    deltas: list[dict[str, Any]] = [{"content": word} for word in words(_cut_at_stop(turn.text, body.get("stop")))]
    for index, call in enumerate(turn.calls):
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        deltas.append({"tool_calls": [head]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": part}}]} for part in words(call.arguments)]
    limit = _limit(body)
    finish = "length" if len(deltas) > limit else "tool_calls" if turn.calls else "stop"
    deltas = deltas[:limit]
    usage = Usage(_prompt_tokens(request), len(deltas), cost=0)

    writer = ChunkWriter(CHAT_MODEL)
    message = Message(finish_reason=finish, usage=usage)
    chunks: list[tuple[bool, Chunk]] = [(False, writer.chunk({"role": "assistant", "content": ""}))]
    for delta in deltas:
        message.add(Delta.parse({"choices": [{"delta": delta}]}))
        chunks.append((True, writer.chunk(delta)))
    chunks.append((False, writer.chunk({}, finish)))
    if _usage_wanted(body):
        chunks.append((False, writer.usage(usage)))
    return _Script(chunks, writer.completion(message))


def _completion_script(request: Request) -> _Script:
    """A text completion: one choice for each prompt, which is answered like a user's message."""
    body = request.body
    _check_choices(body)
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    if not all(isinstance(prompt, str) for prompt in prompts):
        raise InvalidRequestError(
            f"{CHAT_MODEL} does not accept tokens: 'prompt' must be a text or a list of texts.", param="prompt"
        )
    head = {"id": f"cmpl-{uuid4().hex}", "object": "text_completion", "created": int(time.time()), "model": CHAT_MODEL}
    chunks: list[tuple[bool, Chunk]] = []
    choices: list[dict[str, Any]] = []
    completion_tokens = 0
    for index, prompt in enumerate(prompts):
        said = words(_cut_at_stop(rules.answer_plainly(prompt, [prompt]), body.get("stop")))
        finish = "length" if len(said) > _limit(body) else "stop"
        said = said[: _limit(body)]
        completion_tokens += len(said)
        spoken = [prompt, *said] if body.get("echo") is True else said
        for word, end in [*((word, None) for word in spoken), ("", finish)]:
            choice = {"index": index, "text": word, "logprobs": None, "finish_reason": end}
            chunks.append((end is None, Chunk.of({**head, "choices": [choice]})))
        choices.append({"index": index, "text": "".join(spoken), "logprobs": None, "finish_reason": finish})
    usage = Usage(_prompt_tokens(request), completion_tokens, cost=0).to_json()
    if _usage_wanted(body):
        chunks.append((False, Chunk.of({**head, "choices": [], "usage": usage})))
    return _Script(chunks, {**head, "choices": choices, "usage": usage})


def _usage_wanted(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


def _prompt_tokens(request: Request) -> int:
    """The number of words of the prompt, including tools."""
    body = request.body
    if request.kind is Kind.COMPLETION:
        prompts = [body["prompt"]] if isinstance(body["prompt"], str) else body["prompt"]
        return sum(len(words(prompt)) for prompt in prompts)
    texts = [text_of(message) for message in body["messages"]]
    if body.get("tools"):
        texts.append(orjson.dumps(body["tools"]).decode())
    return sum(len(words(text)) for text in texts)
