"""`zeroconf-ai doctor`: why providers are not found, by interface."""

import asyncio
from contextlib import AsyncExitStack
import shutil
import sys
from textwrap import fill
from typing import Any, Final

import aiohttp
import click

from ..admin.doctor import SECTIONS, Examination, Serve, examine
from ..engine import ask_health
from ..lan.discovery import DiscoveryManager
from ..lan.providers import Provider
from ..lan.trust import TrustStore
from ..presence.local_engines import url_of
from . import state
from .discover import provider_json
from .doctor_texts import HEADINGS, sentence
from .network import open_zeroconf
from .output import json_option, print_json
from .progress import progress

_COLOURS: Final = {"ok": "green", "hint": "yellow", "problem": "red"}
_INDENT: Final = 11
_PIPE_WIDTH: Final = 120


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check why providers are not found, or why this one is not: network, firewall, providers, and this machine's servers.

    The exit code is 1 if something is wrong.
    """
    with progress("Looking and listening for about eight seconds"):
        examined = asyncio.run(_examine())
    if as_json:
        print_json(_as_json(examined))
    else:
        _print(examined)
    sys.exit(0 if examined.ok else 1)


async def _examine() -> Examination:
    serve = await asyncio.to_thread(_serve)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        try:
            providers = await _providers(session)
        except click.ClickException:
            providers = []  # no multicast DNS; the check of the interfaces reports the reason
        return await examine(session, providers, serve)


async def _providers(session: aiohttp.ClientSession) -> list[Provider]:
    """The providers on the network. Raises click.ClickException if multicast DNS is not available."""
    async with open_zeroconf() as zeroconf:
        trust = await asyncio.to_thread(TrustStore, state.trust_file())
        async with DiscoveryManager(zeroconf, health_probe=ask_health(session), trust=trust) as manager:
            return await manager.scan_network()


def _serve() -> Serve:
    """This user's server. It runs if the file with its ID is locked."""
    file = state.id_file()
    if not file.is_file():
        return Serve("", running=False)
    try:
        with state.identity(file) as provider_id:
            return Serve(provider_id, running=False)
    except click.ClickException:
        try:
            return Serve(state.id_in(file), running=True)
        except OSError:
            return Serve("", running=False)


def _print(examined: Examination) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH
    for section in SECTIONS:
        click.secho(HEADINGS[section], bold=True)
        for found in (found for where, found in examined.findings if where == section):
            text, advice = sentence(section, found["code"], found["values"])
            level = click.style(f"{found['level']:8}", fg=_COLOURS[found["level"]])
            click.echo(f"  {level} {_wrapped(text, width)}")
            if advice and found["level"] != "ok":
                click.echo(" " * _INDENT + _wrapped(advice, width))
    problems = sum(found["level"] == "problem" for _, found in examined.findings)
    click.echo("Nothing is wrong." if not problems else f"{problems} problem{'s' if problems > 1 else ''} found.")


def _wrapped(text: str, width: int) -> str:
    """The text in lines of at most `width` columns. The caller has indented the first line."""
    wide = max(width - 1, 2 * _INDENT)
    return fill(text, wide, subsequent_indent=" " * _INDENT, initial_indent=" " * _INDENT, break_long_words=False).lstrip()


def _as_json(examined: Examination) -> dict[str, Any]:
    return {
        "ok": examined.ok,
        "findings": [
            {"section": section, **found, **sentence(section, found["code"], found["values"])._asdict()}
            for section, found in examined.findings
        ],
        "interfaces": examined.check["interfaces"],
        "services": {interface.name: sorted(interface.services) for interface in examined.checked.interfaces},
        "packets": examined.check["packets"],
        "providers": [
            {**provider_json(seen.provider), "interfaces": list(seen.interfaces), "unreachable": list(seen.unreachable)}
            for seen in examined.providers
        ],
        "engines": [
            {"id": seen.engine.id, "title": seen.engine.title, "url": url_of(seen.engine), "network_address": seen.address}
            for seen in examined.engines
        ],
        "serve": {"id": examined.serve.id or None, "running": examined.serve.running},
    }
