"""Backends that are killed, or that accept requests and never answer, while the gateway uses them."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
import signal
import time
from typing import Any

from .conftest import StartGateway, StartLlama
from .servers import HELLO, SLOTS, Gateway, LlamaServer, events, post, provider

STREAMS = 10
PATIENT = {"model": "tiny", "messages": HELLO, "stream": True, "max_tokens": 1000, "ignore_eos": True}
BRIEF = {"model": "tiny", "messages": HELLO, "max_tokens": 5}


@dataclass
class Stream:
    """The result of a stream."""

    provider: str = ""
    words: int = 0
    error: Any = None
    done: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)


async def follow(gateway: Gateway, stream: Stream) -> None:
    async with post(f"{gateway.url}/chat/completions", PATIENT) as response:
        assert response.status == 200, await response.text()
        stream.provider = response.headers["X-ZeroconfAI-Provider"]
        async for event in events(response):
            if event == "[DONE]":
                stream.done = True
            elif "error" in event:
                stream.error = event["error"]
            elif event["choices"] and event["choices"][0]["delta"].get("content"):
                stream.words += 1
                stream.begun.set()


async def test_failover_backend_killed_under_load_loses_no_unstarted_request(
    start_llama: StartLlama, start_gateway: StartGateway
) -> None:
    doomed, spare = await start_llama("gpu"), await start_llama("attic")
    # More requests than slots: the others are accepted and wait in its queue.
    gateway = await start_gateway(
        provider(doomed, priority=1, maxConcurrent=STREAMS), provider(spare, "attic", priority=2, maxConcurrent=STREAMS)
    )
    streams = [Stream() for _ in range(STREAMS)]
    async with asyncio.TaskGroup() as tasks:
        for stream in streams:
            tasks.create_task(follow(gateway, stream))
        begun = [asyncio.ensure_future(stream.begun.wait()) for stream in streams]
        await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
        doomed.process.kill()
        for waiting in begun:
            waiting.cancel()

    broken = [stream for stream in streams if stream.error is not None]
    assert 1 <= len(broken) <= SLOTS
    assert {stream.provider for stream in broken} == {"gpu"}
    assert all(stream.words for stream in broken)
    whole = [stream for stream in streams if stream.error is None]
    assert all(stream.done and stream.provider == "attic" for stream in whole)
    assert len(whole) == STREAMS - len(broken)
    assert all(stream.words > 900 for stream in whole)


async def black_hole(server: LlamaServer) -> None:
    """Stop the server's process: it still accepts connections and never answers."""
    server.process.signal(signal.SIGSTOP)


async def test_provider_without_answer_delays_no_other(start_llama: StartLlama, start_gateway: StartGateway) -> None:
    hole, well = await start_llama("gpu", alias="lost"), await start_llama("attic")
    timeouts = {"firstToken": 30, "answer": 30, "probe": 30}
    gateway = await start_gateway(provider(hole, timeouts=timeouts), provider(well, "attic"))
    assert (await gateway.models()).keys() == {"lost", "tiny"}
    await black_hole(hole)

    swallowed = [asyncio.create_task(gateway.ask(BRIEF | {"model": "lost"})) for _ in range(3)]
    begun = time.monotonic()
    answers = Counter([(await gateway.ask(BRIEF)).provider for _ in range(10)])
    assert answers == {"attic": 10}
    assert "lost" in await gateway.models(), "cached: no backend is requested for it"
    await gateway.get("/status")
    assert time.monotonic() - begun < 10
    assert not any(task.done() for task in swallowed)
    for task in swallowed:
        task.cancel()
    await asyncio.gather(*swallowed, return_exceptions=True)
    hole.process.signal(signal.SIGCONT)
    await hole.is_idle()


async def test_failover_from_a_backend_without_answer_uses_the_next(start_llama: StartLlama, start_gateway: StartGateway) -> None:
    hole, well = await start_llama("gpu"), await start_llama("attic")
    gateway = await start_gateway(provider(hole, priority=1, timeouts={"firstToken": 1, "answer": 1}), provider(well, "attic"))
    assert (await gateway.ask(BRIEF)).provider == "gpu"
    await black_hole(hole)
    begun = time.monotonic()
    answered = await gateway.ask(BRIEF)
    assert (answered.status, answered.provider, answered.headers["X-ZeroconfAI-Attempts"]) == (200, "attic", "2")
    stream = Stream()
    await follow(gateway, stream)
    assert (stream.provider, stream.done, stream.error) == ("attic", True, None)
    assert time.monotonic() - begun < 15
