"""How long a person waits for the first token of another provider, after the one that answered before has failed.

Each case has two providers of its own in one process. The first one answers a question, then it fails, and the next question
of the same conversation is asked.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
import socket
import time

import aiohttp

from tests.support.fakes.provider import FakeProvider, refuse, stall, text
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.routing.pool.member import Member

MODEL = "test-model"


@dataclass(frozen=True, slots=True)
class Waited:
    """One case."""

    case: str
    seconds: float
    """From the question to the first token."""
    attempts: int
    """How many of the two providers were tried."""


@dataclass(slots=True)
class _House:
    """Two providers, of which the first one is preferred."""

    engine: Engine
    first: FakeProvider
    member: Member

    async def ask(self) -> tuple[float, int]:
        """Ask in the one conversation; returns the seconds to the first token, and the number of attempts."""
        body = {"model": "auto", "messages": [{"role": "user", "content": "Is it on?"}], "stream": True}
        request = Request.parse(Kind.CHAT, body, session="n:bench")
        begun = time.perf_counter()
        async with self.engine.run(request, Caller(Source.ASSIST)) as reply:
            seconds = time.perf_counter() - begun
            async for _ in reply.batches():
                pass
            return seconds, len(reply.attempts)


async def _ends(house: _House) -> None:
    await house.first.stop()


async def _leaves(house: _House) -> None:
    await house.first.stop()
    house.engine.pool.record_goodbye(house.member)


async def _vanishes(house: _House) -> None:
    """Its machine is off: nothing accepts or refuses a connection. A full backlog of a socket behaves the same."""
    await house.first.stop()
    silent = socket.create_server(("127.0.0.1", house.first.port), backlog=0, reuse_port=False)
    fill = [socket.socket() for _ in range(4)]
    for one in fill:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", house.first.port))
    _KEPT.extend([silent, *fill])


_KEPT: list[socket.socket] = []
"""Sockets that stay open until the process ends."""


async def _fails(house: _House) -> None:
    house.first.answers = [refuse(500, "out of memory")]


async def _rests(house: _House) -> None:
    house.first.answers = [refuse(503, "busy")]


async def _hangs(house: _House) -> None:
    house.first.answers = [stall(120)]


CASES: dict[str, Callable[[_House], Awaitable[None]]] = {
    "its process ends": _ends,
    "it says goodbye and ends": _leaves,
    "its machine is off": _vanishes,
    "it answers 500": _fails,
    "it answers 503": _rests,
    "it accepts and does not answer": _hangs,
}


async def _measure(case: str, fail: Callable[[_House], Awaitable[None]]) -> Waited:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)))
        engine = Engine()
        stack.push_async_callback(engine.close)
        members = []
        for priority, name in enumerate(("first", "second")):
            provider = await stack.enter_async_context(FakeProvider(id=name, answers=[text("Yes", ".")]))
            members.append(
                (
                    provider,
                    engine.add(
                        ZeroconfAIBackend(session, BackendInfo(name, name, priority=priority), Endpoint(provider.base_url))
                    ),
                )
            )
        for _, member in members:
            await engine.checker.check(member)
        house = _House(engine, *members[0])
        await house.ask()
        await fail(house)
        seconds, attempts = await house.ask()
        return Waited(case, seconds, attempts)


async def measure() -> list[Waited]:
    """All cases, one after the other."""
    return [await _measure(case, fail) for case, fail in CASES.items()]


def table(found: list[Waited]) -> str:
    """The cases as a table for people."""
    lines = [f"{'the provider of the conversation':36}{'first token of another one':>28}{'attempts':>10}"]
    lines += [f"{one.case:36}{one.seconds:>26.2f} s{one.attempts:>10}" for one in found]
    return "\n".join(lines)
