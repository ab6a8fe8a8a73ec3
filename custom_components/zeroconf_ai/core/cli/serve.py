"""`zeroconf-ai serve`: run a provider."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_address
import os
from pathlib import Path
import socket
import sys
from typing import TYPE_CHECKING, Any

import click

from ..accounting.store import AccountingStore
from ..admin.names import Names
from ..backends.base import BackendInfo
from ..backends.demo.backend import CAPABILITIES, CHAT_MODEL, WORD_SECONDS, DemoBackend
from ..config.cluster_fields import ClusterSettings
from ..config.portal_fields import PortalSettings
from ..config.server_fields import UsageSettings
from ..engine import Engine
from ..lan.interfaces import interface_addresses
from ..presence.advertised_record import AdvertisedRecord, describe_engine
from ..presence.household_access import HouseholdAccess
from ..protocol.record import DEFAULT_PRIORITY, MAX_CONTACT, Auth, ServiceRecord, is_contact
from ..protocol.values import clean
from ..routing.accounting import Accounting
from ..server.access.household import HouseholdTokens
from ..server.access.trusted_proxies import TrustedProxies
from ..server.administration.administration import USAGE_PAGE, Administration
from ..server.administration.program import Program
from ..server.app import create_app, create_runner
from ..server.gateway import Gateway
from ..server.health_port import HEALTH_PATHS
from ..server.request_log import AccessLog
from . import admission, household_options, operation, process, recording, state, tls
from .admission import Admission, record_requests, write_to_influx
from .client_certificates import open_client_certificates
from .cost_alerts import watch_costs
from .discover import scan
from .first_key import first_key_text
from .health import open_health_port
from .household_options import Household
from .line_writer import LineWriter
from .logs import logging_to
from .notices import notice, warn
from .operation import Operation
from .output import json_option, print_json_line
from .page import how_to_log_in, login_link, open_demo_store, page_address
from .portal import open_portal, portal_policy, print_address
from .ports import FIRST_PORT, listen
from .presence import Presence, reachable_at
from .progress import progress
from .recording import Recording
from .relaying import open_relay
from .running import RunningServer, noted
from .stopping import Stopping
from .tls import Tls, TlsOfServer, open_tls
from .upstreams import AUTO, Sources, Supply, read_sources
from .variables import environment_of, load_beside, with_variables

if TYPE_CHECKING:
    from ..server.tls.server_tls import ServerTls

_TLS_HELP = "https://github.com/zeroconf-ai/zeroconf-ai/blob/main/docs/tls.md"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    host: str | None
    port: int | None
    name: str
    admission: Admission
    advertise: bool
    saturn: bool
    priority: int
    delay: float
    as_json: bool
    admin: str | None = None
    """The contact that is advertised."""
    provider_in_chunks: bool = False
    operation: Operation = field(default_factory=Operation)
    recording: Recording = field(default_factory=Recording)
    tls: Tls = field(default_factory=Tls)
    sources: Sources = field(default_factory=Sources)
    """The backends to serve; none: the built-in model."""
    usage: UsageSettings = field(default_factory=UsageSettings)
    """Where the usage also goes, and the alerts."""
    environment: Mapping[str, str] = field(default_factory=dict)
    household: Household = field(default_factory=Household)
    portal: PortalSettings | None = None
    cluster: ClusterSettings | None = None


def contact(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Raises click.BadParameter for a contact that cannot be advertised."""
    if value is not None and not is_contact(value):
        raise click.BadParameter(f"Enter at most {MAX_CONTACT} printable characters, such as admin@example.net.")
    return value


