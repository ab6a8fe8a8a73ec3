"""scripts/develop: runs a Home Assistant with demo entities, and a demo provider to discover, until Ctrl-C."""

import argparse
import asyncio
from collections.abc import Coroutine
from contextlib import nullcontext
import json
from pathlib import Path
import signal
import sys

from . import REPOSITORY, DevHomeError
from .gateway import Gateway, kept_gateway
from .home import PAGE, RESTART_CODE, Home
from .namespaces import Host, Lan, remove_leftovers, require_root
from .process import free_port, require_free_port
from .provider import MODEL, DemoProvider
from .road import Road

EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""The notations of all addresses, each with an address that reaches this machine from itself."""

ASSIST_MODEL = "homeassistant/assist"
GATEWAY_FILE = "gateway.json"
PROVIDER_PORTS = range(8500, 8600)
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/develop",
        description="Starts a real Home Assistant with this checkout's integration, a few demo lights and an owner to log"
        " in as, and a demo provider to discover. Ctrl-C stops both.",
    )
    parser.add_argument("--port", type=port, default=8123, help="Home Assistant's port (default: %(default)s)")
    parser.add_argument(
        "--config",
        type=Path,
        default=REPOSITORY / ".develop" / "config",
        metavar="DIR",
        help="the configuration folder, which is kept (default: .develop/config in the checkout)",
    )
    parser.add_argument(
        "--host",
        help="the address that Home Assistant's web server listens on (default: 127.0.0.1; 0.0.0.0 for the whole network)",
    )
    parser.add_argument("--no-demo", action="store_true", help="start no demo provider")
    parser.add_argument(
        "--json",
        action="store_true",
        help="when ready, print only one line of JSON: url, page, user, password, token, base_url, key, model,"
        " demo_base_url, namespace; with --relay also the commands connect, cut and mend",
    )
    parser.add_argument(
        "--isolated",
        action="store_true",
        help="run everything in a separate network namespace, so that nothing is advertised on this machine's"
        " network; needs root",
    )
    parser.add_argument(
        "--relay",
        action="store_true",
        help="three machines in network namespaces: the home behind nginx, a router, and behind it a machine that nothing"
        " reaches, whose models the home uses over the relay; needs root",
    )
    options = parser.parse_args(arguments)
    options.isolated = options.isolated or options.relay
    options.no_demo = options.no_demo or options.relay
    if options.isolated and options.host not in {None, *EVERY_ADDRESS}:
        parser.error("--isolated chooses the address itself: omit --host")
    return options


def port(text: str) -> int:
    """A TCP port. Raises ValueError for anything else."""
    if not 0 < (number := int(text)) < 65536:
        raise ValueError(text)
    return number


def main() -> int:
    """Run until a signal arrives; returns 0, or 1 after an error."""
    options = parse(sys.argv[1:])
    try:
        if options.isolated:
            try:
                require_root()
            except DevHomeError:
                option = "--relay" if options.relay else "--isolated"
                raise DevHomeError(f"{option} creates a network namespace, which needs root: run it with sudo") from None
            remove_leftovers()
        with Lan("develop", opened=True) if options.isolated else nullcontext() as lan:
            return asyncio.run(develop(options, lan))
    except (DevHomeError, OSError) as error:
        say(str(error))
        return 1


async def develop(options: argparse.Namespace, lan: Lan | None) -> int:
    """Start everything, print the addresses, and stop everything on a signal."""
    host = None if lan is None else lan.host("home")
    home = make_home(options, host)
    provider = None if options.no_demo else make_provider(options, host)
    road = Road(lan, home) if lan is not None and options.relay else None
    parts = [part for part in (provider, road.front if road else None, home) if part is not None]
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            say("killing Home Assistant and the provider")
            for part in parts:
                part.process.kill()
        stop.set()

    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    try:
        if await until_stopped(stop, start(home, provider)):
            # Advertised only if others can reach it.
            gateway = await share(home, advertise=host is not None or options.host in EVERY_ADDRESS)
            if road is not None:
                await road.open()
            if options.json:
                print(json.dumps(facts(home, gateway, provider, host) | (road.commands() if road else {})), flush=True)
            else:
                print(instructions(home, gateway, provider, road), flush=True)
            await until_stopped(stop, watch(home, provider))
    finally:
        say("stopping")
        await asyncio.gather(*(part.stop() for part in parts))
        say("stopped")
    return 0


def make_home(options: argparse.Namespace, host: Host | None) -> Home:
    """Home Assistant where the options want it. Raises DevHomeError if its port is taken."""
    if host is not None:
        return Home(options.config, port=options.port, host=host)
    listen = options.host or "127.0.0.1"
    require_free_port(listen, options.port)
    return Home(options.config, port=options.port, listen=[listen], address=EVERY_ADDRESS.get(listen, listen))


def make_provider(options: argparse.Namespace, host: Host | None) -> DemoProvider:
    """The demo provider beside it, on the first port that is free."""
    everywhere = next(iter(EVERY_ADDRESS))
    candidates = [number for number in PROVIDER_PORTS if number != options.port]
    number = candidates[0] if host else free_port(everywhere, candidates)
    return DemoProvider(options.config / "demo-provider.log", port=number, host=host)


async def start(home: Home, provider: DemoProvider | None) -> None:
    """Start what there is and wait until it answers."""
    if provider is not None:
        say(f"starting the demo provider at {provider.base_url}")
        await provider.start()
    say(f"starting Home Assistant in {home.folder}")
    await home.start()


async def share(home: Home, *, advertise: bool) -> Gateway:
    """Set the home's gateway up, or find it set up already."""
    async with home.client() as client:
        return await kept_gateway(client, home.folder / GATEWAY_FILE, advertise=advertise)


