"""The memory of `serve`, which runs on small machines."""

from pathlib import Path
import re
import subprocess

from zeroconf_ai.config.backend_types import BACKEND_TYPES

from ...support.command import COMMAND, environment, line_of
from ...support.ports import free_port

LIMIT_KB = 100 * 1024


def peak_of_serve(state: Path, file: Path) -> int:
    """Kilobytes, at most, from the start until it serves."""
    # Coverage, and compiling without bytecode, would be measured too. More cores than this machine has would have more heaps.
    kept = {name: value for name, value in environment(state).items() if not name.startswith("COVERAGE")}
    options = ("--config", str(file), "--no-advertise", "--host", "127.0.0.1", "--port", str(free_port()), "--json")
    with subprocess.Popen(
        [*COMMAND, "serve", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=kept | {"PYTHONDONTWRITEBYTECODE": "", "MALLOC_ARENA_MAX": "2"},
    ) as process:
        try:
            line_of(process, 60)
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        finally:
            process.kill()
    assert found is not None
    return int(found[1])


def test_serve_with_all_types_of_backends_stays_within_100_megabytes(tmp_path: Path) -> None:
    file = tmp_path / "providers.yaml"
    names = {name: name.replace("_", "-") for name in BACKEND_TYPES}
    lines = [f"  - {{id: {names[name]}, type: {name}, url: 'http://127.0.0.1:9', apiKey: sk-example}}" for name in BACKEND_TYPES]
    file.write_text("\n".join(["providers:", *lines]))
    peak_of_serve(tmp_path, file)  # makes the tables, and the bytecode
    assert peak_of_serve(tmp_path, file) <= LIMIT_KB
