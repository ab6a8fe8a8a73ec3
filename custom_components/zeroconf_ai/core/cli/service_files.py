"""The files by which systemd and launchd run `zeroconf-ai serve`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
import plistlib

from ..config.server_fields import MAX_DRAIN_SECONDS
from .operation import DRAIN_SECONDS

NAME = "zeroconf-ai"
LABEL = "io.github.zeroconf-ai"
"""The name of the launchd job."""
CLOSE_SECONDS = 10
"""Seconds that a stop may take in addition to the drain time of running answers."""
_DRAIN = "--drain-seconds"

_UNIT = """\
# Written by `zeroconf-ai service install`.
[Unit]
Description=ZeroConf AI: serves LLM providers on the local network
Documentation=https://github.com/zeroconf-ai/zeroconf-ai
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={command}
EnvironmentFile=-{environment}
Restart=on-failure
RestartSec=5
TimeoutStopSec={stop}
NoNewPrivileges=yes
{more}
[Install]
WantedBy={target}
"""
_SYSTEM = """\
DynamicUser=yes
StateDirectory=zeroconf-ai
Environment=XDG_STATE_HOME=/var/lib HOME=/var/lib/zeroconf-ai
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
CapabilityBoundingSet=
"""


def systemd_unit(command: Sequence[str], environment: Path, *, system: bool) -> str:
    """The unit that runs `command`, with the variables of the file `environment`.

    A system unit has a user of its own that reaches nothing but its state in /var/lib/zeroconf-ai.
    Raises ValueError if an argument has a line break or another control character.
    """
    return _UNIT.format(
        command=" ".join(_quoted(argument) for argument in command),
        environment=str(environment).replace("%", "%%"),
        stop=_stop_seconds(command),
        more=_SYSTEM if system else "",
        target="multi-user.target" if system else "default.target",
    )


def launchd_job(command: Sequence[str], environment: Mapping[str, str], log: Path) -> bytes:
    """The property list of a launchd agent that runs `command`."""
    job = {
        "Label": LABEL,
        "ProgramArguments": list(command),
        "EnvironmentVariables": dict(environment),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ExitTimeOut": _stop_seconds(command),
        "ProcessType": "Interactive",  # otherwise macOS slows its work down
        "StandardErrorPath": str(log),
        "StandardOutPath": str(log),
    }
    return plistlib.dumps(job)


def _stop_seconds(command: Sequence[str]) -> int:
    """Seconds that a stop of `command` may take: its --drain-seconds and a margin."""
    drain = DRAIN_SECONDS
    for word, following in zip(command, (*command[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        if name == _DRAIN:
            with suppress(ValueError):
                drain = int(value if equals else following)
    return min(max(drain, 0), MAX_DRAIN_SECONDS) + CLOSE_SECONDS


def _quoted(argument: str) -> str:
    """An argument of ExecStart: systemd.service(5), "Command lines", and the specifiers of systemd.unit(5)."""
    if not argument.isprintable():
        raise ValueError(f"The option {argument!r} has a character that cannot be printed.")
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
