"""`zeroconf-ai service`: runs `zeroconf-ai serve` or `connect` at every start of the machine, by systemd or launchd."""

from collections.abc import Sequence
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys

import click

from ..config.state_folder import state_folder
from .errors import CommandError
from .output import json_option, print_json
from .service_files import NAME, Service, launchd_job, systemd_unit

_SECRET_OPTIONS = ("--key",)
"""What everybody could read in a unit, or in the list of processes."""
_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")
"""An address with a password."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Run `zeroconf-ai serve` or `connect` at every start of this machine."""


_system_option = click.option(
    "--system", is_flag=True, help="For the whole machine instead of your user (Linux, as root): it runs before anybody logs in."
)


def _service(_ctx: click.Context, _param: click.Parameter, value: str) -> Service:
    return Service(value)


_service_argument = click.argument(
    "service", default=Service.SERVE.value, type=click.Choice([service.value for service in Service]), callback=_service
)


@command.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_system_option
@click.option("--print", "only_print", is_flag=True, help="Print the file instead of installing it.")
@json_option
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def install(system: bool, only_print: bool, as_json: bool, options: tuple[str, ...]) -> None:
    """Install and start the service. OPTIONS are those of `zeroconf-ai serve`, such as `--upstream ollama`.

    They follow the options of this command. If they begin with `connect`, it runs `zeroconf-ai connect` with the rest: pair
    before. Secrets belong in the file that it names, with a line NAME=VALUE for each variable.
    """
    service = Service.CONNECT if options[:1] == (Service.CONNECT,) else Service.SERVE
    options = options[1:] if service is Service.CONNECT else options
    file = _variables_file(service, system=system)
    if any(option.partition("=")[0] in _SECRET_OPTIONS for option in options):
        raise CommandError("Other programs could read the key there.", f"Write ZEROCONF_AI_KEY=… into {file} instead.")
    if any(_PASSWORD.search(option) for option in options):
        hint = f"Write ZEROCONF_AI_DATABASE=… into {file} instead."
        raise CommandError("Other programs could read the password in the service.", hint)
    manager = _manager(service, system=system)
    try:
        text = manager.text([*_program(system=system), service.value, *options])
    except ValueError as err:
        raise CommandError(str(err)) from None
    if not only_print:
        manager.install(text)
    if as_json:
        files = {"file": str(manager.file), "variables": str(manager.variables), "log_command": manager.log_command}
        print_json({"installed": not only_print, **files, "text": text})
        return
    if only_print:
        click.echo(text, nl=False)
        return
    click.echo(f"The service runs, and starts with {'this machine' if system else 'your login'}. Its file: {manager.file}")
    click.echo(f"Secrets and other variables: {manager.variables}")
    click.echo(f"What it says: {manager.log_command}")
    if manager.hint:
        click.echo(manager.hint)


@command.command()
@_service_argument
@_system_option
@json_option
def uninstall(service: Service, system: bool, as_json: bool) -> None:
    """Stop the service and remove it. Its state and its variables stay."""
    manager = _manager(service, system=system)
    if not manager.file.exists():
        message = f"There is no service: {manager.file} does not exist."
        words = "" if service is Service.SERVE else f" {service.value}"
        raise CommandError(message, f"Install it: zeroconf-ai service install{words}", kind="not_found")
    manager.uninstall()
    if as_json:
        print_json({"installed": False, "file": str(manager.file)})
        return
    click.echo("The service is removed.")


@command.command()
@_service_argument
@_system_option
@json_option
def status(service: Service, system: bool, as_json: bool) -> None:
    """Print whether the service runs. The exit code is 0 if it does, 3 if it does not, 4 if it is not installed."""
    manager = _manager(service, system=system)
    installed = manager.file.exists()
    running = installed and manager.runs()
    if as_json:
        print_json({"installed": installed, "running": running, "file": str(manager.file), "log_command": manager.log_command})
    elif not installed:
        click.echo("not installed")
    else:
        click.echo("running" if running else f"not running: {manager.log_command}")
    sys.exit(0 if running else 3 if installed else 4)


class _Systemd:
    """A unit of the user's systemd, or of the machine's."""

    def __init__(self, service: Service, *, system: bool) -> None:
        self._service = service
        self._system = system
        folder = Path("/etc/systemd/system") if system else _config_home() / "systemd" / "user"
        self.file = folder / f"{service.unit}.service"
        self.variables = _variables_file(service, system=system)
        self.log_command = f"journalctl {'' if system else '--user '}-u {service.unit}"
        self.hint = "" if system else "To run it before you log in too: loginctl enable-linger"

    def text(self, arguments: Sequence[str]) -> str:
        return systemd_unit(arguments, self.variables, system=self._system, service=self._service)

    def install(self, text: str) -> None:
        _write(self.file, text)
        _prepare_variables(self.variables)
        self._systemctl("daemon-reload")
        self._systemctl("enable", self.file.name)
        self._systemctl("restart", self.file.name)

    def uninstall(self) -> None:
        self._systemctl("disable", "--now", self.file.name)
        self.file.unlink()
        self._systemctl("daemon-reload")

    def runs(self) -> bool:
        return _run([*self._command, "is-active", "--quiet", self.file.name]).returncode == 0

    @property
    def _command(self) -> list[str]:
        return ["systemctl", *([] if self._system else ["--user"])]

    def _systemctl(self, *arguments: str) -> None:
        _demand([*self._command, *arguments])


