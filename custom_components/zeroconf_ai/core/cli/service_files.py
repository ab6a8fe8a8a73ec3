"""The files by which systemd and launchd run `zeroconf-ai serve` or `zeroconf-ai connect`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
import plistlib

from ..config.server_fields import MAX_DRAIN_SECONDS
from .operation import DRAIN_SECONDS

NAME = "zeroconf-ai"
_LABEL = "io.github.zeroconf-ai"
CLOSE_SECONDS = 10
"""Seconds that a stop may take in addition to the drain time of running answers."""
_DRAIN = "--drain-seconds"

_UNIT = """\
# Written by `zeroconf-ai service install`.
[Unit]
Description={description}
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
StateDirectory={name}
Environment=XDG_STATE_HOME={state} HOME=/var/lib/{name}
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
CapabilityBoundingSet=
"""


class Service(StrEnum):
    """What a service runs."""

    SERVE = "serve"
    CONNECT = "connect"

    @property
    def unit(self) -> str:
        """The name of its unit, and of its folder below /var/lib."""
        return NAME if self is Service.SERVE else f"{NAME}-{self.value}"

    @property
    def label(self) -> str:
        """The name of its launchd job."""
        return _LABEL if self is Service.SERVE else f"{_LABEL}.{self.value}"


_DESCRIPTIONS = {
    Service.SERVE: "ZeroConf AI: serves LLM providers on the local network",
    Service.CONNECT: "ZeroConf AI: offers LLM providers to a house that cannot reach them",
}


def systemd_unit(command: Sequence[str], environment: Path, *, system: bool, service: Service = Service.SERVE) -> str:
    """The unit that runs `command`, with the variables of the file `environment`.

    A system unit has a user of its own that reaches nothing but its state, in a folder of its own below /var/lib.
    Raises ValueError if an argument has a line break or another control character.
    """
    state = "/var/lib" if service is Service.SERVE else f"/var/lib/{service.unit}"
    return _UNIT.format(
        command=" ".join(_quoted(argument) for argument in command),
        environment=str(environment).replace("%", "%%"),
        stop=_stop_seconds(command),
        more=_SYSTEM.format(name=service.unit, state=state) if system else "",
        description=_DESCRIPTIONS[service],
        target="multi-user.target" if system else "default.target",
    )


def launchd_job(command: Sequence[str], environment: Mapping[str, str], log: Path, service: Service = Service.SERVE) -> bytes:
    """The property list of a launchd agent that runs `command`."""
    job = {
        "Label": service.label,
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
