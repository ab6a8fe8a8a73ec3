"""`zeroconf-ai` on a network with other providers: the demo provider, and one that avahi advertises."""

import json
import os
from pathlib import Path
import shutil

from devhome.namespaces import Lan
from devhome.process import ManagedProcess
from devhome.provider import COMMAND
from tests.support.documented import sections

from .conftest import StartProvider


async def run(lan: Lan, log: Path, *arguments: str, program: tuple[str, ...] = (str(COMMAND),)) -> str:
    """The output of the command, or of another program, on a separate host."""
    variables = (f"XDG_STATE_HOME={log.parent}", f"PATH={COMMAND.parent}:{os.environ['PATH']}")
    command = ("env", *variables, *program, *arguments)
    process = ManagedProcess("zeroconf-ai", command, log, host=lan.host("laptop")).start()
    assert await process.wait() == 0, process.output()
    return process.output()


async def test_discover_lists_the_providers_of_the_network(lan: Lan, tmp_path: Path, start_provider: StartProvider) -> None:
    provider = await start_provider("gpu", name="Gaming PC")
    locked = await start_provider("pi", name="Locked", key="zai_example-key")
    (block,) = sections("troubleshooting.md")["Why is no provider found?"].commands
    both = await run(lan, tmp_path / "documented.log", block, program=("sh", "-ec"))
    explained, said, table = both.partition("Nothing is wrong.\n")
    assert ("Gaming PC" in explained, bool(said)) == (True, True), both
    assert "Gaming PC" in table
    assert "Locked" in table
    listed = json.loads(await run(lan, tmp_path / "json.log", "discover", "--json"))
    found = {item["name"]: item for item in listed}
    assert set(found) == {"Gaming PC", "Locked"}
    assert found["Gaming PC"]["url"] == provider.base_url
    assert "demo-rules" in found["Gaming PC"]["models"]
    assert found["Locked"]["url"] == locked.base_url
    assert found["Locked"]["auth"] == "token"
    assert "zai_example-key" not in json.dumps(listed)


async def test_serve_without_options_is_discovered_at_its_printed_url(
    lan: Lan, tmp_path: Path, started: list[ManagedProcess]
) -> None:
    command = ("env", f"XDG_STATE_HOME={tmp_path}", str(COMMAND), "serve", "--demo", "--json")
    server = ManagedProcess("zeroconf-ai serve", command, tmp_path / "serve.log", host=lan.host("gpu")).start()
    started.append(server)

    async def printed() -> bool:
        return "\n" in server.output()

    await server.until(printed, 30)
    try:
        ready = json.loads(server.output())
        assert ready["advertised"] is True
        assert ready["name"] == "Demo on gpu"
        for host in ("gpu", "laptop"):  # also on its own machine
            log = tmp_path / f"{host}.log"
            looking = ManagedProcess("discover", (str(COMMAND), "discover", "--json"), log, host=lan.host(host)).start()
            assert await looking.wait() == 0
            assert [item["url"] for item in json.loads(looking.output())] == [ready["url"]]
    finally:
        assert await server.stop() == 0


async def test_chat_uses_any_discovered_provider(lan: Lan, tmp_path: Path, start_provider: StartProvider) -> None:
    await start_provider("gpu", name="Gaming PC")
    answer = await run(lan, tmp_path / "chat.log", "chat", "Who are you?")
    assert "demo-rules" in answer


async def test_advertisement_is_exchanged_with_avahi(
    lan: Lan, tmp_path: Path, start_provider: StartProvider, started: list[ManagedProcess]
) -> None:
    provider = await start_provider("gpu", name="Gaming PC")
    host = lan.host("avahi")
    # avahi uses a separate D-Bus, and each of its programs gets the address of that bus.
    bus = f"unix:path={tmp_path / 'bus'}"
    config = tmp_path / "bus.conf"
    config.write_text(
        f"<busconfig><type>system</type><listen>{bus}</listen><auth>EXTERNAL</auth>"
        '<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>'
        '<allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>'
    )
    environment = ("env", f"DBUS_SYSTEM_BUS_ADDRESS={bus}")
    avahi = shutil.which("avahi-daemon") or "/usr/sbin/avahi-daemon"
    (tmp_path / "avahi.conf").write_text("[server]\nuse-ipv6=yes\n[publish]\npublish-workstation=no\n")
    own = "mkdir -p /run/avahi-daemon && mount -t tmpfs none /run/avahi-daemon"  # instead of the folder of the machine's avahi
    options = f"--no-drop-root --no-chroot --no-rlimits -f {tmp_path / 'avahi.conf'}"
    start = f"{own} && exec {' '.join(environment)} {avahi} {options}"
    daemons = [
        ManagedProcess("D-Bus", ("dbus-daemon", f"--config-file={config}", "--nofork"), tmp_path / "dbus.log", host=host),
        ManagedProcess("avahi", ("unshare", "--mount", "sh", "-c", start), tmp_path / "avahi.log", host=host),
    ]
    try:
        for daemon in daemons:
            started.append(daemon)
            daemon.start()

            async def ready(daemon: ManagedProcess = daemon) -> bool:
                return (tmp_path / "bus").exists() if daemon.name == "D-Bus" else "startup complete" in daemon.output()

            await daemon.until(ready, 20)
        browse = (*environment, "avahi-browse", "--resolve", "--parsable", "--terminate", "_zeroconfai._tcp")
        looking = ManagedProcess("avahi-browse", browse, tmp_path / "browse.log", host=host).start()
        assert await looking.wait() == 0, looking.output()
        resolved = [line.split(";") for line in looking.output().splitlines() if line.startswith("=")]
        assert any(str(provider.port) in line and "models=demo-rules" in line[-1] for line in resolved), looking.output()

        txt = ("version=1.0", "id=6c2e8f6a-0000-4000-8000-000000000001", "models=from-avahi")
        publish = (*environment, "avahi-publish", "--service", "Old PC", "_zeroconfai._tcp", "8999", *txt)
        publishing = ManagedProcess("avahi-publish", publish, tmp_path / "publish.log", host=host).start()
        started.append(publishing)
        try:

            async def established() -> bool:
                return "Established" in publishing.output()

            await publishing.until(established, 10)
            listed = json.loads(await run(lan, tmp_path / "json.log", "discover", "--json"))
        finally:
            await publishing.stop()
        old = next(item for item in listed if item["name"] == "Old PC")
        assert old["models"] == ["from-avahi"]
        assert old["url"] == f"http://{host.ipv4}:8999/v1"
    finally:
        for daemon in reversed(daemons):
            await daemon.stop()