@click.command("serve")
@click.option("--demo", is_flag=True, help=f"Serve the built-in model {CHAT_MODEL}, a set of rules that needs no download.")
@click.option(
    "--config",
    is_eager=True,
    callback=load_beside,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Serve the providers in this YAML file. It is reloaded when it changes, and on SIGHUP.",
)
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="TYPE[=URL]",
    help="Serve this backend, such as `ollama` or `vllm=http://localhost:8001/v1`. Repeatable. `auto` stands for the inference "
    "servers of this machine, and the clouds whose API keys are in the environment.  [default: auto]",
)
@click.option(
    "--discovered",
    is_flag=True,
    help="Also serve discovered providers without an API key, and those of the household (--household), after all others.",
)
@click.option("--host", metavar="ADDRESS", help="Listen on this address only.  [default: all]")
@click.option(
    "--port", type=click.IntRange(1, 65535), help=f"Listen on this port.  [default: the first free one from {FIRST_PORT} on]"
)
@click.option("--name", help='The name of the provider.  [default: "AI on HOST", "Demo on HOST"]')
@admission.options
@household_options.options
@tls.options
@operation.options
@recording.options
@click.option(
    "--id-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The file that stores the provider's ID.  [default: {state.id_file()}]",
)
@click.option("--no-advertise", is_flag=True, help="Do not advertise the provider on the network.")
@click.option("--saturn/--no-saturn", default=None, help="Also advertise the provider to Saturn clients.  [default: yes]")
@click.option(
    "--priority",
    type=click.IntRange(0, 65535),
    help=f"The advertised priority. Clients prefer lower values.  [default: {DEFAULT_PRIORITY}]",
)
@click.option(
    "--admin", metavar="CONTACT", callback=contact, help="The advertised contact of the administrator, such as a mail address."
)
@click.option(
    "--provider-in-chunks", is_flag=True, help="Name the provider in every chunk of a stream, not only in the first one."
)
@click.option(
    "--delay",
    type=click.FloatRange(0.0, 10.0),
    default=WORD_SECONDS,
    show_default=True,
    help="With --demo: seconds before each word of an answer.",
)
@json_option
def command(**said: Any) -> None:
    """Serve models on the network until Ctrl-C: models of several backends at one address, or the built-in model."""
    start(**said)


def start(
    *,
    config: Path | None,
    host: str | None,
    port: int | None,
    name: str | None,
    id_file: Path | None,
    admin: str | None,
    provider_in_chunks: bool,
    as_json: bool,
    demo: bool = False,
    upstreams: tuple[str, ...] = (),
    discovered: bool = False,
    no_advertise: bool = False,
    saturn: bool | None = None,
    priority: int | None = None,
    delay: float = 0.0,
    broker: bool = False,
    **more: Any,
) -> None:
    """Serve until Ctrl-C. The arguments are the values of the options, and `broker`: its backends are those of connectors.

    Raises click.ClickException.
    """
    words = tuple(word for word in upstreams if word != AUTO)
    auto = len(words) < len(upstreams) or not (demo or config or upstreams or discovered or broker)
    sources = Sources(config, words, discovered, auto, broker=broker)
    if demo and sources:
        raise click.UsageError("--demo cannot be combined with other backends. Remove --demo, or the other backends.")
    if demo and more["record"] is not None:
        raise click.UsageError("--record requires other backends: the built-in model of --demo has no upstream.")
    environment = environment_of(click.get_current_context())
    read = read_sources(sources, environment)
    server, usage = read.server, read.usage
    operating = Operation.of(more, server)
    household = Household.of(more, server)
    secured = Tls.of(more, server)
    recorded = Recording(more.pop("record"), more.pop("record_texts"))
    if usage.database is not None and more["database"] is None:
        more["database"] = usage.database
    admitted = Admission(**more, demo=demo, file_auth=server.auth, tracking=usage.enabled)
    if admitted.mode is Auth.MTLS and not secured.enabled:
        raise click.UsageError("--auth mtls requires --tls. Add --tls.")
    if broker and (admitted.mode is Auth.NONE or not admitted.has_store):
        raise click.UsageError("A broker needs API keys of its database. Remove --open, --auth none and --key.")
    if auto and admitted.mode is Auth.NONE:
        sources = replace(sources, share_clouds=False)
    options = Options(
        host or server.host,
        port or server.port,
        clean(name or server.name or "") or f"{_title(demo=demo, broker=broker)} on {socket.gethostname().partition('.')[0]}",
        admitted,
        not (no_advertise or broker) and server.advertise is not False,
        _first(saturn, server.saturn, True),
        _first(priority, server.priority, DEFAULT_PRIORITY),
        delay,
        as_json,
        admin or server.admin,
        provider_in_chunks or bool(server.provider_in_chunks),
        operating,
        recorded,
        secured,
        sources,
        usage,
        environment,
        household,
        read.portal,
        read.cluster,
    )
    verbose = bool(click.get_current_context().find_root().params.get("verbose"))
    log = logging_to(LineWriter(), operating.log_format, operating.level(verbose=verbose))
    with log as write_request, state.identity(id_file or state.id_file()) as provider_id:
        try:
            process.run(_serve(options, provider_id, write_request if operating.access_log else None))
        except KeyboardInterrupt:  # if the event loop supports no signal handlers (Windows)
            sys.exit(0)


with_variables(command)


def _title(*, demo: bool, broker: bool) -> str:
    return "Demo" if demo else "Broker" if broker else "AI"


def _first[T](*values: T | None) -> T:
    """The first value that is not None."""
    return next(value for value in values if value is not None)


