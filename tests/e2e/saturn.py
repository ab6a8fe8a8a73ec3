"""Saturn 1.1.0, unmodified, on a host of the LAN."""

from pathlib import Path

from devhome.namespaces import Host
from devhome.process import ManagedProcess

PROGRAM = Path(__file__).parents[2] / ".venv-saturn" / "bin" / "saturn"
TOKEN = "example-token-of-thirty-two-chars-or-more"


def run_fallback(host: Host, folder: Path, port: int = 8700) -> ManagedProcess:
    """Start Saturn's fallback server. It advertises itself before it listens, and requires a bearer token on every path."""
    home = folder / f"saturn-{port}"
    home.mkdir(exist_ok=True)
    # It finds its address by the default route, so there has to be one; it leads nowhere.
    host.namespace.run("ip", "route", "replace", "default", "via", f"{host.ipv4.rpartition('.')[0]}.1")
    command = ("env", f"HOME={home}", f"SATURN_RUNNER_TOKEN={TOKEN}", str(PROGRAM), "run", "fallback")
    process = ManagedProcess(f"Saturn {port}", (*command, "--host", "0.0.0.0", "--port", str(port)), home / "log", host=host)
    return process.start()
