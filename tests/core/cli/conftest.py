"""One provider for all tests of a file that only ask."""

from collections.abc import Iterator
import os

import pytest

from .common import Server, serving

NAME = f"Asked {os.getpid()}"
"""Of this process alone: other tests may announce theirs at the same time."""


@pytest.fixture(scope="module")
def provider(own_loopback: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demo provider that is announced on the loopback interface."""
    with serving(tmp_path_factory.mktemp("provider"), "--name", NAME) as server:
        yield server
