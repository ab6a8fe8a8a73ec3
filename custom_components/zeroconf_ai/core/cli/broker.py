"""`zeroconf-ai broker`: serve the models of connectors, on a machine that everybody can reach."""

from pathlib import Path
from typing import Any

import click

from . import admission, operation, recording, serve, state, tls
from .output import json_option
from .ports import FIRST_PORT
from .variables import load_beside, with_variables


@click.command("broker")
@click.option(
    "--config",
    is_eager=True,
    callback=load_beside,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read this YAML file of `serve`: the portal, routing, limits, and providers besides those of connectors.",
)
@click.option("--host", metavar="ADDRESS", help="Listen on this address only.  [default: all]")
@click.option(
    "--port", type=click.IntRange(1, 65535), help=f"Listen on this port.  [default: the first free one from {FIRST_PORT} on]"
)
@click.option("--name", help='The name of the broker.  [default: "Broker on HOST"]')
@admission.options
@tls.options
@operation.options
@recording.options
@click.option(
    "--id-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The file that stores the broker's ID.  [default: {state.id_file()}]",
)
@click.option(
    "--admin", metavar="CONTACT", callback=serve.contact, help="The contact of the administrator, such as a mail address."
)
@click.option(
    "--provider-in-chunks", is_flag=True, help="Name the provider in every chunk of a stream, not only in the first one."
)
@json_option
def command(**said: Any) -> None:
    """Serve the models of connectors until Ctrl-C: of machines behind a NAT, which connect to this one.

    It is `serve` without models of its own and without an advertisement, and always with API keys. Its operator can read all
    prompts and answers.
    """
    serve.start(broker=True, household=None, household_tokens_per_hour=None, household_cost_per_hour=None, **said)


with_variables(command)
