"""`zeroconf-ai connect`: offer the models of this machine, also behind a NAT, to a house or a broker."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
import os
from pathlib import Path
import socket
import sys
from typing import Any

import aiohttp
import click

from ..accounting.connectors import MAX_NAME
from ..backends.base import BackendInfo
from ..backends.demo.backend import CAPABILITIES, CHAT_MODEL, DemoBackend
from ..config.connector_fields import ConnectorRules
from ..config.providers_file import Configuration
from ..config.server_fields import UsageSettings
from ..engine import Engine
from ..protocol.hand_over import pin_of
from ..protocol.values import clean
from ..relay.house_address import AddressError, relay_url
from ..relay.paired_houses import PairedHouse
from ..routing.accounting import Accounting
from ..server.access.relayed import RelayedAccess
from ..server.app import create_app, create_runner
from ..server.gateway import Gateway
from ..server.health_port import HEALTH_PATHS
from ..server.in_process import InProcess
from ..server.request_log import AccessLog
from . import connector_options, operation, paired, process, state
from .admission import Admission, record_requests
from .connector_options import rules_of
from .cost_alerts import watch_costs
from .errors import CommandError
from .health import open_health_port
from .line_writer import LineWriter
from .links import Links, Offering
from .logs import logging_to
from .notices import notice
from .operation import Operation
from .output import json_option, print_json_line
from .running import RunningServer, noted
from .stopping import Stopping
from .upstreams import AUTO, Sources, Supply, read_sources
from .variables import environment_of, load_beside, with_variables

_SPENDERS = "the house"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    houses: tuple[PairedHouse, ...]
    name: str
    rules: ConnectorRules
    said: Mapping[str, Any] = field(repr=False)
    """The rules of the command line, which replace those of a file that is read again."""
    sources: Sources
    operation: Operation
    usage: UsageSettings
    environment: Mapping[str, str] = field(repr=False)
    as_json: bool


def _url(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Raises click.BadParameter for what is no address of a house."""
    try:
        return None if value is None else relay_url(value)
    except AddressError as err:
        raise click.BadParameter(f"{str(err)[0].upper()}{str(err)[1:]}.") from None


