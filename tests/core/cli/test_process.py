"""What `zeroconf-ai serve` sets for its process: garbage collection and the event loop."""

import asyncio
import gc
from pathlib import Path
import sys

import pytest

from zeroconf_ai.cli import process
from zeroconf_ai.server.garbage_collection import THRESHOLD

from ...support.command import line_of, started

pytestmark = pytest.mark.usefixtures("own_loopback")

REPORTING = """
import atexit, gc, sys
from zeroconf_ai.cli import main
atexit.register(lambda: print(gc.get_freeze_count(), gc.get_threshold()[0], flush=True))
main()
"""


def test_serve_once_ready_collects_none_of_the_heap_of_its_start_up_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", REPORTING, "serve", "--demo", "--host", "127.0.0.1", "--no-advertise"]
    with started(tmp_path, command) as served:
        line_of(served)
        line_of(served)  # the address of the page
        served.terminate()
        frozen, threshold = line_of(served).split()
        assert int(frozen) > 20_000
        assert int(threshold) == THRESHOLD > gc.get_threshold()[0]
        assert served.wait(20) == 0


def _loop_module() -> str:
    found = ""

    async def look() -> None:
        nonlocal found
        found = type(asyncio.get_running_loop()).__module__

    process.run(look())
    return found


def test_run_with_uvloop_installed_uses_its_event_loop() -> None:
    pytest.importorskip("uvloop")
    assert _loop_module() == "uvloop"


def test_run_without_uvloop_uses_the_event_loop_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert _loop_module().startswith("asyncio.")
