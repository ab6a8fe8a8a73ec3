"""What a connector answers, whatever the house asks."""

from datetime import datetime, timedelta
import json

from tests.core.server.test_in_process import JSON, Kept, chat, parts_of
from tests.support.server import served
from zeroconf_ai.accounting.limits.opening_hours import OpeningHours
from zeroconf_ai.server.access.relayed import House, RelayedAccess
from zeroconf_ai.server.in_process import InProcess

HOUSE = House("house-1", "Home")


async def test_request_over_a_link_is_answered_and_one_on_a_port_is_not() -> None:
    """A port that is opened by mistake gives nothing away."""
    async with served(access=RelayedAccess()) as gateway:
        found = Kept()
        await InProcess(gateway.runner).answer("POST", "/v1/chat/completions", JSON, parts_of(chat()), found, HOUSE)
        assert found.status == 200
        status, body, _ = await gateway.ask("POST", "chat/completions", json=json.loads(chat()))
        assert (status, body["error"]["code"]) == (403, "network_not_allowed")


async def test_model_that_is_not_allowed_is_neither_listed_nor_answered() -> None:
    """The patterns hold for lists, single models and requests."""
    async with served(access=RelayedAccess(("demo-e*",))) as gateway:
        server, listed, asked = InProcess(gateway.runner), Kept(), Kept()
        await server.answer("GET", "/v1/models", JSON, parts_of(), listed, HOUSE)
        assert [model["id"] for model in listed.json()["data"]] == ["demo-embed"]
        await server.answer("POST", "/v1/chat/completions", JSON, parts_of(chat()), asked, HOUSE)
        assert (asked.status, asked.json()["error"]["code"]) == (403, "model_not_allowed")


async def test_request_outside_the_hours_is_refused_until_they_begin() -> None:
    """Health says so, too, so that the house asks another provider."""
    start = datetime.now().astimezone() + timedelta(hours=2)
    hours = OpeningHours.parse([f"{start:%H:%M}-{start + timedelta(hours=1):%H:%M}"])
    async with served(access=RelayedAccess()) as gateway:
        server = InProcess(gateway.runner)
        gateway.gateway.opening = hours
        asked, health = Kept(), Kept()
        await server.answer("POST", "/v1/chat/completions", JSON, parts_of(chat()), asked, HOUSE)
        assert (asked.status, asked.json()["error"]["code"]) == (503, "outside_hours")
        assert str(hours) in asked.json()["error"]["message"]
        assert 3600 < int(asked.headers["retry-after"]) <= 2 * 3600
        await server.answer("GET", "/v1/health", JSON, parts_of(), health, HOUSE)
        assert (health.status, health.json()["status"]) == (503, "unavailable")


async def test_status_over_a_link_tells_the_limit_of_parallel_requests() -> None:
    """So the house sends no more than that, and chooses by load."""
    async with served(access=RelayedAccess()) as gateway:
        gateway.engine.limiter.limit = 2
        found = Kept()
        await InProcess(gateway.runner).answer("GET", "/v1/status", JSON, parts_of(), found, HOUSE)
        assert found.json()["queue"]["max_concurrent"] == 2
