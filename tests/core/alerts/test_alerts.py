"""Alerts: their texts, which are sent, and the results of senders."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC
import json
import logging
from typing import Any, override

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
import pytest

from zeroconf_ai.accounting.budget import BudgetEvent, Scope, make_budget
from zeroconf_ai.accounting.keys.key_watch import HourlyUse, UnusualUse
from zeroconf_ai.accounting.periods import Period, Window
from zeroconf_ai.alerts.alert import (
    Alert,
    AlertKind,
    budget_alert,
    cost_alert,
    discovered_alert,
    key_alert,
    link_alert,
    link_restored_alert,
    loss_alert,
    provider_alert,
    trial_alert,
)
from zeroconf_ai.alerts.dispatcher import MAX_ALERTS, REPEAT_SECONDS, AlertDispatcher, AlertError, Delivery, Sender
from zeroconf_ai.alerts.webhook import Webhook
from zeroconf_ai.protocol.values import NANO

HOSTILE = "{name} [x](http://x) {0.__class__}"
BUDGET = make_budget(Scope.KEY, "k1", 5 * NANO, Period.MONTH)
MONTH = Window("1970-01-01", 0.0, 31 * 86400.0)


def every_alert(name: str) -> list[Alert]:
    """One alert of each kind about something with this name."""
    return [
        budget_alert(BudgetEvent(BUDGET, 80, 4 * NANO, MONTH), name, name, UTC),
        budget_alert(BudgetEvent(BUDGET, 100, 5 * NANO, MONTH, refused=True), name, "EUR", UTC),
        key_alert(UnusualUse("k1", 3600.0, 500, 9000, HourlyUse(2, 30)), name),
        provider_alert([("a", name, f"{name}: {name}")], up=False),
        provider_alert([("a", name, None)], up=True),
        discovered_alert("a", name, name),
        loss_alert(),
        cost_alert("2026-11", 40 * NANO, 41 * NANO, name),
        link_alert("house-1", name, f"no connection to {name}", 5),
        link_restored_alert("house-1", name),
        trial_alert(name),
    ]


def test_alerts_have_one_sentence_with_the_texts_of_others_quoted_and_facts_as_json() -> None:
    alerts = every_alert(HOSTILE)
    assert {alert.kind for alert in alerts} == set(AlertKind)
    for alert in alerts:
        assert HOSTILE not in alert.text(lambda _: "?")
        assert alert.text().endswith(".")
        assert json.loads(json.dumps(alert.to_json()))["event"] == alert.kind.value
        assert alert.title


def test_alert_of_a_budget_says_what_is_spent_and_when_it_renews() -> None:
    text = every_alert("Tablet")[0].text()
    assert text == "4.00 of 5.00 Tablet of Tablet's budget for this month are spent. It renews on 1970-02-01."
    assert "does not pay for another request" in every_alert("Tablet")[1].text()


def test_alert_of_many_providers_names_some_and_counts_the_rest() -> None:
    many = [(str(number), f"Box {number}", None) for number in range(40)]
    assert provider_alert(many, up=False).text() == "Box 0, Box 1, Box 2, Box 3, Box 4 and 35 more do not answer."
    assert provider_alert(many[:1], up=True).text() == "Box 0 answers again."
    one = provider_alert([("a", "Attic", "Attic: the connection was refused.")], up=False)
    assert one.text() == "Attic does not answer (the connection was refused)."


class Remembered(Sender):
    """Keeps what it gets."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.got: list[Alert] = []
        self.fault = fault

    @property
    @override
    def name(self) -> str:
        return "memory"

    @override
    async def send(self, alert: Alert) -> None:
        self.got.append(alert)
        if self.fault is not None:
            raise self.fault


class Case:
    """A dispatcher with a clock, whose tasks are run by `settle`."""

    def __init__(self, *senders: Sender, unwanted: tuple[AlertKind, ...] = ()) -> None:
        self.now = 0.0
        self.tasks: list[Coroutine[Any, Any, Any]] = []
        self.dispatcher = AlertDispatcher(
            lambda _: senders, lambda kind: kind not in unwanted, lambda task, _: self.tasks.append(task), lambda: self.now
        )

    async def settle(self) -> None:
        tasks, self.tasks = self.tasks, []
        await asyncio.gather(*tasks)


async def test_alert_is_sent_once_and_again_after_ten_minutes() -> None:
    memory = Remembered()
    case = Case(memory)
    down, other = (provider_alert([(name, name, None)], up=False) for name in "ab")
    assert [case.dispatcher.notify(alert) for alert in (down, down, other)] == [True, False, True]
    case.now = REPEAT_SECONDS
    assert case.dispatcher.notify(down)
    await case.settle()
    assert memory.got == [down, other, down]


async def test_alerts_of_unwanted_kinds_are_not_sent_but_a_test_is() -> None:
    memory = Remembered()
    case = Case(memory, unwanted=(AlertKind.PROVIDER_UP, AlertKind.TEST))
    assert not case.dispatcher.notify(provider_alert([("a", "A", None)], up=True))
    assert await case.dispatcher.deliver(trial_alert("Home")) == [Delivery("memory", None)]
    assert [alert.kind for alert in memory.got] == [AlertKind.TEST]


async def test_alerts_in_a_flood_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    memory = Remembered()
    case = Case(memory)
    with caplog.at_level(logging.WARNING):
        sent = [case.dispatcher.notify(discovered_alert(str(number), "x", "y")) for number in range(1000)]
    await case.settle()
    assert sum(sent) == len(memory.got) == MAX_ALERTS
    assert "not sent" in caplog.text
    case.now = REPEAT_SECONDS
    assert case.dispatcher.notify(loss_alert())
    await case.settle()


async def test_alert_sender_that_fails_is_reported_and_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    memory = Remembered()
    case = Case(Remembered(AlertError("no credit")), Remembered(RuntimeError("token=secret")), Remembered(TimeoutError()), memory)
    results = await case.dispatcher.deliver(trial_alert("Home"))
    assert [result.error is None for result in results] == [False, False, False, True]
    assert results[0].error == "no credit"
    assert "secret" not in str(results)
    assert len(memory.got) == 1


async def test_webhook_gets_the_facts_and_its_errors_name_only_the_host() -> None:
    got: list[Any] = []

    async def hook(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response(status=500 if len(got) > 1 else 204)

    app = web.Application()
    app.router.add_post("/hook", hook)
    async with TestServer(app) as server, ClientSession() as session:
        webhook = Webhook(session, f"{server.make_url('/hook')}?token=secret")
        assert webhook.name == "127.0.0.1"
        await webhook.send(trial_alert("Home"))
        assert got == [{"event": "test", "name": "Home"}]
        with pytest.raises(AlertError, match="status 500"):
            await webhook.send(trial_alert("Home"))
        with pytest.raises(AlertError) as raised:
            await Webhook(session, "http://127.0.0.1:9/hook?token=secret").send(trial_alert("Home"))
        assert "secret" not in str(raised.value)