async def watch(home: Home, provider: DemoProvider | None) -> None:
    """Restart Home Assistant when it requests that, and report the demo provider's end. Raises DevHomeError if the home ends."""
    reporting = None if provider is None else asyncio.create_task(report_end(provider))
    try:
        while (status := await home.process.wait()) == RESTART_CODE:
            say("restarting Home Assistant")
            await home.start()
            say("Home Assistant is running again")
    finally:
        if reporting is not None:
            reporting.cancel()
    raise home.process.failure(f"ended by itself with status {status}")


async def report_end(provider: DemoProvider) -> None:
    """Wait until the demo provider ends, and print why."""
    status = await provider.process.wait()
    say(str(provider.process.failure(f"ended by itself with status {status}; Home Assistant keeps running")))


async def until_stopped(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do the work, or as much of it as there is time for before the signal; whether it came to its end."""
    task = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if task.cancelled():
        return False
    task.result()
    return True


def facts(home: Home, gateway: Gateway, provider: DemoProvider | None, host: Host | None) -> dict[str, str | None]:
    """What a script needs to know."""
    return {
        "url": home.url,
        "page": home.url + PAGE,
        "user": home.login.user,
        "password": home.login.password,
        "token": home.login.token,
        "base_url": gateway.base_url,
        "key": gateway.key,
        "model": ASSIST_MODEL,
        "demo_base_url": provider.base_url if provider else None,
        "namespace": host.namespace.name if host else None,
    }


def instructions(home: Home, gateway: Gateway, provider: DemoProvider | None, road: Road | None = None) -> str:
    """What a person needs to know."""
    lines = [
        "",
        f"  The page        {home.url}{PAGE}",
        f"  Home Assistant  {home.url}",
        f"  User            {home.login.user}",
        f"  Password        {home.login.password}",
        "",
    ]
    if provider is not None:
        question = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
        lines += [
            "  To see it work:",
            f'    1. Settings → Devices & services: under Discovered, "ZeroConf AI" has found {provider.name!r}. Click Add.',
            "    2. Open Assist (the speech bubble, top right), choose the provider's assistant below the title, and say",
            '       "Turn on the kitchen light".',
            "",
            f"  Demo provider   {provider.base_url}",
            f"    curl {provider.base_url}/chat/completions -H 'Content-Type: application/json' -d '{json.dumps(question)}'",
            "",
        ]
    order = {"model": ASSIST_MODEL, "messages": [{"role": "user", "content": "Turn on the kitchen light"}]}
    lines += [
        f"  Gateway         {gateway.base_url}",
        f"  Key             {gateway.key}",
        f"    curl {gateway.base_url}/chat/completions -H 'Authorization: Bearer {gateway.key}' \\",
        f"      -H 'Content-Type: application/json' -d '{json.dumps(order)}'",
        "",
        "    from openai import OpenAI",
        f'    client = OpenAI(base_url="{gateway.base_url}", api_key="{gateway.key}")',
        '    messages = [{"role": "user", "content": "Which lights are on?"}]',
        f'    for chunk in client.chat.completions.create(model="{ASSIST_MODEL}", messages=messages, stream=True):',
        '        print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="")',
        "",
    ]
    if road is not None:
        lines += road.steps()
    return "\n".join([*lines, f"  Log             {home.process.log}", "  Ctrl-C stops everything.", ""])


def say(text: str) -> None:
    """Print progress to stderr; stdout is for results."""
    print(f"develop: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
