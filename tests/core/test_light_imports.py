"""What programs load that need no database: importing takes most of the time of a short one."""

from pathlib import Path
import subprocess
import sys

import pytest

from ..support.command import environment

HEAVY = ("PIL", "alembic", "cryptography", "genai_prices", "prometheus_client", "pydantic", "sqlalchemy")
"""Half a second and 50 MB: for `serve` alone, and for a client that keeps its sessions in a file."""
PROGRAMS = {
    "client": (
        "import zeroconf_ai; [getattr(zeroconf_ai, name) for name in zeroconf_ai.__all__]",
        (*HEAVY, "click", "rich", "yaml"),
    ),
    "chat": ("import zeroconf_ai.cli.chat", HEAVY),
    "discover": ("import zeroconf_ai.cli.discover", HEAVY),
    "help": ("import zeroconf_ai.cli", (*HEAVY, "aiohttp", "rich", "yaml", "zeroconf")),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_without_a_database_loads_nothing_that_only_serve_needs(program: str, tmp_path: Path) -> None:
    code, unwanted = PROGRAMS[program]
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment(tmp_path))
    assert not set(unwanted) & set(done.stdout.split())
    assert "zeroconf_ai" in done.stdout.split()


def test_public_names_are_listed_before_they_are_imported(tmp_path: Path) -> None:
    code = "import zeroconf_ai; assert {*zeroconf_ai.__all__} <= {*dir(zeroconf_ai)}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment(tmp_path))
    assert "zeroconf_ai.client" not in done.stdout.split()
