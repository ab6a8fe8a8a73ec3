"""`zeroconf-ai status`: the servers of this machine, or another one: providers, requests, costs, keys and budgets."""

import asyncio
from collections.abc import Mapping
import sys
from typing import Any, Final

import aiohttp
import click

from ..backends.base import BackendInfo, Endpoint
from ..backends.zeroconfai import ZeroconfAIBackend, fingerprint_ssl, probe
from ..client.connections import Wanted, base_url_of
from ..protocol.errors import (
    ApiError,
    AuthenticationError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from ..protocol.status import Health, ProviderStatus
from ..protocol.values import NANO, clean, mapping
from .admin_session import AdminSession
from .connecting import connect, connection_options, endpoint_at, wanted_of
from .discover import STATE_COLOURS
from .output import json_option, print_json
from .progress import progress
from .running import RunningServer, running_servers
from .tables import Column, Styled, print_table

NOT_RUNNING: Final = 3
"""The exit code if no server runs, as for `service status`."""
_PROVIDERS: Final = (
    Column("Provider", usual=20),
    Column("State", usual=12),
    Column("Running", rank=1, right=True),
    Column("Waiting", rank=3, right=True),
    Column("Today", rank=2, right=True),
    Column("Cost today", rank=4, right=True),
    Column("Models", usual=20, rank=5),
)
_BUDGETS: Final = (
    Column("Budget", usual=20),
    Column("Period", rank=2),
    Column("Spent", right=True),
    Column("Amount", right=True),
    Column("Used", rank=1, right=True),
)
_WARNING_PERCENT, _FULL_PERCENT = 80, 100
_NO_ADMINISTRATOR: Final = (AuthenticationError, PermissionDeniedError, NotFoundError, MethodNotAllowedError, RateLimitError)
"""Errors of the page for a key without administrator rights; RateLimitError after ten logins in a minute."""


@click.command("status")
@connection_options
@json_option
def command(provider: str | None, key: str | None, trust: bool, interfaces: tuple[str, ...], as_json: bool) -> None:
    """Show the servers that this user runs on this machine, or with --provider another server.

    An administrator's key shows providers, API keys and budgets; other keys show requests and costs. The exit code is 3 if no
    server runs.
    """
    wanted = wanted_of(provider, key, trust, interfaces)
    with progress("Asking the server"):
        found = asyncio.run(_local() if wanted.provider is None else _remote(wanted))
    if as_json:
        print_json({"servers": found})
    elif not found:
        click.echo("No server runs. Start one: zeroconf-ai serve. For another machine: --provider URL")
    else:
        for index, server in enumerate(found):
            if index:
                click.echo()
            _print(server)
    sys.exit(0 if found else NOT_RUNNING)


async def _local() -> list[dict[str, Any]]:
    """The state of each of this user's servers that answers."""
    found = await asyncio.gather(*map(_running, await asyncio.to_thread(running_servers)))
    return [server for server in found if server is not None]


async def _running(server: RunningServer) -> dict[str, Any] | None:
    """The state of a server with a file; None if it has crashed: no server or a different server answers at its address."""
    try:
        ssl = fingerprint_ssl(server.fingerprint) if server.fingerprint else True
        found = await _ask(Endpoint(server.url, ssl=ssl), server.secret, own=True)
    except (ApiError, ValueError):
        return None
    return None if found["id"] != server.id else {**found, "name": server.name, "page": server.page, "pid": server.pid}


async def _remote(wanted: Wanted) -> list[dict[str, Any]]:
    """The state of the server that --provider names. Raises ApiError."""
    url = base_url_of(wanted.provider or "")
    if url is not None:
        return [await _ask(await endpoint_at(url, wanted.key), wanted.key)]
    connections = await connect(wanted)
    try:
        backend = connections.members[0].backend
        assert isinstance(backend, ZeroconfAIBackend)
        endpoint = backend.endpoint
    finally:
        await connections.close()
    return [await _ask(endpoint, endpoint.key)]


async def _ask(endpoint: Endpoint, secret: str | None, *, own: bool = False) -> dict[str, Any]:
    """All data that the server shows to `secret`: an API key, or if `own`, the local secret. Raises ApiError."""
    async with aiohttp.ClientSession() as session:
        health = await probe(session, endpoint, endpoint.base_url)
        details = None if secret is None else await _as_administrator(endpoint, secret)
        reported = None
        if details is None:
            reported = await _reported(session, endpoint, demanded=not own and endpoint.key is not None)
    return _server(endpoint, health, details, reported)


async def _as_administrator(endpoint: Endpoint, secret: str) -> dict[str, Any] | None:
    """Live state, keys and budgets; None if the secret does not permit them or the server has no page."""
    try:
        async with AdminSession(endpoint, secret) as admin:
            live = await admin.live()
            try:
                keys, budgets = await admin.command("keys", {}), await admin.command("budgets", {})
            except NotFoundError:  # a server without a database
                keys, budgets = {}, {}
    except _NO_ADMINISTRATOR:
        return None
    return {"live": live, "keys": keys.get("keys"), "budgets": budgets.get("budgets"), "currency": budgets.get("currency")}


async def _reported(session: aiohttp.ClientSession, endpoint: Endpoint, *, demanded: bool) -> ProviderStatus | None:
    """The data that the server reports to any client. `demanded`: raises AuthenticationError for a wrong key."""
    backend = ZeroconfAIBackend(session, BackendInfo(endpoint.base_url, endpoint.base_url), endpoint)
    try:
        return await backend.status()
    except (AuthenticationError, PermissionDeniedError):
        if demanded:
            raise
        return None


def _server(
    endpoint: Endpoint, health: Health, details: Mapping[str, Any] | None, reported: ProviderStatus | None
) -> dict[str, Any]:
    """The JSON document of a server. None: unknown, or not shown to this key."""
    found: dict[str, Any] = {
        "name": health.provider or endpoint.base_url,
        "id": health.id,
        "url": endpoint.base_url,
        "page": None,
        "pid": None,
        "status": health.status,
        "version": health.version,
        "uptime_seconds": health.uptime_seconds,
        **dict.fromkeys(("running", "waiting", "requests_today", "cost_today", "cost_month", "home_only")),
        **dict.fromkeys(("providers", "keys", "budgets", "currency")),
    }
    if details is not None:
        live = mapping(details["live"])
        found |= {name: live.get(name) for name in ("waiting", "requests_today", "cost_today", "cost_month", "home_only")}
        found |= {"running": live.get("running_total"), "providers": live.get("members")}
        found |= {name: details[name] for name in ("keys", "budgets", "currency")}
    elif reported is not None:
        if reported.queue is not None:
            found |= {"running": reported.queue.active, "waiting": reported.queue.depth}
        for period, name in ((reported.today, "cost_today"), (reported.month, "cost_month")):
            if period is not None:
                cost = period.usage.cost
                found[name] = {} if cost is None else {period.currency: cost / NANO}
        if reported.today is not None:
            found["requests_today"] = reported.today.requests
    return found


def _print(server: Mapping[str, Any]) -> None:
    state = click.style(server["status"], fg={"ok": "green", "degraded": "yellow"}.get(server["status"], "red"))
    parts = [_duration(server["uptime_seconds"]), f"version {server['version']}" if server["version"] else ""]
    more = "".join(f", {clean(part)}" for part in parts if part)
    click.echo(f"{click.style(clean(server['name']), bold=True)}  {clean(server['url'])}  {state}{more}")
    if server["page"]:
        click.echo(f"Page: {clean(server['page'])}")
    if server["running"] is not None:
        click.echo(f"Requests: {server['running']} running, {server['waiting']} waiting{_used(server)}")
    if server["home_only"]:
        click.echo("No request leaves the home.")
    if (keys := server["keys"]) is not None:
        disabled = sum(1 for key in keys if not mapping(key).get("enabled"))
        click.echo(f"API keys: {len(keys)}" + (f" ({disabled} disabled)" if disabled else ""))
    if server["providers"] is None:
        click.secho("The key of an administrator shows more: --key", dim=True, err=True)
        return
    click.echo()
    print_table(_PROVIDERS, [_provider_row(mapping(member)) for member in server["providers"]])
    if server["budgets"]:
        click.echo()
        print_table(_BUDGETS, [_budget_row(mapping(budget), server["currency"] or "") for budget in server["budgets"]])


def _used(server: Mapping[str, Any]) -> str:
    if server["requests_today"] is None:
        return ""
    today, month = _money(server["cost_today"]), _money(server["cost_month"])
    return f"; {server['requests_today']} today" + (f" ({today})" if today else "") + (f", {month} this month" if month else "")


def _provider_row(member: Mapping[str, Any]) -> tuple[str | Styled, ...]:
    models = [str(mapping(model).get("id")) for model in member.get("models", ())]
    state = str(member.get("state")) if member.get("enabled", True) else "disabled"
    limit = member.get("limit")
    return (
        str(member.get("name")),
        Styled(state, STATE_COLOURS.get(state, "")),
        f"{member.get('running')}" + ("" if limit is None else f"/{limit}"),
        str(member.get("waiting")),
        str(member.get("requests_today")),
        _money(member.get("cost_today")),
        ", ".join(models) + (", …" if len(models) < member.get("models_total", 0) else ""),
    )


def _budget_row(budget: Mapping[str, Any], currency: str) -> tuple[str | Styled, ...]:
    percent = float(budget.get("percent") or 0)
    colour = "red" if percent >= _FULL_PERCENT else "yellow" if percent >= _WARNING_PERCENT else "green"
    return (
        str(budget.get("owner")),
        str(budget.get("period")),
        f"{budget.get('spent'):g} {currency}",
        f"{budget.get('amount'):g} {currency}",
        Styled(f"{percent:g} %", colour),
    )


def _money(costs: object) -> str:
    return ", ".join(f"{amount:.4g} {currency}" for currency, amount in sorted(mapping(costs).items()) if amount)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"up {seconds / size:.0f} {unit}"
    return f"up {seconds:.0f} s"
