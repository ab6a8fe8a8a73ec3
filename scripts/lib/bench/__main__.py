"""`scripts/bench [engine | gateway | relay | brokers | accounting | page | records | voice] …`."""

import argparse
import asyncio
from contextlib import ExitStack
from dataclasses import asdict
import json
import os
from pathlib import Path
import sys
from tempfile import TemporaryDirectory

from devhome import DevHomeError
from devhome.namespaces import loopback_host, remove_leftovers

from . import __doc__ as about, accounting, brokers, engine, gateway, page, page_records, relay, voice_failover
from .targets import TARGETS, chosen


def main() -> int:
    """Measure and print; returns 1 if that failed."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=about)
    what = parser.add_subparsers(dest="what", required=True)
    small = what.add_parser("engine", help="the engine and a bare client, in one process")
    small.add_argument(
        "--rounds", type=int, default=9, help="number of rounds, of which the median is printed (default: %(default)s)"
    )
    large = what.add_parser("gateway", help="the gateway, a bare proxy, nginx and others, each in a separate process")
    large.add_argument(
        "--rounds", type=int, default=3, help="number of rounds, of which the median is printed (default: %(default)s)"
    )
    large.add_argument("--seconds", type=float, default=2.0, help="seconds of each measurement (default: %(default)s)")
    large.add_argument("--target", action="append", default=[], help=f"one of: {', '.join(kind.name for kind in TARGETS)}")
    large.add_argument("--scenario", default="", metavar="WORDS", help="only scenarios whose names contain these words")
    over = what.add_parser("relay", help="a backend by HTTP and over a relay link, in one process")
    over.add_argument(
        "--rounds", type=int, default=7, help="number of rounds, of which the median is printed (default: %(default)s)"
    )
    several = what.add_parser("brokers", help="two brokers with one PostgreSQL, and nginx before them")
    several.add_argument(
        "--rounds", type=int, default=3, help="number of rounds, of which the median is printed (default: %(default)s)"
    )
    several.add_argument("--seconds", type=float, default=3.0, help="seconds of each measurement (default: %(default)s)")
    kept = what.add_parser("accounting", help="records, keys, budgets and reports with many of each")
    kept.add_argument("--rows", type=int, default=1_000_000, help="records in the database (default: %(default)s)")
    kept.add_argument("--keys", type=int, default=10_000, help="keys in the database (default: %(default)s)")
    kept.add_argument("--requests", type=int, default=100_000, help="requests to watch the memory over (default: %(default)s)")
    kept.add_argument("--database", metavar="URL", help="an empty database to fill  [default: an SQLite file]")
    seen = what.add_parser("page", help="how soon the page shows the live state, in serve and in Home Assistant")
    seen.add_argument(
        "--rounds", type=int, default=5, help="number of rounds, of which the median is printed (default: %(default)s)"
    )
    many = what.add_parser("records", help="how the page answers with many records and API keys")
    many.add_argument("--rows", type=int, default=100_000, help="records in the database (default: %(default)s)")
    many.add_argument("--keys", type=int, default=200, help="keys in the database (default: %(default)s)")
    spoken = what.add_parser("voice", help="how long a person who speaks waits, also when a provider fails")
    spoken.add_argument(
        "--rounds", type=int, default=5, help="number of rounds, of which the median is printed (default: %(default)s)"
    )
    for part in (small, large, over, several, kept, seen, many, spoken):
        part.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.what == "engine":
        engine.main(options.rounds, as_json=options.json)
        return 0
    if options.what == "relay":
        relay.main(options.rounds, as_json=options.json)
        return 0
    if options.what == "accounting":
        accounting.main(options.rows, options.keys, options.requests, options.database, as_json=options.json)
        return 0
    try:
        with ExitStack() as stack:
            if os.geteuid() == 0:  # a separate network namespace, so that nothing is advertised on the machine's network
                remove_leftovers()
                stack.enter_context(stack.enter_context(loopback_host("bench")).namespace.entered())
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
            if options.what == "brokers":
                brokers.main(folder, options.rounds, options.seconds, as_json=options.json)
                return 0
            if options.what == "records":
                page_records.main(folder, options.rows, options.keys, as_json=options.json)
                return 0
            if options.what == "voice":
                _voice(folder, options.rounds, as_json=options.json)
                return 0
            if options.what == "page":
                page.main(folder, options.rounds, as_json=options.json)
                return 0
            measuring = gateway.measure(
                chosen(options.target), folder, rounds=options.rounds, seconds=options.seconds, only=options.scenario
            )
            result = asyncio.run(measuring)
    except DevHomeError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    sys.stdout.write((json.dumps(asdict(result), indent=2) if options.json else gateway.table(result)) + "\n")
    return 0


def _voice(folder: Path, rounds: int, *, as_json: bool) -> None:
    """Measure Assist's pipeline, and what happens when the provider of a conversation fails."""
    from . import voice_pipeline  # noqa: PLC0415 - it imports Home Assistant

    heard, failover = asyncio.run(voice_pipeline.measure(folder, rounds)), asyncio.run(voice_failover.measure())
    if as_json:
        found = {"pipeline": [asdict(one) for one in heard], "failover": [asdict(one) for one in failover]}
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    sys.stdout.write(f"{voice_pipeline.table(heard)}\n\n{voice_failover.table(failover)}\n")


if __name__ == "__main__":
    sys.exit(main())
