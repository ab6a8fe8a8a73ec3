"""Every module of the package can be imported, with warnings as errors."""

from importlib import import_module
import pkgutil

import pytest

import zeroconf_ai

ALONE = (".__main__", ".migrations.env")
"""Not modules to import: what they do begins then."""


@pytest.mark.filterwarnings("error")
def test_every_module_can_be_imported() -> None:
    names = [
        found.name for found in pkgutil.walk_packages(zeroconf_ai.__path__, "zeroconf_ai.") if not found.name.endswith(ALONE)
    ]
    assert len(names) > 300
    for name in names:
        assert import_module(name).__name__ == name
