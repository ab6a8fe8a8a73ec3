"""`scripts/clients`."""

import argparse
import asyncio
from contextlib import ExitStack
import os
from pathlib import Path
import re
import sys
from tempfile import TemporaryDirectory

from devhome import REPOSITORY, DevHomeError
from devhome.namespaces import loopback_host, remove_leftovers

from . import __doc__ as about
from .installed import install, prepare
from .model import MODELS
from .programs import PROGRAMS
from .run import as_json, run, table

_GUIDES = REPOSITORY / "docs" / "guides.md"
_TABLE = re.compile(r"(<!-- table: clients -->\n).*?(<!-- end of table -->)", re.DOTALL)


def main() -> int:
    """Run the clients and print the table; returns 1 if one failed."""
    parser = argparse.ArgumentParser(prog="scripts/clients", description=about)
    parser.add_argument("--client", action="append", default=[], metavar="NAME", help="only clients whose names contain this")
    parser.add_argument("--backend", action="append", default=[], choices=MODELS, help="the model's API (default: openai)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help="write the table into docs/guides.md")
    parser.add_argument("--log", type=Path, metavar="FOLDER", help="keep output and requests in this new folder")
    options = parser.parse_args()
    if options.write and (options.client or options.backend):
        parser.error("--write is for the complete table: it takes neither --client nor --backend")
    wanted = [name.lower() for name in options.client]
    programs = [one for one in PROGRAMS if not wanted or any(name in one.name.lower() for name in wanted)]
    try:
        install()
        prepare(programs)
        with ExitStack() as stack:
            folder = options.log or Path(stack.enter_context(TemporaryDirectory(prefix="clients-")))
            if os.geteuid() == 0:  # a network namespace without a network: no client reaches another host
                remove_leftovers()
                stack.enter_context(stack.enter_context(loopback_host("clients")).namespace.entered())
            outcomes = asyncio.run(run(programs, options.backend or ["openai"], folder.resolve()))
    except DevHomeError as error:
        sys.stderr.write(f"clients: {error}\n")
        return 1
    sys.stdout.write((as_json(outcomes) if options.json else table(outcomes)) + "\n")
    if options.write:
        _GUIDES.write_text(_TABLE.sub(rf"\1\n{table(outcomes)}\n\n\2", _GUIDES.read_text("utf-8")), encoding="utf-8")
    return 0 if all(one.passed for one in outcomes) else 1


sys.exit(main())
