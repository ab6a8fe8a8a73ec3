"""A LAN of network namespaces with real processes on it. Run these tests with `scripts/test tests/e2e`; they need root.

pytest itself moves onto the LAN, as the host "tester", for as long as the tests run: its sockets, its threads and the
programs that it starts (a browser's too) reach the hosts there and nothing else. No cable leads to the machine, so no
test's multicast can leave, whatever the code under test does, and a client needs no detour.

The Home Assistant test plugin has to be off (`-p no:homeassistant`): it forbids sockets and replaces parts of Home
Assistant, and here everything is to be real.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Sequence
from pathlib import Path
import time

import pytest
from zeroconf.asyncio import AsyncZeroconf

from devhome.client import HomeClient
from devhome.home import Home
from devhome.namespaces import Host, Lan, own_namespaces, remove_leftovers
from devhome.process import ManagedProcess
from devhome.provider import DemoProvider
from tests.support.fakes.provider import FakeProvider, running

type StartHome = Callable[..., Awaitable[Home]]
type StartProvider = Callable[..., Awaitable[DemoProvider]]

STARTED = pytest.StashKey[list[ManagedProcess]]()


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run with the Home Assistant test plugin."""
    if config.pluginmanager.hasplugin("homeassistant"):
        raise pytest.UsageError("run the end-to-end tests with: scripts/test tests/e2e (it passes -p no:homeassistant)")


LONGEST = ("test_vanished_clients.py", "test_browser_texts.py", "test_saturn_starts.py")
"""Files whose tests take a minute or more, mostly waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first: beside the others, instead of alone after them."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every process's log beside a failure."""
    report = yield
    if report.failed:
        logs = {process.log: process for process in item.stash.get(STARTED, [])}
        for log, process in logs.items():
            report.sections.append((str(log), "\n".join(process.output().splitlines()[-60:])))
    return report


@pytest.fixture(scope="session")
def lan() -> Generator[Lan]:
    """The LAN, with this process on it; `lan.host(name)` connects one more host."""
    remove_leftovers()
    with Lan("e2e") as network, network.host("tester").namespace.entered():
        yield network
    assert not own_namespaces()


@pytest.fixture(autouse=True)
def nothing_left_behind(lan: Lan) -> Generator[None]:
    """Fail a test after which a process still runs on the LAN, or a network namespace exists that is not the LAN's.

    Fixtures of a wider scope are set up before this one, so their processes may stay.
    """
    before = processes(lan)
    yield
    give_up = time.monotonic() + 5
    while (left := processes(lan) - before) and time.monotonic() < give_up:
        time.sleep(0.05)  # a killed process ends after a moment
    assert not left, f"still running: {[Path(f'/proc/{pid}/cmdline').read_text().split('\0') for pid in left]}"
    own = {f"{lan.switch.name}", *(host.namespace.name for host in lan.hosts)}
    assert own_namespaces() == own


def processes(lan: Lan) -> set[int]:
    """The ids of all processes on the hosts but the tester, whose own children end with it."""
    return {pid for host in lan.hosts if host.name != "tester" for pid in host.namespace.processes()}


@pytest.fixture
def started(request: pytest.FixtureRequest) -> list[ManagedProcess]:
    """The processes whose logs are shown if the test fails."""
    return request.node.stash.setdefault(STARTED, [])


@pytest.fixture
async def start_home(lan: Lan, tmp_path: Path, started: list[ManagedProcess]) -> AsyncGenerator[StartHome]:
    """`await start_home(host="home")` starts a Home Assistant with demo entities on a host; it is killed after the test.

    A regular stop would take 2 s, and nothing reads what Home Assistant writes at its end.
    """
    homes: list[Home] = []

    async def start(host: str | Host = "home", *, folder: Path | None = None, port: int = 8123) -> Home:
        machine = lan.host(host) if isinstance(host, str) else host
        home = Home(folder or tmp_path / f"config-{machine.name}", port=port, host=machine)
        homes.append(home)
        started.append(home.process)
        await home.start()
        return home

    yield start
    for home in homes:
        home.kill()


@pytest.fixture
async def start_provider(lan: Lan, tmp_path: Path, started: list[ManagedProcess]) -> AsyncGenerator[StartProvider]:
    """`await start_provider(host="gpu", name="Demo")` starts a demo provider on a host; it is killed after the test."""
    providers: list[DemoProvider] = []

    async def start(
        host: str | Host = "gpu",
        *,
        name: str = "Demo",
        port: int = 8500,
        key: str | None = None,
        id_file: Path | None = None,
        options: Sequence[str] = (),
    ) -> DemoProvider:
        machine = lan.host(host) if isinstance(host, str) else host
        log = tmp_path / f"provider-{len(providers)}.log"
        provider = DemoProvider(log, name=name, port=port, key=key, host=machine, id_file=id_file, options=options)
        providers.append(provider)
        started.append(provider.process)
        await provider.start()
        return provider

    yield start
    for provider in providers:
        provider.kill()


@pytest.fixture
async def home(start_home: StartHome) -> Home:
    """A Home Assistant with demo entities on the host "home"."""
    return await start_home()


@pytest.fixture
async def client(home: Home) -> AsyncGenerator[HomeClient]:
    """A connection to `home`."""
    async with home.client() as connection:
        yield connection


@pytest.fixture
async def provider(lan: Lan) -> AsyncIterator[FakeProvider]:
    """A provider on the tester's host with answers that the test sets."""
    async with running(FakeProvider(host=lan.host("tester").ipv4)) as fake:
        yield fake


@pytest.fixture
async def network(lan: Lan) -> AsyncIterator[AsyncZeroconf]:
    """MDNS on the tester's host."""
    async with AsyncZeroconf(interfaces=[lan.host("tester").ipv4]) as zeroconf:
        yield zeroconf
