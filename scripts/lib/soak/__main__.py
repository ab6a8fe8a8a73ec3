"""`scripts/soak [MINUTES]`: see `scripts/soak --help`."""

import argparse
import asyncio
from pathlib import Path
import random
import sys
from tempfile import TemporaryDirectory

from devhome.namespaces import Lan, remove_leftovers

from .faults import FakeClock
from .run import soak

DESCRIPTION = """
Clients use a gateway in Home Assistant while its providers are killed, cables are pulled, the clock is stepped, the disk is full
and the database is locked, in network namespaces of this machine. No request may be lost, and the recorded usage must be what the
clients saw."""


def main() -> int:
    """Run it and print what was found; 1 if a request was lost or the usage differs from what the clients saw."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=DESCRIPTION)
    parser.add_argument("minutes", nargs="?", type=float, default=20.0, metavar="MINUTES", help="how long it lasts (20)")
    parser.add_argument("--clients", type=int, default=8, metavar="N", help="clients at the same time (8)")
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="for the same order of faults again")
    options = parser.parse_args()
    remove_leftovers()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"{options.minutes:g} minutes, {options.clients} clients, seed {seed}", flush=True)
    with (
        Lan("soak") as lan,
        lan.host("tester").namespace.entered(),
        TemporaryDirectory(prefix="soak-") as folder,
    ):
        clock = FakeClock(Path(folder) / "clock")
        found = asyncio.run(soak(lan, Path(folder), options.minutes * 60, options.clients, random.Random(seed), clock))
    print(found.report())
    return 1 if found.lost or found.differing else 0


if __name__ == "__main__":
    sys.exit(main())
