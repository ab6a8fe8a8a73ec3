"""The demo provider as a process: something for Home Assistant to find."""

from collections.abc import Sequence
from pathlib import Path
import sys

from .client import status_of
from .namespaces import Host
from .process import ManagedProcess

START_TIMEOUT = 60.0
MODEL = "demo-rules"
COMMAND = Path(sys.prefix) / "bin" / "zeroconf-ai"


class DemoProvider:
    """`zeroconf-ai serve --demo`, on this machine or on a host of a LAN. May be started and stopped again and again."""

    def __init__(
        self,
        log: Path,
        *,
        name: str = "Demo",
        port: int = 8500,
        key: str | None = None,
        host: Host | None = None,
        id_file: Path | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """Output is written to `log`. `name` is the advertised name. With a `key`, requests need it. `options` are further ones.

        `id_file` says who it is: another provider's makes this that provider, elsewhere.
        """
        self.name = name
        self.port = port
        self.key = key
        address = "127.0.0.1" if host is None else host.ipv4
        self.base_url = f"{'https' if '--tls' in options else 'http'}://{address}:{port}/v1"
        # Home Assistant reaches it at the address of its announcement, so it listens on all.
        command = ["env", f"XDG_STATE_HOME={log.resolve().with_suffix('')}", str(COMMAND)]
        command += ["serve", "--demo", "--name", name, "--host", "0.0.0.0", "--port", str(port)]
        # Several may run on one machine, each with its own id, which a restart does not change.
        self.id_file = id_file or log.resolve().with_suffix(".id")
        command += ["--id-file", str(self.id_file)]
        if key is not None:
            command += ["--key", key]
        command += options
        self.process = ManagedProcess(f"The provider {name!r}", command, log, host=host)

    async def start(self, timeout: float = START_TIMEOUT) -> None:
        """Start it and wait until it answers. Raises DevHomeError, with the end of its log, if it does not."""
        self.process.start()
        try:
            await self.process.until(self._healthy, timeout)
        except BaseException:
            self.process.kill()
            raise

    async def stop(self) -> int | None:
        """Stop it as Ctrl-C would, with a goodbye; its return code. Safe to call twice."""
        return await self.process.stop()

    def kill(self) -> None:
        """End it at once, without a goodbye. Safe to call twice."""
        self.process.kill()

    async def _healthy(self) -> bool:
        return await status_of(f"{self.base_url}/health") == 200