class _Launchd:
    """An agent of the user's launchd."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.file = Path.home() / "Library" / "LaunchAgents" / f"{service.label}.plist"
        self.variables = _variables_file(service, system=False)
        self._log = Path.home() / "Library" / "Logs" / f"{service.unit}.log"
        self.log_command = f"tail -F {self._log}"
        self.hint = "After a change of the variables, install it again."

    def text(self, arguments: Sequence[str]) -> str:
        return launchd_job(arguments, _read_variables(self.variables), self._log, self._service).decode()

    def install(self, text: str) -> None:
        _prepare_variables(self.variables)
        # The variables are in it.
        _write(self.file, text, mode=0o600)
        _run(["launchctl", "bootout", f"{self._domain}/{self._service.label}"])  # an earlier one
        _demand(["launchctl", "bootstrap", self._domain, str(self.file)])

    def uninstall(self) -> None:
        _run(["launchctl", "bootout", f"{self._domain}/{self._service.label}"])
        self.file.unlink()

    def runs(self) -> bool:
        found = _run(["launchctl", "print", f"{self._domain}/{self._service.label}"])
        return found.returncode == 0 and "state = running" in found.stdout

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"


def _manager(service: Service, *, system: bool) -> _Systemd | _Launchd:
    """The service manager of this machine. Raises CommandError if the system is not supported."""
    if sys.platform == "darwin":
        if system:
            raise CommandError("On macOS the service belongs to your user.", "Leave out --system.")
        return _Launchd(service)
    if sys.platform == "linux":
        return _Systemd(service, system=system)
    raise CommandError("Services are installed on Linux and macOS only.", "On Windows, use the Task Scheduler.")


def _program(*, system: bool) -> list[str]:
    """The command that runs this program. Raises CommandError if its files are temporary or the service cannot read them."""
    program = [sys.executable, "-m", "zeroconf_ai.cli"]
    python = Path(sys.executable)
    if {"uv", "archive-v0"} <= set(python.parts) or {"uv", "environments-v2"} <= set(python.parts):
        raise CommandError("uvx keeps the program for this run only.", "Install it first: uv tool install zeroconf-ai")
    if system and any(python.is_relative_to(home) for home in ("/root", "/home", "/run/user")):
        hint = "python3 -m venv /opt/zeroconf-ai && /opt/zeroconf-ai/bin/pip install zeroconf-ai"
        message = f"A service of the machine cannot use {python}, which is in a home folder."
        raise CommandError(message, f"Install the program elsewhere: {hint}")
    return program


def _config_home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _variables_file(service: Service, *, system: bool) -> Path:
    """The file with the variables of the service."""
    name = "environment" if service is Service.SERVE else f"{service.value}.environment"
    if system:
        return Path("/etc") / NAME / name
    return (state_folder() if sys.platform == "darwin" else _config_home() / NAME) / name


def _read_variables(file: Path) -> dict[str, str]:
    """The variables of a file that need not exist."""
    if not file.exists():
        return {}
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _prepare_variables(file: Path) -> None:
    """Create the file of the variables, which only its owner reads, unless it exists."""
    if not file.exists():
        _write(file, "# Variables of this service of zeroconf-ai, such as ZEROCONF_AI_KEY=… or OPENAI_API_KEY=…\n", mode=0o600)


def _write(file: Path, text: str, *, mode: int = 0o644) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f"{file.name}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as opened:
            opened.write(text)
        new.replace(file)
    except OSError as err:
        hint = "Run the command as a user who may write it."
        raise CommandError(f"{file} cannot be written: {err.strerror or err}.", hint, kind="permission_denied") from None


def _run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program of the system. Raises CommandError if it does not exist."""
    if shutil.which(arguments[0]) is None:
        raise CommandError(f"{arguments[0]} is not installed.", "With --print you get the file for another service manager.")
    return subprocess.run(list(arguments), capture_output=True, text=True, timeout=120, check=False)


def _demand(arguments: Sequence[str]) -> None:
    done = _run(arguments)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().partition("\n")[0] or f"exit code {done.returncode}"
        raise CommandError(f"`{' '.join(arguments)}` failed: {said}", "Run it yourself to see more.")
