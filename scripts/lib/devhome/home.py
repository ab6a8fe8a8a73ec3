"""A real Home Assistant process, from an empty folder to a furnished home with an owner."""

from collections.abc import Sequence
from pathlib import Path
import re
import sys

from . import DevHomeError
from .client import HomeClient, status_of
from .config_folder import prepare
from .namespaces import Host
from .onboarding import Login, log_in
from .process import ManagedProcess

# The first start compiles every module that it loads, on a small machine next to others.
START_TIMEOUT = 180.0
RESTART_CODE = 100
"""Home Assistant's exit code after a requested restart: its parent process must start it again."""
PAGE = "/zeroconf-ai"
"""The path of the integration's page, which is in the sidebar."""

HARMLESS = (
    "has not been tested by Home Assistant",  # logged for each custom integration
    "zlib_ng and isal are not available",  # faster compression, which only Home Assistant's container brings
)

ROOMS = {
    "Kitchen": ("light.kitchen_light", "switch.coffee_machine"),
    "Living Room": ("light.living_room_lamp", "sensor.living_room_temperature"),
    "Bedroom": ("light.bedroom_light", "sensor.bedroom_humidity"),
}


class Home:
    """Home Assistant in a folder, on this machine or on a host of a LAN.

    May be started and stopped again and again; the folder keeps the home.
    """

    def __init__(
        self, folder: Path, *, port: int = 8123, listen: Sequence[str] = (), address: str = "127.0.0.1", host: Host | None = None
    ) -> None:
        """`listen`: the addresses to listen on, all if empty; `address`: the one that requests here are sent to.

        With a `host`, it runs there, and `address` is that host's.
        """
        self.folder = folder.resolve()
        self.port = port
        self._listen = listen
        address = address if host is None else host.ipv4
        self.url = f"http://{f'[{address}]' if ':' in address else address}:{port}"
        command = (sys.executable, "-m", "homeassistant", "--config", str(self.folder), "--log-no-color")
        self.process = ManagedProcess("Home Assistant", command, self.folder / "hass.log", host=host)
        self._login: Login | None = None

    @property
    def login(self) -> Login:
        """The owner. Raises DevHomeError before the first start."""
        if self._login is None:
            raise DevHomeError("Home Assistant was not started yet")
        return self._login

    async def start(self, timeout: float = START_TIMEOUT) -> None:
        """Start it and wait until it runs. Raises DevHomeError, with the end of its log, if it does not."""
        prepare(self.folder, port=self.port, listen=self._listen)
        self.process.start()
        try:
            await self.process.until(self._answers, timeout)
            self._login = await log_in(self.url, self.folder)
            await self.process.until(self._runs, timeout)
            await self._furnish()
        except BaseException:
            await self.process.stop(timeout=10)
            raise

    async def stop(self) -> int | None:
        """Stop it as a service manager would; its return code, 0 if all went well. Safe to call twice."""
        return await self.process.stop()

    def kill(self) -> None:
        """End it at once, as a power cut would. Safe to call twice."""
        self.process.kill()

    def client(self) -> HomeClient:
        """A connection to it, to be used with `async with`."""
        return HomeClient(self.url, self.login.token)

    def log(self) -> str:
        """Its log since its start, from `info` on."""
        return self.process.output()

    def complaints(self) -> list[str]:
        """The log's lines that are warnings or worse, without those that every development set-up gets."""
        found = [line for line in self.log().splitlines() if re.match(r"\S+ \S+ (WARNING|ERROR|CRITICAL)", line)]
        return [line for line in found if not any(words in line for words in HARMLESS)]

    def installed_requirements(self) -> list[str]:
        """The packages that it tried to install since its start: each costs seconds, and half a minute without internet."""
        return re.findall(r"Attempting install of (\S+)", self.log())

    async def _answers(self) -> bool:
        return await status_of(f"{self.url}/api/onboarding") is not None

    async def _runs(self) -> bool:
        async with self.client() as home:
            config = await home.rest("GET", "/api/config")
        if config["recovery_mode"]:
            raise self.process.failure("came up in recovery mode: its configuration is not valid")
        return bool(config["state"] == "RUNNING")

    async def _furnish(self) -> None:
        """Put the demo devices into rooms and switch off what has no state yet. Does nothing in a furnished home."""
        async with self.client() as home:
            states = await home.states()
            areas = {area["name"]: area["area_id"] for area in await home.call("config/area_registry/list")}
            registry = {entry["entity_id"]: entry for entry in await home.call("config/entity_registry/list")}
            for room, entity_ids in ROOMS.items():
                for entity_id in entity_ids:
                    # A folder may have another configuration without these.
                    if (entry := registry.get(entity_id)) is not None and entry["area_id"] is None and room in areas:
                        await home.call("config/entity_registry/update", entity_id=entity_id, area_id=areas[room])
                    if entity_id in states and states[entity_id]["state"] == "unknown":
                        await home.call_service("homeassistant", "turn_off", {"entity_id": entity_id})
