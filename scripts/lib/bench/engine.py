"""What the engine adds to a request: a bare aiohttp client and the engine ask one fake upstream in turn, round by round.

The upstream is a process of its own, so that its work is not counted. A machine is noisy: the figures of one round mean little,
the medians' ratio within one run means something, and nothing here is a pass or a fail.
"""

import asyncio
from collections.abc import Awaitable, Callable
import json
import statistics
import sys
import time

import aiohttp
import orjson

from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.request import Kind, Request

from . import upstream

REQUESTS = 200
STREAMS = 8
WORKERS = 8
MODEL = "swift"


async def _spread(count: int, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """(seconds, CPU seconds) that `count` pieces of work take, WORKERS at a time."""
    turns = iter(range(count))

    async def worker() -> None:
        for _ in turns:
            await work()

    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(WORKERS)))
    return time.perf_counter() - begun, time.process_time() - cpu


async def _measure(port: int, rounds: int) -> dict[str, dict[str, float]]:
    base_url = f"http://127.0.0.1:{port}/v1"
    whole = {"model": MODEL, "messages": [{"role": "user", "content": "Is it on?"}]}
    stream = whole | {"stream": True}
    async with aiohttp.ClientSession() as session:
        engine = Engine()
        backend = ZeroconfAIBackend(session, BackendInfo("bench", "bench"), Endpoint(base_url))
        member = engine.add(backend)
        await engine.checker.check(member)
        caller = Caller(Source.CLI)

        async def bare(body: dict[str, object]) -> None:
            async with session.post(f"{base_url}/chat/completions", data=orjson.dumps(body)) as response:
                async for _ in response.content.iter_any():
                    pass

        async def routed(body: dict[str, object]) -> None:
            request = Request.parse(Kind.CHAT, body)
            async with engine.run(request, caller) as reply:
                if request.stream:
                    async for _ in reply.batches():
                        pass

        results: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, ask in (("bare client", bare), ("engine", routed)):
                seconds, cpu = await _spread(REQUESTS, lambda ask=ask: ask(whole))  # type: ignore[misc]
                results.setdefault(f"{name}|requests/s", []).append(REQUESTS / seconds)
                results.setdefault(f"{name}|CPU ms per request", []).append(1000 * cpu / REQUESTS)
                seconds, cpu = await _spread(STREAMS, lambda ask=ask: ask(stream))  # type: ignore[misc]
                results.setdefault(f"{name}|streamed tokens/s", []).append(STREAMS * upstream.TOKENS / seconds)
                results.setdefault(f"{name}|CPU ms per 1,000 streamed tokens", []).append(1000 * cpu / STREAMS)
        await engine.close()
    table: dict[str, dict[str, float]] = {}
    for key, values in results.items():
        name, _, figure = key.partition("|")
        table.setdefault(figure, {})[name] = statistics.median(values)
    return table


def main(rounds: int, *, as_json: bool) -> None:
    """Run and print."""
    with upstream.running() as port:
        table = asyncio.run(_measure(port, rounds))
    if as_json:
        sys.stdout.write(json.dumps(table, indent=2) + "\n")
        return
    sys.stdout.write(f"{'':36}{'bare client':>14}{'engine':>14}{'ratio':>8}\n")
    for figure, by_name in table.items():
        bare, engine = by_name["bare client"], by_name["engine"]
        sys.stdout.write(f"{figure:36}{bare:>14,.2f}{engine:>14,.2f}{engine / bare:>8.2f}\n")
