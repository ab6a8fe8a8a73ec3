"""One provider for all tests of a file that only ask, and Ctrl-C for all of them."""

from collections.abc import Iterator
import os
from pathlib import Path
import signal

import pytest

from ...support.command import Server, serving

NAME = f"Asked {os.getpid()}"
"""Of this process alone: other tests may announce theirs at the same time."""


@pytest.fixture(scope="package", autouse=True)
def interruptible() -> Iterator[None]:
    """Let Ctrl-C reach the programs under test also where the run itself ignores it, as one in a script's background does."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the command's state in a folder of the test's own, also where it is called in this process."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def provider(own_loopback: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demo provider that is advertised on the loopback interface."""
    with serving(tmp_path_factory.mktemp("provider"), "--name", NAME) as server:
        yield server
