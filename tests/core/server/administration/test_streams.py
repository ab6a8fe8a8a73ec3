"""The live state of the page of a server, as server-sent events."""

import json

from tests.support.server import CHAT, served
from tests.support.waiting import until
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.administration.administration import Administration
from zeroconf_ai.server.administration.live_stream import STREAM_LIMIT
from zeroconf_ai.server.gateway import Gateway

from .browser import MODEL, POLICY, Browser, Site, event_of


async def test_administration_streams_of_a_session_are_bounded(owner: Browser) -> None:
    async with owner.live() as first:
        await event_of(first)
        opened = [owner.live() for _ in range(STREAM_LIMIT)]
        statuses = [(await stream.__aenter__()).status for stream in opened]
        assert statuses == [200] * (STREAM_LIMIT - 1) + [429]
        for stream in opened:
            await stream.__aexit__(None, None, None)

    async def reopened() -> bool:
        async with owner.live() as response:
            return response.status == 200

    await until(reopened)


async def test_administration_stream_follows_requests_and_their_costs(owner: Browser, site: Site) -> None:
    async with owner.live() as response:
        first = json.loads((await event_of(response)).removeprefix("data: "))
        assert (first["requests_today"], first["running"]) == (0, [])
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Content-Security-Policy"] == POLICY
        _, secret = await site.store.keys.create("Laptop")
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await site.server.ask("POST", "chat/completions", json=CHAT | {"model": "auto"}, headers=headers))[0] == 200
        while True:
            state = json.loads((await event_of(response)).removeprefix("data: "))
            if state["last_answer"] is not None:
                break
        assert state["last_answer"]["model"] == MODEL


async def test_administration_streams_end_with_the_server(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Owner", endpoints=("admin",))

    def administration(gateway: Gateway) -> Administration:
        return Administration(gateway, store)

    async with served(access=Guard(store.keys), ledger=store.ledger, administration=administration) as server:
        browser = Browser(server, {})
        await browser.log_in(secret)
        async with browser.live() as response:
            await event_of(response)
            await server.runner.cleanup()
            assert b"event: end" in await response.read()
