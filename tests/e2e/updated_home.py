"""An updated home: the current version with an installation of an earlier version and its providers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import shutil
from typing import Any

import aiohttp
import pytest

from devhome.client import HomeClient, eventually
from devhome.home import Home
from devhome.namespaces import Lan
from tests.support.clouds.ollama import PLAIN, FakeOllama
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Reply
from tests.support.fakes.chunks import delta
from tests.support.fakes.provider import FakeProvider, running, usage

from .installation import Installation
from .sdks import CHAT_MODEL
from .steps import DOMAIN

STATISTICS_COMPONENT = Path(__file__).with_name("statistics_component.py")
HELLO = Reply("Hello there, this is the house.")
PERIOD = timedelta(minutes=5)
"""Of the recorder's short-term statistics."""
PERIODICAL = ("cost_today", "cost_month")
"""Sensors with the same value as `cost_total`, as long as all costs are of today."""
OFFICE_MODEL, ATTIC_MODEL = "office-model", "reporting-model"
OFFICE_ANSWER = [
    delta("Hello from the office.", role="assistant"),
    delta(finish="stop"),
    usage(12, 3, cost=0.0002, prompt_tokens_details={"cached_tokens": 4}),
]


class Office(FakeProvider):
    """The provider with costs in its answers."""

    def __init__(self) -> None:
        super().__init__(
            id="11111111-1111-4111-8111-111111111111",
            models=[{"id": OFFICE_MODEL, "context_window": 8192}],
            key="zai_example-household-key",
            answers=[OFFICE_ANSWER],
            port=8501,
        )


class Attic(FakeProvider):
    """The provider with costs in its status."""

    def __init__(self) -> None:
        reported = {"today": (2, 0.01), "month": (20, 0.1), "total": (200, 1.25)}
        periods = {
            period: {
                "requests": count,
                "prompt_tokens": 100 * count,
                "completion_tokens": 10 * count,
                "cost": cost,
                "currency": "EUR",
            }
            for period, (count, cost) in reported.items()
        }
        super().__init__(
            id="22222222-2222-4222-8222-222222222222",
            models=[{"id": ATTIC_MODEL, "context_window": 8192}],
            status={"object": "status", "id": "22222222-2222-4222-8222-222222222222", "version": "1.0", "usage": periods},
            answers=[[delta("Hello from the attic.", role="assistant"), delta(finish="stop"), usage(12, 3)]],
            host="127.0.0.2",
            port=8502,
        )


class Cloud(FakeOpenAI):
    """The gateway's metered backend."""

    port = 8503


class Basement(FakeOllama):
    """The gateway's local backend."""

    port = 8504


