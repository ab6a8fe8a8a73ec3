"""`/v1/metrics`: bounded metrics of requests and backends without private data."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
import pytest

from zeroconf_ai.accounting.budget import Scope, make_budget
from zeroconf_ai.accounting.budgets.budget_store import BudgetState
from zeroconf_ai.accounting.periods import Period, window
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.backends.base import Backend
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.errors import UpstreamConnectionError
from zeroconf_ai.protocol.request import Urgency
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.routing.pool.pool import Pool
from zeroconf_ai.server import metrics as module
from zeroconf_ai.server.metrics import Metrics

from ...support.fakes.upstream import StubBackend
from ...support.server import CHAT, KEY, Served, served
from ...support.waiting import next_turn


@asynccontextmanager
async def measured(*backends: Backend, **options: Any) -> AsyncIterator[Served]:
    """A gateway that keeps metrics."""
    async with served(*backends, **options) as gateway:
        metrics = Metrics(gateway.engine.pool, gateway.engine.limiter)
        await gateway.engine.attach(Accounting(metrics))
        gateway.gateway.metrics = metrics
        yield gateway
        metrics.close()


async def scraped(gateway: Served, path: str = "/v1/metrics", **options: Any) -> dict[tuple[str, ...], float]:
    """The value by (name, *label values in the labels' order)."""
    async with gateway.session.get(f"http://127.0.0.1:{gateway.port}{path}", **options) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert response.headers["X-Request-ID"]
        return samples(await response.text())


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_count_requests_tokens_and_durations() -> None:
    async with measured(StubBackend("one", models=["test-model"])) as gateway:
        for stream in (False, True):
            async with gateway.session.post(f"{gateway.url}/chat/completions", json=CHAT | {"stream": stream}) as response:
                assert response.status == 200
                await response.read()
        found = await scraped(gateway)
        assert found == await scraped(gateway, "/metrics") | {
            key: value for key, value in found.items() if key[0].endswith("_created")
        }
    labels = ("chat/completions", "test-model", "One")
    assert found["local_ai_requests_total", *labels, "ok"] == 2
    assert found["local_ai_request_duration_seconds_count", *labels] == 2
    assert found["local_ai_time_to_first_token_seconds_count", *labels] == 2
    assert found["local_ai_tokens_total", "test-model", "One", "prompt"] > 0
    assert found["local_ai_tokens_total", "test-model", "One", "completion"] > 0


async def test_metrics_count_failures_and_failovers() -> None:
    broken = StubBackend("one", UpstreamConnectionError("refused"), models=["test-model"], priority=1)
    other = StubBackend("two", models=["test-model"], priority=2)
    async with measured(broken, other) as gateway:
        assert (await gateway.ask("POST", "chat/completions", json=CHAT))[0] == 200
        found = await scraped(gateway)
    assert found["local_ai_provider_failover_total", "One", "Two"] == 1
    assert found["local_ai_requests_total", "chat/completions", "test-model", "Two", "ok"] == 1


async def test_metrics_show_the_backends_current_state() -> None:
    one, off = StubBackend("one"), StubBackend("off")
    async with measured(one, off) as gateway:
        member = gateway.engine.pool.get("off")
        assert member is not None
        member.enabled = False
        found = await scraped(gateway)
    assert found["local_ai_provider_health", "One"] == 1
    assert found["local_ai_provider_health", "Off"] == 0
    assert found["local_ai_provider_active_requests", "One"] == 0
    assert found["local_ai_provider_queue_depth", "One"] == 0


async def test_metrics_show_requests_waiting_at_the_gateway() -> None:
    async with measured(StubBackend("one")) as gateway:
        slots = gateway.engine.limiter
        slots.limit = 1
        with await slots.acquire(Urgency.NORMAL):
            waiting = asyncio.create_task(slots.acquire(Urgency.NORMAL))
            await next_turn()
            assert (await scraped(gateway))["local_ai_queue_depth",] == 1
        (await waiting).release()
        assert (await scraped(gateway))["local_ai_queue_depth",] == 0


def test_metrics_token_rate_starts_with_the_first_token() -> None:
    metrics = Metrics(Pool())
    metrics.record(_generation(usage=Usage(3, 11), stream=True, first_token=4.0, duration=6.0))  # 10 tokens in 2 s
    metrics.record(_generation(usage=Usage(3, 4), first_token=2.0, duration=2.0))  # 4 tokens in 2 s: all came at once
    metrics.record(_generation(usage=Usage(3, 4), outcome=Outcome.CANCELLED, duration=2.0))
    found = samples(metrics.render().decode())
    assert found["local_ai_output_tokens_per_second_sum", "m", "B"] == 5 + 2
    assert found["local_ai_output_tokens_per_second_count", "m", "B"] == 2


def test_metrics_errors_are_separated_by_known_codes() -> None:
    metrics = Metrics(Pool())
    for code in ("rate_limit_exceeded", "budget_exceeded", "budget_exceeded", "made_up_by_an_upstream", None):
        metrics.record(_generation(outcome=Outcome.ERROR, error_code=code))
    found = {key: value for key, value in samples(metrics.render().decode()).items() if key[0] == "local_ai_errors_total"}
    assert {key[1]: value for key, value in found.items()} == {"rate_limit_exceeded": 1, "budget_exceeded": 2, "other": 2}


async def test_metrics_budgets_of_keys_and_users_are_anonymous() -> None:
    engine = Engine()
    engine.add(StubBackend("one"))
    engine.add(StubBackend("two"), Terms(monthly_limit=8 * NANO)).month_cost = 6 * NANO
    metrics = Metrics(engine.pool)
    budgets = [
        _spent(4 * NANO, Scope.HOUSEHOLD, None, 10 * NANO, Period.MONTH),
        _spent(3 * NANO, Scope.BACKEND, "one", 2 * NANO, Period.DAY),
        _spent(0, Scope.BACKEND, "gone", NANO, Period.DAY),
        _spent(NANO // 4, Scope.KEY, "key-7", NANO, Period.DAY),
        _spent(NANO // 2, Scope.KEY, "key-8", NANO, Period.DAY),
        _spent(0, Scope.USER, "user-7", 0, Period.WEEK),
    ]
    metrics.watch_budgets(lambda: budgets)
    text = metrics.render().decode()
    found = {key: value for key, value in samples(text).items() if key[0].startswith("local_ai_budget")}
    await engine.close()
    assert found == {
        ("local_ai_budget_used_ratio", "month", "none", "household"): 0.4,
        ("local_ai_budget_used_ratio", "day", "One", "backend"): 1.5,
        ("local_ai_budget_used_ratio", "month", "Two", "backend"): 0.75,
        ("local_ai_budget_used_ratio", "day", "none", "key"): 0.5,
        ("local_ai_budget_used_ratio", "week", "none", "user"): 1,
        ("local_ai_budget_left", "month", "none", "household"): 6,
        ("local_ai_budget_left", "day", "One", "backend"): 0,
        ("local_ai_budget_left", "month", "Two", "backend"): 2,
    }
    assert not [word for word in ("key-7", "key-8", "user-7") if word in text]


async def test_metrics_backends_with_one_name_are_merged() -> None:
    engine = Engine()
    for name in ("ONE", "one"):
        engine.add(StubBackend(name))
    engine.pool.record_failure(next(iter(engine.pool)), UpstreamConnectionError("gone"))
    metrics = Metrics(engine.pool)
    assert samples(metrics.render().decode())["local_ai_provider_health", "One"] == 1
    metrics.close()
    await engine.close()


async def test_metrics_unknown_model_adds_no_series() -> None:
    async with measured(StubBackend("one", models=["test-model"])) as gateway:
        for number in range(3):
            status, _, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"model": f"made-up-{number}"})
            assert status == 404
        async with gateway.session.get(f"{gateway.url}/metrics") as response:
            text = await response.text()
    assert "made-up" not in text
    assert samples(text)["local_ai_requests_total", "chat/completions", "none", "none", "error"] == 3


def test_metrics_number_of_labels_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_NAMES", 5)
    metrics = Metrics(Pool())
    for number in range(20):
        metrics.record(_generation(model=f"model-{number}", backend_name=f"backend-{number}"))
    found = samples(metrics.render().decode())
    assert len([key for key in found if key[0] == "local_ai_requests_total"]) == 6
    assert found["local_ai_requests_total", "chat/completions", "other", "other", "ok"] == 15


def test_metrics_cost_is_in_units_without_callers() -> None:
    metrics = Metrics(Pool())
    metrics.record(_generation(cost=1_500_000_000, caller="Ada", key_id="key-7", user_id="user-7", address="192.0.2.7"))
    text = metrics.render().decode()
    assert samples(text)["local_ai_cost_total", "m", "B"] == 1.5
    assert not [word for word in ("Ada", "key-7", "user-7", "192.0.2.7") if word in text]


async def test_metrics_require_the_key() -> None:
    async with measured(key=KEY) as gateway:
        status, body, _ = await gateway.get("metrics")
        assert (status, body["error"]["code"]) == (401, "missing_api_key")
        assert await scraped(gateway, headers={"Authorization": f"Bearer {KEY}"})


async def test_metrics_disabled_are_a_404() -> None:
    async with served() as gateway:
        status, body, _ = await gateway.get("metrics")
    assert (status, body["error"]["type"]) == (404, "invalid_request_error")


def _spent(spent: int, scope: Scope, subject: str | None, amount: int, period: Period) -> BudgetState:
    return BudgetState(make_budget(scope, subject, amount, period), window(period, 0.0, UTC), spent, 0)


def _generation(**changes: Any) -> Generation:
    known: dict[str, Any] = {
        "id": "x",
        "created": 0.0,
        "source": "http",
        "kind": "chat/completions",
        "requested_model": "m",
        "outcome": Outcome.OK,
        "model": "m",
        "backend_name": "B",
        "usage": Usage(3, 4),
    }
    return Generation(**known | changes)


def test_metrics_count_seconds_heard_and_characters_spoken() -> None:
    metrics = Metrics(Pool())
    for kind, usage in (
        ("audio/transcriptions", Usage(audio_seconds=90.5)),
        ("audio/speech", Usage(speech_characters=12)),
        ("audio/speech", Usage(speech_characters=30)),
    ):
        metrics.record(Generation("g", 0.0, "http", kind, "auto", Outcome.OK, model="m", backend_name="Attic", usage=usage))
    found = samples(metrics.render().decode())
    metrics.close()
    assert found["local_ai_audio_seconds_total", "m", "Attic"] == 90.5
    assert found["local_ai_speech_characters_total", "m", "Attic"] == 42
