"""The command `zeroconf-ai`. One file per command, imported when it is used: `--help` must be quick."""

from collections.abc import Mapping, Sequence
from importlib import import_module
import logging
import os
import sys
from typing import Any, override

import click

from ..version import __version__
from .errors import ClosedPipeError, run_and_exit
from .examples import add_examples
from .output import Invocation, colour_choice

_COMMANDS: Mapping[str, str] = {
    "ask": "Ask one question, also about what a pipe delivers.",
    "broker": "Serve the models of machines behind a NAT, which connect to this one.",
    "ca": "Print the certificate authority of serve --tls, for programs that import one.",
    "chat": "Send a prompt to a provider on the network, or chat with it.",
    "connectors": "Pair, list and remove machines that are connected over the relay.",
    "clients": "Give client certificates of serve --tls, by a one-time code or by approval.",
    "completion": "Print the script for completion in bash, zsh or fish.",
    "config": "Check, convert and describe the file of serve.",
    "connect": "Offer the models of this machine to a house that cannot reach it.",
    "database": "Show the version of the database's tables, or return to an earlier one.",
    "discover": "List the providers on the network.",
    "doctor": "Check why providers are not found.",
    "endpoint": "Print the address and the API key of a provider, for other programs.",
    "enroll": "Get a certificate of a provider, by which it knows this client.",
    "household": "Make a code with which providers and clients of a household need no API key.",
    "keys": "Create, list and revoke API keys of clients.",
    "mcp": "Let agents ask the providers on the network (Model Context Protocol).",
    "models": "List the models of a server, or of all providers on the network.",
    "replay": "Answer from a recording of `serve --record`.",
    "serve": "Serve models on the network.",
    "service": "Run `serve` or `connect` at every start of this machine.",
    "status": "Show the servers that run on this machine, or another one.",
    "usage": "Show usage and cost by day, model, backend, API key, user or source.",
    "users": "List, block and forget the people who have signed in to the portal.",
}


def _open_closed_streams() -> None:
    """Connect standard streams that are closed (`>&-`) to nothing: reads find no text, writes succeed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  # until the process ends


class _Commands(click.Group):
    @override
    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """Run a command; its expected errors are one line, or with `--json` one object."""
        _open_closed_streams()
        invocation = Invocation(sys.argv[1:] if args is None else args)
        options = {**options, "standalone_mode": False, "obj": invocation, "color": colour_choice()}
        return run_and_exit(lambda: super(_Commands, self).main(args, *more, **options), invocation)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as err:
            raise ClosedPipeError from err

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __package__).command
        add_examples(command, cmd_name)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="zeroconf-ai")
@click.option("-v", "--verbose", is_flag=True, help="Write debug messages to stderr.")
def main(verbose: bool) -> None:
    """Find and use LLM providers on the local network, or run one."""
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if not verbose:
        # It warns, with a traceback, of every interface that takes no multicast; the others do.
        logging.getLogger("zeroconf").setLevel(logging.ERROR)
