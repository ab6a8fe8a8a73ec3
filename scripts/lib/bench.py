"""What the engine adds to a request: a bare aiohttp client and the engine ask one fake upstream in turn, round by round.

The upstream is a process of its own, so that its work is not counted. A machine is noisy: the figures of one round mean little,
the medians' ratio within one run means something, and nothing here is a pass or a fail.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
import json
from multiprocessing import get_context
from multiprocessing.connection import Connection
import statistics
import sys
import time

import aiohttp
from aiohttp import web
import orjson

from zeroconf_ai.backends.base import BackendInfo
from zeroconf_ai.backends.zeroconfai import Endpoint, ZeroconfAIBackend
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol import sse
from zeroconf_ai.protocol.request import Kind, Request

TOKENS = 1000
REQUESTS = 200
STREAMS = 8
WORKERS = 8
MODEL = "bench"


def _chunk(text: str | None, finish: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
    return sse.encode(orjson.dumps(head | {"choices": [choice]}))


def _upstream(port: Connection) -> None:
    """A server that answers at once, as fast as it can."""
    answer = orjson.dumps(
        {
            "object": "chat.completion",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2},
        }
    )
    # One write for each sixteen tokens: what a kernel makes of a fast model's small writes anyway.
    pieces = [b"".join(_chunk(f"word{number} ") for number in range(start, start + 16)) for start in range(0, TOKENS, 16)]

    async def chat(request: web.Request) -> web.StreamResponse:
        if not (await request.json()).get("stream"):
            return web.Response(body=answer, content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        await response.write(_chunk(None, "stop") + sse.DONE)
        return response

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": MODEL}]})

    async def serve() -> None:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/v1/chat/completions", chat)
        app.router.add_get("/v1/health", health)
        app.router.add_get("/v1/models", models)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


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
                results.setdefault(f"{name}|streamed tokens/s", []).append(STREAMS * TOKENS / seconds)
                results.setdefault(f"{name}|CPU ms per 1,000 streamed tokens", []).append(1000 * cpu / STREAMS)
        await engine.close()
    table: dict[str, dict[str, float]] = {}
    for key, values in results.items():
        name, _, figure = key.partition("|")
        table.setdefault(figure, {})[name] = statistics.median(values)
    return table


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="rounds whose median is taken")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_upstream, args=(theirs,), daemon=True)
    process.start()
    try:
        table = asyncio.run(_measure(ours.recv(), options.rounds))
    finally:
        process.terminate()
        process.join()
    if options.json:
        sys.stdout.write(json.dumps(table, indent=2) + "\n")
        return
    sys.stdout.write(f"{'':36}{'bare client':>14}{'engine':>14}{'ratio':>8}\n")
    for figure, by_name in table.items():
        bare, engine = by_name["bare client"], by_name["engine"]
        sys.stdout.write(f"{figure:36}{bare:>14,.2f}{engine:>14,.2f}{engine / bare:>8.2f}\n")


if __name__ == "__main__":
    main()
