"""`zeroconf-ai serve`: be a provider."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
import errno
from pathlib import Path
import signal
import socket
import sys

from aiohttp import web
import click
import orjson

from ..backends.base import BackendInfo
from ..backends.demo.backend import CAPABILITIES, CHAT_MODEL, CONTEXT_WINDOW, MODELS, WORD_SECONDS, DemoBackend
from ..engine import Engine
from ..protocol.record import DEFAULT_PRIORITY, Auth, ServiceRecord
from ..server.app import create_app, create_runner
from ..server.gateway import Gateway
from ..server.interfaces import interface_addresses
from . import state
from .presence import Presence, reachable_at

FIRST_PORT, LAST_PORT = 8000, 9000
"""PROTOCOL 1."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    host: str | None
    port: int | None
    name: str
    key: str | None
    advertise: bool
    saturn: bool
    priority: int
    delay: float
    as_json: bool


@click.command("serve")
@click.option("--demo", is_flag=True, help=f"Serve the built-in model {CHAT_MODEL}: rules that need no download.")
@click.option("--host", metavar="ADDRESS", help="Listen on this address only.  [default: all]")
@click.option(
    "--port", type=click.IntRange(1, 65535), help=f"Listen on this port.  [default: the first free one from {FIRST_PORT} on]"
)
@click.option("--name", help='What the provider is called.  [default: "Demo on HOST"]')
@click.option("--key", envvar="ZEROCONF_AI_KEY", help="Answer only who sends this key. ZEROCONF_AI_KEY hides it from `ps`.")
@click.option(
    "--id-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Where the provider's identity is kept.  [default: {state.id_file()}]",
)
@click.option("--no-advertise", is_flag=True, help="Do not announce the provider on the network.")
@click.option("--saturn/--no-saturn", default=True, help="Announce it to Saturn's clients too.  [default: yes]")
@click.option(
    "--priority",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PRIORITY,
    show_default=True,
    help="Lower is preferred by clients.",
)
@click.option(
    "--delay",
    type=click.FloatRange(0.0, 10.0),
    default=WORD_SECONDS,
    show_default=True,
    help="Seconds before each word of an answer.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the line that says it is ready as JSON.")
def command(
    demo: bool,
    host: str | None,
    port: int | None,
    name: str | None,
    key: str | None,
    id_file: Path | None,
    no_advertise: bool,
    saturn: bool,
    priority: int,
    delay: float,
    as_json: bool,
) -> None:
    """Serve a model on the network until Ctrl-C."""
    if not demo:
        raise click.UsageError("There is nothing to serve. Pass --demo to serve the built-in model.")
    called = name if name is not None else f"Demo on {socket.gethostname().partition('.')[0]}"
    options = Options(host, port, called, key or None, not no_advertise, saturn, priority, delay, as_json)
    with state.identity(id_file or state.id_file()) as provider_id:
        try:
            asyncio.run(_serve(options, provider_id))
        except KeyboardInterrupt:  # where the event loop takes no signal handlers (Windows)
            sys.exit(0)


async def _serve(options: Options, provider_id: str) -> None:
    stopping = asyncio.Event()
    _on_signals(stopping)
    async with AsyncExitStack() as stack:
        engine = Engine(own_id=provider_id)
        stack.push_async_callback(engine.close)
        info = BackendInfo(CHAT_MODEL, CHAT_MODEL, CAPABILITIES, options.priority)
        await engine.checker.check(engine.add(DemoBackend(info, word_seconds=options.delay)))
        gateway = Gateway(engine, provider_id=provider_id, name=options.name, key=options.key)
        runner = create_runner(create_app(gateway))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        port = await _listen(runner, options)
        bound = [str(address[0]) for address in runner.addresses]
        record = _record(options, provider_id, port)
        advertised = options.advertise and await _advertise(stack, record, bound, gateway, saturn=options.saturn)
        addresses = reachable_at(bound, interface_addresses())
        url = record.base_url(addresses[0] if addresses else bound[0])
        if options.as_json:
            ready = {
                "name": gateway.name,
                "id": provider_id,
                "url": url,
                "port": port,
                "addresses": [str(address) for address in addresses],
                "model": CHAT_MODEL,
                "auth": record.auth.value,
                "advertised": advertised,
            }
            click.echo(orjson.dumps(ready))
        else:
            click.echo(f'serving {CHAT_MODEL} as "{gateway.name}" on {url}')
        await stopping.wait()


async def _advertise(stack: AsyncExitStack, record: ServiceRecord, bound: list[str], gateway: Gateway, *, saturn: bool) -> bool:
    """Whether the provider is announced. Where it cannot be, that is said, and it is served all the same."""

    def renamed(name: str) -> None:
        gateway.name = name

    presence = Presence(record, bound, saturn=saturn, renamed=renamed)
    stack.push_async_callback(presence.close)
    try:
        await presence.start()
    except (click.ClickException, OSError) as err:
        click.echo(f"Not announced on the network: {err}", err=True)
        return False
    return True


def _record(options: Options, provider_id: str, port: int) -> ServiceRecord:
    return ServiceRecord(
        name=options.name,
        host=f"zeroconf-ai-{provider_id.replace('-', '')[:12]}.local.",  # the system's own name is the system's to announce
        port=port,
        id=provider_id,
        models=tuple(model.id for model in MODELS),
        capabilities=CAPABILITIES,
        auth=Auth.TOKEN if options.key else Auth.NONE,
        priority=options.priority,
        context_window=CONTEXT_WINDOW,
    )


async def _listen(runner: web.AppRunner, options: Options) -> int:
    """Open the port, or the first free one. Raises click.ClickException saying what to do where that fails."""
    ports = [options.port] if options.port else range(FIRST_PORT, LAST_PORT + 1)
    for port in ports:
        site = web.TCPSite(runner, options.host, port)
        try:
            await site.start()
        except OSError as err:
            await site.stop()
            if err.errno != errno.EADDRINUSE:
                raise click.ClickException(_why_not(err, options.host, port)) from None
        else:
            return port
    if options.port:
        raise click.ClickException(f"Port {options.port} is in use. Choose another --port, or none for the first free one.")
    raise click.ClickException(f"All ports from {FIRST_PORT} to {LAST_PORT} are in use. Choose another --port.")


def _why_not(err: OSError, host: str | None, port: int) -> str:
    if isinstance(err, socket.gaierror) or err.errno in (errno.EADDRNOTAVAIL, None):  # asyncio wraps the former in the latter
        return f"{host} is no address of this machine. Choose another --host, or none for all."
    if err.errno == errno.EACCES:
        return f"This user may not open port {port}. Choose a --port above 1023."
    return f"Port {port} cannot be opened: {err.strerror or err}."


def _on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:
            return
