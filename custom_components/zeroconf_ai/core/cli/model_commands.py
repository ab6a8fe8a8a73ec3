"""`zeroconf-ai models held|load|unload|pull|delete`: the models that a server holds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import click

from ..admin.server_models import Pull, ServerModels
from ..client.connections import Wanted
from .connecting import connect, connection_options, wanted_of
from .output import json_option, print_json
from .progress import progress
from .tables import Column, print_table

_THIS_MACHINE: Final = "http://127.0.0.1:11434"
"""Ollama on this machine, unless another server is named."""
_COLUMNS: Final = (Column("Model"), Column("Size", right=True), Column("Loaded"), Column("Memory", right=True, rank=1))
_LOOK_SECONDS: Final = 0.2


def _server_options[F: Callable[..., Any]](function: F) -> F:
    return connection_options(json_option(function))


def add_model_commands(group: click.Group) -> None:
    """Add the commands to `zeroconf-ai models`."""
    for command in (held, load, unload, pull, delete):
        group.add_command(command)


@click.command("held")
@_server_options
def held(provider: str | None, key: str | None, trust: bool, interfaces: tuple[str, ...], as_json: bool) -> None:
    """List the installed models of a server, and which of them are loaded."""

    async def act(models: ServerModels, server: str) -> Any:
        return await models.describe(server)

    found = _run(act, provider, key, trust, interfaces, "Asking for the models")
    if found["error"] is not None:
        raise click.ClickException(found["error"])
    if as_json:
        print_json({"name": found["name"], "can": found["can"], "models": found["models"]})
        return
    rows = ((one["name"], _bytes(one["size"]), "yes" if one["loaded"] else "", _bytes(one["memory"])) for one in found["models"])
    print_table(_COLUMNS, rows)


@click.command("load")
@click.argument("model")
@click.option("--keep-alive", metavar="TIME", help="How long it stays loaded, such as 2h; -1: always. Only for Ollama.")
@_server_options
def load(
    model: str,
    keep_alive: str | None,
    provider: str | None,
    key: str | None,
    trust: bool,
    interfaces: tuple[str, ...],
    as_json: bool,
) -> None:
    """Load MODEL into the memory of a server."""

    async def act(models: ServerModels, server: str) -> None:
        await models.load(server, model, keep_alive)

    _run(act, provider, key, trust, interfaces, f"Loading {model}")
    _done(f"{model} is loaded.", model, as_json)


@click.command("unload")
@click.argument("model")
@_server_options
def unload(model: str, provider: str | None, key: str | None, trust: bool, interfaces: tuple[str, ...], as_json: bool) -> None:
    """Unload MODEL from the memory of a server."""

    async def act(models: ServerModels, server: str) -> None:
        await models.unload(server, model)

    _run(act, provider, key, trust, interfaces, f"Unloading {model}")
    _done(f"{model} is unloaded.", model, as_json)


@click.command("pull")
@click.argument("model")
@_server_options
def pull(model: str, provider: str | None, key: str | None, trust: bool, interfaces: tuple[str, ...], as_json: bool) -> None:
    """Download and install MODEL on an Ollama server. Ctrl-C ends the download."""

    async def act(models: ServerModels, server: str) -> None:
        with progress(f"Downloading {model}") as show:
            download = asyncio.create_task(models.pull(server, model))
            try:
                while not (await asyncio.wait([download], timeout=_LOOK_SECONDS))[0]:
                    for one in models.pulls(server):
                        show(f"Downloading {model}: {_how_far(one)}")
            finally:
                download.cancel()
            await download

    _run(act, provider, key, trust, interfaces, "")
    _done(f"{model} is installed.", model, as_json)


@click.command("delete")
@click.argument("model")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_server_options
def delete(
    model: str, yes: bool, provider: str | None, key: str | None, trust: bool, interfaces: tuple[str, ...], as_json: bool
) -> None:
    """Delete MODEL from the disk of an Ollama server."""
    if not yes:
        click.confirm(f"Delete {model}? It must be downloaded again to be used.", abort=True, err=True)

    async def act(models: ServerModels, server: str) -> None:
        await models.delete(server, model)

    _run(act, provider, key, trust, interfaces, f"Deleting {model}")
    _done(f"{model} is deleted.", model, as_json)


def _run(
    act: Callable[[ServerModels, str], Any],
    provider: str | None,
    key: str | None,
    trust: bool,
    interfaces: tuple[str, ...],
    text: str,
) -> Any:
    """Connect to one server, and act on its models."""
    wanted = wanted_of(provider or _THIS_MACHINE, key, trust, interfaces)

    async def run() -> Any:
        async with _models(wanted) as (models, server):
            if not text:
                return await act(models, server)
            with progress(text):
                return await act(models, server)

    return asyncio.run(run())


@asynccontextmanager
async def _models(wanted: Wanted) -> AsyncIterator[tuple[ServerModels, str]]:
    connections = await connect(wanted)
    models = ServerModels(connections.engine)
    try:
        yield models, connections.members[0].id
    finally:
        await models.close()
        await connections.close()


def _done(text: str, model: str, as_json: bool) -> None:
    if as_json:
        print_json({"model": model, "ok": True})
    else:
        click.echo(text)


def _how_far(pull: Pull) -> str:
    completed, total = pull["completed"], pull["total"]
    return pull["status"] if completed is None or total is None else f"{completed / total:.0%} of {_bytes(total)}"


def _bytes(number: int | None) -> str:
    return "" if number is None else f"{number / 1e9:.1f} GB"
