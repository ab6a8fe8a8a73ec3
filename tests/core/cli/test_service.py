"""`zeroconf-ai service`: the files for systemd and launchd, and what systemd is told."""

import json
import os
from pathlib import Path
import plistlib
import stat
import subprocess

import pytest

from zeroconf_ai.cli.service_files import Service, launchd_job, systemd_unit

from ...support.command import run

SYSTEMCTL = """#!/bin/sh
echo "$@" >>"$CALLS"
[ "$2" != "$FAILING" ] || { echo "Failed to connect to bus: No medium found" >&2; exit 1; }
"""
HOSTILE = ["--name", 'Gaming "PC" $HOME %h \\ x; rm -rf /', "--upstream", "vllm=http://localhost:8001/v1?a=1&b=2"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A user with a home and a service manager that notes what it is told."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL)
    (programs / "systemctl").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    home = str(tmp_path / "home")
    return {"PATH": path, "HOME": home, "XDG_CONFIG_HOME": f"{home}/.config", "CALLS": str(tmp_path / "calls"), "FAILING": "-"}


def unit(env: dict[str, str]) -> Path:
    return Path(env["XDG_CONFIG_HOME"]) / "systemd" / "user" / "zeroconf-ai.service"


def calls(env: dict[str, str]) -> list[str]:
    """What systemctl was told."""
    file = Path(env["CALLS"])
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize("service", list(Service))
@pytest.mark.parametrize("system", [False, True])
def test_unit_with_hostile_options_is_valid_for_systemd(system: bool, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "zeroconf-ai.service"
    file.write_text(systemd_unit(["/usr/bin/env", *HOSTILE], tmp_path / "100%", system=system, service=service))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True, check=False)
    # Only its dependencies, which a container has not, may be missed.
    assert "zeroconf-ai.service:" not in done.stderr


@pytest.mark.parametrize(
    ("options", "seconds"),
    [([], 40), (["--drain-seconds", "90"], 100), (["--drain-seconds=0"], 10), (["--drain-seconds"], 40)],
)
def test_service_manager_waits_as_long_as_running_answers_may_take(options: list[str], seconds: int, tmp_path: Path) -> None:
    assert f"TimeoutStopSec={seconds}\n" in systemd_unit(["serve", *options], tmp_path, system=True)
    assert plistlib.loads(launchd_job(["serve", *options], {}, tmp_path))["ExitTimeOut"] == seconds


def test_unit_options_with_line_breaks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be printed"):
        systemd_unit(["serve", "a\nExecStartPre=/bin/sh"], tmp_path, system=False)


def test_launchd_job_starts_the_same_command_with_its_variables() -> None:
    job = plistlib.loads(launchd_job(["/opt/python", *HOSTILE], {"ZEROCONF_AI_KEY": "example"}, Path("/tmp/x.log")))
    assert job["ProgramArguments"] == ["/opt/python", *HOSTILE]
    assert job["EnvironmentVariables"] == {"ZEROCONF_AI_KEY": "example"}
    assert job["KeepAlive"] == {"SuccessfulExit": False}


def test_service_installed_is_started_and_has_a_private_file_for_secrets(tmp_path: Path, env: dict[str, str]) -> None:
    done = run(tmp_path, "service", "install", "--upstream", "ollama", "--keys", env=env)
    assert done.returncode == 0, done.stderr
    assert '"serve" "--upstream" "ollama" "--keys"\n' in unit(env).read_text()
    assert calls(env) == [
        "--user daemon-reload",
        "--user enable zeroconf-ai.service",
        "--user restart zeroconf-ai.service",
    ]
    variables = Path(env["XDG_CONFIG_HOME"]) / "zeroconf-ai" / "environment"
    assert stat.S_IMODE(variables.stat().st_mode) == 0o600
    assert str(variables) in done.stdout


def test_service_installed_again_keeps_the_secrets(tmp_path: Path, env: dict[str, str]) -> None:
    run(tmp_path, "service", "install", env=env)
    variables = Path(env["XDG_CONFIG_HOME"]) / "zeroconf-ai" / "environment"
    variables.write_text("ZEROCONF_AI_KEY=example\n")
    assert run(tmp_path, "service", "install", "--demo", env=env).returncode == 0
    assert variables.read_text() == "ZEROCONF_AI_KEY=example\n"
    assert '"serve" "--demo"\n' in unit(env).read_text()


def test_services_of_serve_and_connect_have_nothing_in_common(tmp_path: Path, env: dict[str, str]) -> None:
    """Both may run on one machine: each has its unit, its variables and, for the machine, its state."""
    done = run(tmp_path, "service", "install", "--json", "connect", "--parallel", "2", "--allow-model", "qwen*", env=env)
    assert done.returncode == 0, done.stderr
    file = unit(env).with_name("zeroconf-ai-connect.service")
    assert '"connect" "--parallel" "2" "--allow-model" "qwen*"\n' in file.read_text()
    assert not unit(env).exists()
    assert Path(json.loads(done.stdout)["variables"]).name == "connect.environment"
    assert calls(env)[-1] == "--user restart zeroconf-ai-connect.service"
    assert run(tmp_path, "service", "status", env=env).returncode == 4
    assert run(tmp_path, "service", "status", "connect", env=env).stdout == "running\n"
    assert run(tmp_path, "service", "uninstall", "connect", env=env).returncode == 0
    assert not file.exists()
    folders = [systemd_unit(["a"], tmp_path, system=True, service=service) for service in Service]
    assert "StateDirectory=zeroconf-ai\nEnvironment=XDG_STATE_HOME=/var/lib HOME=/var/lib/zeroconf-ai\n" in folders[0]
    assert "StateDirectory=zeroconf-ai-connect\nEnvironment=XDG_STATE_HOME=/var/lib/zeroconf-ai-connect " in folders[1]
    jobs = [plistlib.loads(launchd_job(["a"], {}, tmp_path, service))["Label"] for service in Service]
    assert jobs == ["io.github.zeroconf-ai", "io.github.zeroconf-ai.connect"]


DATABASE = "postgresql://ada:example@db.example.net/ai"


@pytest.mark.parametrize(
    ("option", "variable"),
    [
        (["--key", "example"], "ZEROCONF_AI_KEY"),
        (["--key=example"], "ZEROCONF_AI_KEY"),
        (["--database", DATABASE], "ZEROCONF_AI_DATABASE"),
        ([f"--database={DATABASE}"], "ZEROCONF_AI_DATABASE"),
    ],
)
def test_service_with_a_secret_among_its_options_is_refused(
    tmp_path: Path, env: dict[str, str], option: list[str], variable: str
) -> None:
    done = run(tmp_path, "service", "install", *option, env=env)
    assert done.returncode == 1
    assert variable in done.stderr
    assert "example" not in done.stderr
    assert not unit(env).exists()


def test_service_that_systemd_refuses_says_why_in_one_line(tmp_path: Path, env: dict[str, str]) -> None:
    done = run(tmp_path, "service", "install", env=env | {"FAILING": "daemon-reload"})
    assert done.returncode == 1
    why = "Failed to connect to bus: No medium found"
    assert done.stderr == f"Error: `systemctl --user daemon-reload` failed: {why} Run it yourself to see more.\n"


def test_service_printed_is_not_installed(tmp_path: Path, env: dict[str, str]) -> None:
    done = run(tmp_path, "service", "install", "--print", "--demo", env=env)
    assert done.stdout.startswith("# Written by")
    assert not unit(env).exists()
    assert calls(env) == []


def test_service_status_and_uninstall(tmp_path: Path, env: dict[str, str]) -> None:
    assert run(tmp_path, "service", "status", env=env).returncode == 4
    assert run(tmp_path, "service", "uninstall", env=env).returncode == 1
    run(tmp_path, "service", "install", env=env)
    assert run(tmp_path, "service", "status", env=env).stdout == "running\n"
    told = json.loads(run(tmp_path, "service", "status", "--json", env=env).stdout)
    assert (told["installed"], told["running"], told["file"]) == (True, True, str(unit(env)))
    assert run(tmp_path, "service", "status", env=env | {"FAILING": "is-active"}).returncode == 3
    assert run(tmp_path, "service", "uninstall", env=env).returncode == 0
    assert not unit(env).exists()
    assert calls(env)[-2:] == ["--user disable --now zeroconf-ai.service", "--user daemon-reload"]