@dataclass
class Updated:
    """The home after the update."""

    former: Installation
    home: Home
    client: HomeClient
    office: Office
    started: datetime
    """The start of the statistics period in which the home was started."""

    async def chat(self, secret: str, model: str) -> tuple[int, dict[str, Any]]:
        """A request to the gateway: status and body of the answer."""
        body = {"model": model, "messages": [{"role": "user", "content": "How warm is the kitchen?"}]}
        return await self._request("POST", "/v1/chat/completions", secret, body)

    async def get(self, path: str, secret: str) -> dict[str, Any]:
        """A request to the gateway that has to succeed."""
        status, answer = await self._request("GET", path, secret)
        assert status == 200, answer
        return answer

    async def _request(self, method: str, path: str, secret: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {secret}"}) as session,
            session.request(method, f"{self.home.url}{path}", json=body) as response,
        ):
            return response.status, await response.json() if response.content_type == "application/json" else {}

    async def says(self, agent: str) -> str:
        """The answer of an agent."""
        data = {"agent_id": agent, "text": "Tell me something"}
        result = await self.client.call_service("conversation", "process", data, response=True)
        return str(result["response"]["speech"]["plain"]["speech"])

    async def states(self) -> dict[str, dict[str, Any]]:
        """By unique id: the state objects of this integration's entities."""
        registry = await self.client.call("config/entity_registry/list")
        states = await self.client.states()
        return {
            entry["unique_id"]: states[entry["entity_id"]]
            for entry in registry
            if entry["platform"] == DOMAIN and entry["entity_id"] in states
        }

    async def until_loaded(self) -> None:
        """Wait until the models of the providers and backends are loaded."""
        entries = [entry["entry_id"] for entry in self.former.entries()]

        async def loaded() -> bool:
            states = await self.states()
            return all(states.get(f"{entry}_status", {}).get("state") in ("healthy", "running") for entry in entries)

        async def served() -> bool:
            status, answer = await self._request("GET", "/v1/models", self.former.secrets["First key"])
            listed = {model["id"] for model in answer["data"]} if status == 200 else set()
            return listed >= {CHAT_MODEL, PLAIN, OFFICE_MODEL, ATTIC_MODEL}

        await eventually(loaded)
        if self.former.has_gateway:
            await eventually(served)

    async def until_totals(self, growth: Mapping[str, float]) -> None:
        """Wait until every total is its former value plus its growth. Fails with the totals that are not."""
        wrong: dict[str, Any] = {}

        async def look() -> bool:
            states = await self.states()
            wrong.clear()
            for unique_id, before in self.former.totals().items():
                state = states[unique_id]["state"] if unique_id in states else None
                wanted = before + growth.get(unique_id, 0)
                if state in (None, "unknown", "unavailable") or float(state) != pytest.approx(wanted, abs=1e-9):
                    wrong[self.former.entities[unique_id]["entity_id"]] = (state, wanted)
            return not wrong

        try:
            await eventually(look, timeout=10)
        except TimeoutError:
            pytest.fail(f"(shown, expected): {wrong}")

    async def compile_statistics(self) -> None:
        """Compile all periods since the start, including the current one, and the sums of the next hour."""
        start, now = self.started, datetime.now(UTC)
        while start <= now:
            await self._compile_period(start)
            start += PERIOD
        await self._compile_period(self.coming_hour + timedelta(hours=1) - PERIOD)

    async def _compile_period(self, start: datetime) -> None:
        await self.client.call_service("compile_statistics", "run", {"start": start.isoformat()})

    @property
    def coming_hour(self) -> datetime:
        """The hour after the one in which it was started."""
        return self.started.replace(minute=0) + timedelta(hours=1)

    async def wrong_sums(self, growth: Mapping[str, float]) -> dict[str, Any]:
        """By entity id: wrong long-term sums at the end of the coming hour, as (sum, expected: former sum plus growth).

        Totals that are reset with each day or month are left out.
        """
        before = {
            self.former.entities[unique_id]["entity_id"]: unique_id
            for unique_id in self.former.totals()
            if not unique_id.endswith(PERIODICAL)
        }
        command, start = "recorder/statistics_during_period", self.coming_hour.isoformat()
        found = await self.client.call(command, start_time=start, period="hour", statistic_ids=list(before), types=["sum"])
        wrong = {}
        for entity_id, unique_id in before.items():
            shown = found[entity_id][-1]["sum"] if entity_id in found else None
            expected = self.former.expected["sums"][entity_id] + growth.get(unique_id, 0)
            if shown != pytest.approx(expected, abs=1e-9):
                wrong[entity_id] = (shown, expected)
        return wrong


def install_statistics_component(config: Path) -> None:
    folder = config / "custom_components" / "compile_statistics"
    folder.mkdir(parents=True)
    shutil.copy(STATISTICS_COMPONENT, folder / "__init__.py")
    manifest = {
        "domain": folder.name,
        "name": "Compile statistics",
        "codeowners": [],
        "dependencies": ["recorder"],
        "documentation": "https://example.com",
        "iot_class": "calculated",
        "version": "1.0.0",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (config / "packages").mkdir()
    (config / "packages" / "statistics.yaml").write_text("compile_statistics:\n", encoding="utf-8")


@asynccontextmanager
async def updated_home(lan: Lan, config: Path, former: Installation) -> AsyncIterator[Updated]:
    """Restore the installation into the folder and start the current version with it."""
    former.restore(config)
    install_statistics_component(config)
    home = Home(config, host=lan.host("tester"))
    async with AsyncExitStack() as stack:
        office = Office()
        await stack.enter_async_context(running(office))
        await stack.enter_async_context(running(Attic()))
        await stack.enter_async_context(Cloud(HELLO, key="sk-example-openai"))
        await stack.enter_async_context(Basement(HELLO))
        stack.callback(home.kill)
        now = datetime.now(UTC)
        await home.start()
        client = await stack.enter_async_context(home.client())
        started = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0)
        updated = Updated(former, home, client, office, started)
        await updated.until_loaded()
        yield updated