async def _serve(options: Options, provider_id: str, write_request: Callable[[Mapping[str, Any]], None] | None) -> None:
    stopping = Stopping()
    stopping.listen()
    async with AsyncExitStack() as stack:
        store = await options.admission.open_store(stack)
        if is_open_demo := not options.sources and options.admission.mode is Auth.NONE and store is None:
            store = await open_demo_store(stack)
        later = await stack.enter_async_context(AsyncExitStack())  # closes what is opened while serving
        engine = Engine(own_id=provider_id)
        engine.home_only = state.home_only(provider_id)
        stack.push_async_callback(engine.close)
        first_key = await options.admission.make_first_key(store)
        metrics, totals = await record_requests(stack, engine, store, records=is_open_demo or options.admission.records)
        if options.usage.influx is not None:
            await write_to_influx(stack, engine, options.usage.influx)
        await watch_costs(stack, engine, totals, options.usage)
        enforce_limits = partial(options.admission.enforce_limits, later, engine)
        supply = await _supply(stack, engine, options, store, enforce_limits)
        household = await options.household.issue(stack, engine, provider_id)
        policy = portal_policy(options.admission, store, options.portal)
        gateway = Gateway(
            engine,
            provider_id=provider_id,
            name=options.name,
            access=options.admission.guard(store, household, policy),
            ledger=store.ledger if store is not None and (is_open_demo or options.admission.records) else None,
            totals=totals,
            metrics=metrics,
            images=store.images if store is not None else None,
            responses=store.responses if store is not None else None,
            cors_origins=options.admission.origins,
        )
        program = Program(partial(state.save_home_only, gateway.id), partial(scan, provider_id))
        gateway.provider_in_chunks = options.provider_in_chunks
        gateway.proxies = TrustedProxies(options.admission.proxies)
        gateway.request_log = log = AccessLog(write_request, silent=HEALTH_PATHS)
        stack.callback(await engine.attach(Accounting(log)))
        administration = _administration(options.admission, gateway, store, program)
        if store is not None:
            gateway.names = partial(_names, store)
            gateway.usage_page = lambda _: USAGE_PAGE
        pages = await open_portal(stack, gateway, store, policy, options.admin)
        health = await open_health_port(stack, gateway, options.admission.open_guard(), options.operation)
        host_name = _host_name(provider_id)
        names = (host_name, *options.admission.host_names)
        secure = await open_tls(stack, options.tls, provider_id=provider_id, title=options.name, host=options.host, names=names)
        gateway.tls = server_tls = None if secure is None else secure.tls
        certified = await open_client_certificates(stack, gateway, store)
        runner = create_runner(
            create_app(gateway, drain_seconds=None, administration=administration, pages=pages),
            tls=None if server_tls is None else server_tls.context,
            certified=certified,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        program.relay = await open_relay(stack, engine, gateway, store, options.cluster)
        stack.push_async_callback(gateway.drain, options.operation.drain_seconds, whole_engine=True)
        stopping.on_second(gateway.interrupt)
        port = await listen(runner, options.host, options.port)
        bound = [str(address[0]) for address in runner.addresses]
        if supply is not None:
            supply.listens_on(port)
            everywhere = any(ip_address(text).is_unspecified for text in bound)
            access = None if household is None else HouseholdAccess((household.key,))
            await supply.discover(provider_id, () if everywhere else bound, access)
        record = describe_engine(_record(options, provider_id, port, server_tls), engine)
        presence = None
        if options.advertise:
            presence = await _advertise(stack, record, bound, gateway, household, secure, saturn=options.saturn)
        if presence is not None:
            program.advertised = lambda: presence.record
        addresses = reachable_at(bound, interface_addresses())
        url = record.base_url(addresses[0] if addresses else bound[0])
        page, hint = None, ""
        if administration is not None:
            page, hint = page_address(url), how_to_log_in(store)
            if is_open_demo:
                page, hint = login_link(administration.sessions, page), "this link logs in once"
        local = None if administration is None else administration.sessions.make_local_secret()
        shown = None if administration is None else page_address(url)
        pin = None if server_tls is None else server_tls.fingerprint
        stack.enter_context(noted(RunningServer(provider_id, gateway.name, url, os.getpid(), shown, local, pin)))
        process.freeze_heap()
        authority = None
        if server_tls is not None and server_tls.authority_pem is not None:
            authority = state.authority_file(provider_id)
        if options.as_json:
            ready = {
                "name": gateway.name,
                "id": provider_id,
                "url": url,
                "port": port,
                "addresses": [str(address) for address in addresses],
                "model": record.models[0] if record.models else None,
                "auth": record.auth.value,
                "advertised": presence is not None,
                "page": page,
                **({} if health is None else {"health": health}),
                **({} if server_tls is None else {"fingerprint": server_tls.fingerprint}),
                **({} if authority is None else {"ca": str(authority)}),
                **({} if first_key is None else {"key": first_key}),
            }
            print_json_line(ready)
        else:
            click.echo(f'serving {_models_text(record, options)} as "{gateway.name}" on {url}')
            if page is not None:
                click.echo(f"page: {page} ({hint})")
            print_address(policy)
            if health is not None:
                click.echo(f"health and metrics: {health}")
            if authority is not None:
                click.echo(f"certificate authority, for programs that need one: {authority} ({_TLS_HELP})")
            if first_key is not None:
                click.echo(first_key_text(first_key, url, authority))
        await stopping.wait()
        gateway.reject_new()  # before the mDNS goodbye, which takes a moment; the port listens until the last request has ended


async def _names(store: AccountingStore) -> Names:
    return Names(store.keys, store.users.name)


def _administration(
    admission: Admission, gateway: Gateway, store: AccountingStore | None, program: Program
) -> Administration | None:
    """The page for administrators; None without a key, because everybody on the network could use it."""
    if store is None and not admission.key:
        return None
    return Administration(gateway, store, admission.key, program)


async def _supply(
    stack: AsyncExitStack,
    engine: Engine,
    options: Options,
    store: AccountingStore | None,
    enforce_limits: Callable[[], Awaitable[None]],
) -> Supply | None:
    """Add the backends to the engine. Returns what keeps them up to date; None for the built-in model."""
    if not options.sources:
        info = BackendInfo(CHAT_MODEL, CHAT_MODEL, CAPABILITIES, options.priority)
        await engine.checker.check(engine.add(DemoBackend(info, word_seconds=options.delay)))
        return None
    recorder = options.recording.start(stack)
    limits = None if store is None else store.limits
    supply = Supply(engine, options.sources, options.environment, enforce_limits, limits, recorder)
    if options.admission.open and (shared := supply.metered()):
        warn(f"everybody on the network can spend the money of {', '.join(shared)}. Remove --open.")
    stack.push_async_callback(supply.close)
    await supply.start()
    for member in engine.pool:
        if not member.online or not member.known:
            notice(f"Not served yet: {member.last_reason or f'{member.name} has not answered yet'}")
    return supply


def _models_text(record: ServiceRecord, options: Options) -> str:
    """The models in a few words, for the startup message."""
    if not options.sources:
        return CHAT_MODEL
    more = f" and {len(record.models) - 1} more" if len(record.models) > 1 else ""
    return f"{record.models[0]}{more}" if record.models else "no model yet"


async def _advertise(
    stack: AsyncExitStack,
    record: ServiceRecord,
    bound: list[str],
    gateway: Gateway,
    household: HouseholdTokens | None,
    secure: TlsOfServer | None,
    *,
    saturn: bool,
) -> Presence | None:
    """Advertise the provider. If that is not possible, a message is printed, and the server runs on."""
    if record.auth is not Auth.TOKEN:
        household = None  # no program needs a token, or none may use it

    def current() -> ServiceRecord:
        now = record if secure is None else replace(record, fingerprint=secure.tls.fingerprint)
        return now if household is None else replace(now, sealed_token=household.sealed)

    def renamed(name: str) -> None:
        gateway.name = name

    presence = Presence(current(), bound, saturn=saturn, renamed=renamed)
    stack.push_async_callback(presence.close)
    try:
        with progress("Advertising the server on the network"):
            await presence.start()
    except (click.ClickException, OSError) as err:
        notice(f"Not advertised on the network: {err}")
        return None
    description = AdvertisedRecord(current(), gateway.engine, presence.update)
    stack.callback(description.close)
    presence.update(description.start())
    if household is not None:
        household.start(lambda: description.rebase(current()))
    if secure is not None:
        secure.renewed = lambda: description.rebase(current())
    return presence


def _host_name(provider_id: str) -> str:
    """The advertised host name. The machine's own one is advertised by its system."""
    return f"zeroconf-ai-{provider_id.replace('-', '')[:12]}.local."


def _record(options: Options, provider_id: str, port: int, secure: "ServerTls | None") -> ServiceRecord:
    return ServiceRecord(
        name=options.name,
        host=_host_name(provider_id),
        port=port,
        id=provider_id,
        auth=options.admission.mode,
        priority=options.priority,
        admin=options.admin,
        tls=secure is not None,
        fingerprint=None if secure is None else secure.fingerprint,
    )
