"""The command as a whole."""

from pathlib import Path
import subprocess
import sys

from zeroconf_ai import __version__

from ...support.command import run


def test_command_version_is_printed(tmp_path: Path) -> None:
    done = run(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"zeroconf-ai, version {__version__}\n")


def test_command_help_lists_commands_without_loading_them(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("chat", "discover", "keys", "serve"))
    code = (
        "import sys, zeroconf_ai.cli\n"
        "try: zeroconf_ai.cli.main(['--help'])\n"
        "finally: sys.stderr.write(','.join({'aiohttp', 'zeroconf', 'rich', 'asyncio'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""


def test_command_help_of_a_command_is_printed(tmp_path: Path) -> None:
    done = run(tmp_path, "keys", "-h")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: zeroconf-ai keys ")


def test_command_unknown_is_a_usage_error(tmp_path: Path) -> None:
    done = run(tmp_path, "nothing")
    assert done.returncode == 2
    assert done.stderr == "Error: No such command 'nothing'. Options: zeroconf-ai --help\n"
