"""Alerts about costs: once for each threshold and month, by mail, ntfy and webhook."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
import email
from email.message import Message
from pathlib import Path
import time
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
import pytest

from tests.support.waiting import until
from zeroconf_ai.accounting.usage.generation import Generation, Outcome, Recorders
from zeroconf_ai.accounting.usage.totals import Totals
from zeroconf_ai.alerts.alert import Alert, cost_alert
from zeroconf_ai.alerts.cost_watch import CostWatch
from zeroconf_ai.alerts.dispatcher import AlertError
from zeroconf_ai.alerts.mail import Mail
from zeroconf_ai.alerts.ntfy import Ntfy
from zeroconf_ai.cli.cost_alerts import watch_costs
from zeroconf_ai.config.alert_fields import CostAlert, SmtpSettings
from zeroconf_ai.config.server_fields import UsageSettings
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting

ALERT = cost_alert("2026-11", 40 * NANO, 41 * NANO, "USD")


def spend(amount: float, currency: str = "USD", created: float | None = None) -> Generation:
    return Generation(
        "g",
        created or time.time(),
        "http",
        "chat",
        "auto",
        Outcome.OK,
        backend_id="b",
        cost=round(amount * NANO),
        currency=currency,
    )


class Mailbox:
    """A mail server that takes everything, or refuses recipients."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.refuses = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                text = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(email.message_from_bytes(text.removesuffix(b".\r\n")))
                writer.write(b"250 taken\r\n")
            elif word == b"RCPT" and self.refuses:
                writer.write(b"550 no such mailbox\r\n")
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 fine\r\n")
        writer.close()

    @asynccontextmanager
    async def started(self) -> AsyncIterator[SmtpSettings]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        try:
            yield SmtpSettings("127.0.0.1", server.sockets[0].getsockname()[1], sender="ai@example.net")
        finally:
            server.close()


def test_cost_watch_tells_each_threshold_once_a_month_also_after_a_restart() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    totals = Totals(UTC, lambda _: now)
    found: list[tuple[int, str]] = []
    stored: dict[str, Any] = {}

    def remember(told: Any) -> None:
        stored.clear()
        stored.update({month: sorted(values) for month, values in told.items()})

    def notify(threshold: CostAlert, alert: Alert) -> None:
        found.append((threshold.value // NANO, alert.text()))

    thresholds = (CostAlert(50 * NANO), CostAlert(40 * NANO))
    recorders = Recorders(totals, CostWatch(totals, thresholds, notify, told={}, remember=remember))
    for amount in (39.0, 0.5, 1.0, 2.0):
        recorders.record(spend(amount, created=now.timestamp()))
    sentence = "40.50 USD were spent on AI in 2026-11; you wanted to know from 40.00 on."
    assert found == [(40, sentence)]
    assert stored == {"2026-11": [40 * NANO]}
    again = CostWatch(totals, thresholds, notify, told=stored, remember=remember)
    again.check()
    assert len(found) == 1
    Recorders(totals, again).record(spend(8, "EUR", now.timestamp()))
    assert [value for value, _ in found] == [40, 50]
    now = datetime(2026, 12, 1, tzinfo=UTC)
    Recorders(totals, again).record(spend(40, created=now.timestamp()))
    assert [value for value, _ in found] == [40, 50, 40]
    assert list(stored) == ["2026-12"]


async def test_mail_reaches_its_recipient_and_a_refusal_is_an_error() -> None:
    box = Mailbox()
    async with box.started() as server:
        await Mail(server, "admin@home.local").send(ALERT)
        (mail,) = box.mails
        assert (mail["To"], mail["From"]) == ("admin@home.local", "ai@example.net")
        assert mail["Subject"] == "AI cost: 40.00 reached"
        assert mail.get_payload() == "41.00 USD were spent on AI in 2026-11; you wanted to know from 40.00 on.\r\n"
        box.refuses = True
        with pytest.raises(AlertError, match="the mail server refused it"):
            await Mail(server, "admin@home.local").send(ALERT)
    with pytest.raises(AlertError, match="no connection to the mail server"):
        await Mail(server, "admin@home.local").send(ALERT)


async def test_ntfy_publishes_to_its_topic_and_names_it_in_no_error() -> None:
    bodies: list[Any] = []

    async def publish(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({}, status=200 if len(bodies) == 1 else 403)

    app = web.Application()
    app.router.add_post("/", publish)
    async with TestServer(app) as server, ClientSession() as session:
        sender = Ntfy(session, f"ntfy://127.0.0.1:{server.port}/secret_topic")
        await sender.send(ALERT)
        assert bodies == [{"topic": "secret_topic", "title": ALERT.title, "message": ALERT.text()}]
        with pytest.raises(AlertError, match="status 403"):
            await sender.send(ALERT)
    assert "secret" not in sender.name


async def test_serve_sends_its_alerts_and_remembers_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    posted: list[Any] = []

    async def hook(request: web.Request) -> web.Response:
        posted.append(await request.json())
        return web.Response()

    app, box = web.Application(), Mailbox()
    app.router.add_post("/hook", hook)
    async with TestServer(app) as server, box.started() as smtp:
        targets = ("admin@home.local", f"http://127.0.0.1:{server.port}/hook", "http://example.com/hook")
        usage = UsageSettings(alerts=(CostAlert(40 * NANO, targets), CostAlert(60 * NANO)), smtp=smtp)
        for _ in range(2):
            engine, totals = Engine(), Totals(UTC)
            async with AsyncExitStack() as stack:
                stack.callback(await engine.attach(Accounting(Recorders(totals))))
                await watch_costs(stack, engine, totals, usage)
                assert engine.recorder is not None
                engine.recorder.record(spend(45))

                async def told() -> bool:
                    return bool(box.mails and posted)

                await until(told)
            await engine.close()
    assert len(box.mails) == 1
    assert [(body["event"], body["threshold"], body["spent"]) for body in posted] == [("cost_threshold", 40.0, 45.0)]
