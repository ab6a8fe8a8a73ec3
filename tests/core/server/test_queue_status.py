"""`/v1/status` on load: how many run and wait, and where one's own requests stand; and the headers of sessions."""

import asyncio
from typing import override

from aiohttp import web

from tests.support.fakes.upstream import StubBackend
from tests.support.server import CHAT, served
from tests.support.waiting import until
from zeroconf_ai.engine import Caller, Source
from zeroconf_ai.protocol.errors import UpstreamError
from zeroconf_ai.server.access.auth import Access

HI = {"role": "user", "content": "Hi"}
ASK = CHAT | {"model": "m"}


class ByName(Access):
    """Accepts the key that a header names."""

    @property
    @override
    def required(self) -> bool:
        return True

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        return Caller(Source.HTTP, key_id=request.headers.get("X-Name"))


async def test_status_has_the_callers_positions_and_the_total() -> None:
    go_on = asyncio.Event()
    backend = StubBackend("a", go_on)
    async with served(backend, access=ByName()) as gateway:
        member = next(iter(gateway.engine.pool))
        member.limiter.limit = 1
        member.limiter.mean_seconds = 4.0
        asking = []
        for number, (name, request_id) in enumerate((("one", "r0"), ("one", "r1"), ("two", "r2"), ("one", "r3"))):
            headers = {"X-Name": name, "X-Request-ID": request_id}
            asking.append(asyncio.create_task(gateway.ask("POST", "chat/completions", json=ASK, headers=headers)))
            await until(lambda number=number: (member.active, member.limiter.waiting) == (1, number))  # type: ignore[misc]
        seen = {}
        for asker in ("one", "two", "three", None):
            _, body, _ = await gateway.get("status", headers={"X-Name": asker} if asker else {})
            queue = body["queue"]
            assert (queue["depth"], queue["active"], queue["max_concurrent"]) == (3, 1, 1)
            assert queue["estimated_wait_seconds"] == 16.0
            seen[asker] = [(at["id"], at["position"], at["estimated_wait_seconds"]) for at in queue.get("waiting", [])]
        go_on.set()
        assert [status for status, _, _ in await asyncio.gather(*asking)] == [200] * 4
    assert seen == {
        "one": [("r1", 1, 4.0), ("r3", 3, 12.0)],
        "two": [("r2", 2, 8.0)],
        "three": [],
        None: [("r1", 1, 4.0), ("r2", 2, 8.0), ("r3", 3, 12.0)],
    }


async def test_status_includes_the_gateways_limit_and_queue() -> None:
    go_on = asyncio.Event()
    async with served(StubBackend("a", go_on)) as gateway:
        gateway.engine.limiter.limit = 2
        asking = [asyncio.create_task(gateway.ask("POST", "chat/completions", json=ASK)) for _ in range(5)]
        await until(lambda: gateway.engine.limiter.waiting == 3)
        queue = (await gateway.get("status"))[1]["queue"]
        go_on.set()
        await asyncio.gather(*asking)
    assert (queue["depth"], queue["active"], queue["max_concurrent"]) == (3, 2, 2)
    assert len(queue["waiting"]) == 3


async def test_session_handover_is_reported_in_a_header() -> None:
    first, second = StubBackend("a", priority=1), StubBackend("b", priority=2)
    headers = {"X-Session-ID": "a conversation"}
    async with served(first, second) as gateway:
        _, _, before = await gateway.ask("POST", "chat/completions", json=ASK, headers=headers)
        first.outcomes = [UpstreamError("down", retry_after=1)]
        _, _, after = await gateway.ask("POST", "chat/completions", json=ASK, headers=headers)
        _, _, later = await gateway.ask("POST", "chat/completions", json=ASK, headers=headers)
    assert "X-ZeroconfAI-Session" not in before
    assert after["X-ZeroconfAI-Session"] == 'migrated; from="A"; to="B"; summarized=0'
    assert "X-ZeroconfAI-Session" not in later
    assert later["X-ZeroconfAI-Provider"] == "B"


async def test_session_without_id_keeps_its_backend() -> None:
    backends = [StubBackend(name) for name in "abc"]
    begun = {"model": "auto", "messages": [HI]}
    goes_on = [HI, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "And?"}]
    async with served(*backends) as gateway:
        _, _, headers = await gateway.ask("POST", "chat/completions", json=begun)
        first = headers["X-ZeroconfAI-Provider"]
        for _ in range(5):
            _, _, headers = await gateway.ask("POST", "chat/completions", json=begun | {"messages": goes_on})
            assert headers["X-ZeroconfAI-Provider"] == first