def _pin(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Raises click.BadParameter for what is no fingerprint."""
    try:
        return None if value is None else pin_of(value)
    except ValueError:
        raise click.BadParameter("Enter the SHA-256 of the certificate: 64 hexadecimal digits, or base64url.") from None


@click.command("connect")
@click.argument("host", required=False, callback=_url)
@click.option(
    "--code-file",
    type=click.Path(allow_dash=True, dir_okay=False, path_type=Path),
    help="The file with the one-time code of the house; - is stdin. Needed once.  [default: ask in a terminal]",
)
@click.option("--pin", metavar="SHA256", callback=_pin, help="Accept only the TLS certificate with this fingerprint.")
@click.option("--pair-again", is_flag=True, help="Pair anew with a new one-time code.")
@click.option("--pair-only", is_flag=True, help="Pair, and do not connect.")
@click.option("--forget", is_flag=True, help="Forget the house, and end.")
@click.option("--demo", is_flag=True, help=f"Offer the built-in model {CHAT_MODEL}, a set of rules that needs no download.")
@click.option(
    "--config",
    is_eager=True,
    callback=load_beside,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Offer the providers in this YAML file of `serve`. It is reloaded when it changes, and on SIGHUP.",
)
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="TYPE[=URL]",
    help="Offer this backend, such as `ollama` or `vllm=http://localhost:8001/v1`. Repeatable. `auto` stands for the inference "
    "servers of this machine.  [default: auto]",
)
@click.option("--name", help='The name of this machine at the house.  [default: "AI on HOST"]')
@connector_options.options
@operation.options
@json_option
def command(
    host: str | None,
    code_file: Path | None,
    pin: str | None,
    pair_again: bool,
    pair_only: bool,
    forget: bool,
    demo: bool,
    config: Path | None,
    upstreams: tuple[str, ...],
    name: str | None,
    as_json: bool,
    **more: Any,
) -> None:
    """Offer the models of this machine to the Home Assistant or the broker at HOST, which cannot reach it.

    The first time, HOST and a one-time code are needed, which the house shows. Later, the connection is made without them,
    to all houses if HOST is left out.
    """
    if forget:
        _forget(host)
        return
    words = tuple(word for word in upstreams if word != AUTO)
    auto = len(words) < len(upstreams) or not (demo or config or upstreams)
    sources = Sources(config, words, auto=auto, share_clouds=False, spenders=_SPENDERS)
    if demo and sources:
        raise click.UsageError("--demo cannot be combined with other backends. Remove --demo, or the other backends.")
    environment = environment_of(click.get_current_context())
    read = read_sources(sources, environment)
    operating = Operation.of(more, read.server)
    own_name = clean(name or read.server.name or "", MAX_NAME) or f"AI on {socket.gethostname().partition('.')[0]}"
    verbose = bool(click.get_current_context().find_root().params.get("verbose"))
    log = logging_to(LineWriter(), operating.log_format, operating.level(verbose=verbose))
    with log as write_request, state.identity(paired.id_file(), "connect") as connector_id:
        houses = _houses(host, code_file, pin, own_name, pair_again=pair_again)
        if pair_only:
            return
        rules = rules_of(more, read.connector)
        options = Options(houses, own_name, rules, more, sources, operating, read.usage, environment, as_json)
        try:
            process.run(_connect(options, connector_id, write_request if operating.access_log else None))
        except KeyboardInterrupt:  # if the event loop supports no signal handlers (Windows)
            sys.exit(0)


with_variables(command)


def _forget(url: str | None) -> None:
    if url is None:
        raise click.UsageError("--forget needs HOST.")
    paired.forget(url)
    click.echo("This machine does not connect there any more. Remove it at the house, too.")


def _houses(url: str | None, code_file: Path | None, pin: str | None, name: str, *, pair_again: bool) -> tuple[PairedHouse, ...]:
    """The houses to connect to. A new house is paired with first. Raises CommandError."""
    known = paired.houses()
    if url is None:
        if not known:
            raise CommandError(
                "This machine is not paired with any house.", "Pass HOST and its one-time code.", kind="not_paired"
            )
        return known
    house = next((house for house in known if house.url == url), None)
    if house is not None and not pair_again:
        return (paired.with_pin(house, pin),)
    host = url.partition("://")[2].partition("/")[0]
    house = paired.pair_now(url, pin, name, paired.code_of(code_file, host))
    notice(f'Paired with "{house.name}". Later starts need no code.')
    return (house,)


async def _connect(options: Options, connector_id: str, write_request: Callable[[Mapping[str, Any]], None] | None) -> None:
    stopping = Stopping()
    stopping.listen()
    async with AsyncExitStack() as stack:
        later = await stack.enter_async_context(AsyncExitStack())  # closes what is opened while connected
        engine = Engine(own_id=connector_id)
        stack.push_async_callback(engine.close)
        metrics, totals = await record_requests(stack, engine, None)
        await watch_costs(stack, engine, totals, options.usage)
        access = RelayedAccess()
        gateway = Gateway(engine, provider_id=connector_id, name=options.name, access=access, metrics=metrics)
        gateway.request_log = log = AccessLog(write_request, silent=HEALTH_PATHS)
        stack.callback(await engine.attach(Accounting(log)))
        offering = await Offering.begin(stack, gateway, access, options.rules)
        await _supply(stack, later, engine, options, offering)
        runner = create_runner(create_app(gateway, drain_seconds=None))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        links = await Links.open(stack, InProcess(runner), offering, options.usage.smtp)
        metrics.add(links.collector)
        open_guard = Admission(auth="none").open_guard()
        health = await open_health_port(stack, gateway, open_guard, options.operation, lambda: links.any_open)
        stopping.on_second(gateway.interrupt)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        for house in options.houses:
            links.start(session, house, paired.own_key())
        if health is not None:
            stack.enter_context(noted(RunningServer(connector_id, options.name, f"{health}/v1", os.getpid())))
        process.freeze_heap()
        _report(options, connector_id, offering, health)
        await stopping.wait()
        notice("Stopping: running requests may finish.")
        await links.drain(options.operation.drain_seconds)
        gateway.interrupt()  # what still runs ends with an error that says so
        await links.drain(1.0)


async def _supply(stack: AsyncExitStack, later: AsyncExitStack, engine: Engine, options: Options, offering: Offering) -> None:
    """Add the backends to the engine."""
    if not options.sources:
        await engine.checker.check(engine.add(DemoBackend(BackendInfo(CHAT_MODEL, CHAT_MODEL, CAPABILITIES))))
        return
    limited = Admission(auth="none", database=str(paired.limits_file()))

    def reloaded(configuration: Configuration) -> None:
        offering.apply(rules_of(dict(options.said), configuration.connector))

    supply = Supply(
        engine,
        options.sources,
        options.environment,
        partial(limited.enforce_limits, later, engine),
        offering.limits.limiter,
        reloaded=reloaded,
    )
    stack.push_async_callback(supply.close)
    await supply.start()
    for member in engine.pool:
        if not member.online or not member.known:
            notice(f"Not offered yet: {member.last_reason or f'{member.name} has not answered yet'}")


def _report(options: Options, connector_id: str, offering: Offering, health: str | None) -> None:
    """Say what is offered, and to whom."""
    models = offering.models()
    if options.as_json:
        houses = [{"name": house.name, "url": house.url} for house in options.houses]
        ready = {"name": options.name, "id": connector_id, "houses": houses, "models": models}
        print_json_line({**ready, **({} if health is None else {"health": health})})
        return
    offered = f"{models[0]}{f' and {len(models) - 1} more' if len(models) > 1 else ''}" if models else "no model yet"
    names = ", ".join(f'"{house.name}"' for house in options.houses)
    click.echo(f'offering {offered} as "{options.name}" to {names}')
    if health is not None:
        click.echo(f"health and metrics: {health}")
