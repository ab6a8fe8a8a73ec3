"""`scripts/fuzz [MINUTES]`: see `scripts/fuzz --help`."""

import argparse
from importlib.util import find_spec
import os
from pathlib import Path
import subprocess
import sys
import time

from hypothesis import HealthCheck, given, settings

from .mutations import inputs
from .targets import TARGETS

MAX_BYTES = 8192
"""Of an input."""
INPUT_SECONDS = 10
"""How long one input may take."""
MEMORY_MB = 2048
RUN = 2000
"""Inputs of a run of hypothesis, after which the time is looked at."""


def main() -> int:
    """Try every target for the same time; 1 if an input failed."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Odd bytes for every parser of what comes from the network, from a client or from a file. "
        "With atheris, inputs are found by the branches that they reach; without it, hypothesis changes valid ones. "
        "An input that fails is printed, and kept in the folder.",
    )
    parser.add_argument("minutes", nargs="?", type=float, default=5.0, metavar="MINUTES", help="how long it lasts in all (5)")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="try only this one; may be given several times")
    parser.add_argument("--keep", type=Path, default=Path(".fuzz"), metavar="FOLDER", help="where found inputs are kept (.fuzz)")
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    seconds = max(1, round(options.minutes * 60 / len(names)))
    guided = find_spec("atheris") is not None
    print(f"{len(names)} targets, {seconds} s each, with {'atheris' if guided else 'hypothesis'}", flush=True)
    failed = [name for name in names if not (_guided if guided else _changed)(name, seconds, options.keep)]
    print(f"failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _guided(name: str, seconds: int, folder: Path) -> bool:
    """Try a target with atheris, whose report is printed if an input fails."""
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fuzz.guided", name, f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}"]
    command += [f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={corpus}-", "-print_final_stats=1"]
    done = subprocess.run([*command, str(corpus)], capture_output=True, text=True, check=False, env=os.environ)
    said = done.stderr + done.stdout
    tried = next((line.split()[-1] for line in said.splitlines() if "number_of_executed_units" in line), "?")
    print(f"  {name}: {tried} inputs" + ("" if done.returncode == 0 else f"\n{said}"), flush=True)
    return done.returncode == 0


def _changed(name: str, seconds: int, _: Path) -> bool:
    """Try a target with hypothesis, which keeps failing inputs in its own folder."""
    target, end, tried = TARGETS[name], time.monotonic() + seconds, 0
    run = given(inputs(target.examples))(target.run)
    run = settings(max_examples=RUN, deadline=None, suppress_health_check=list(HealthCheck))(run)
    try:
        while time.monotonic() < end:
            run()
            tried += RUN
    except Exception as err:  # noqa: BLE001 # whatever a target raises is a finding
        print(f"  {name}: {type(err).__name__}: {err}\n{'\n'.join(getattr(err, '__notes__', ()))}", flush=True)
        return False
    print(f"  {name}: {tried} inputs", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
