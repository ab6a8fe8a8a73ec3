"""`zeroconf-ai ca`: the certificate that other programs import to trust `serve --tls` of this machine."""

from pathlib import Path
from uuid import UUID

import click

from . import state
from .errors import CommandError
from .output import json_option, print_json

_START = "Start it once: zeroconf-ai serve --tls"
_MAX_BYTES = 64 * 1024


@click.command("ca")
@click.option(
    "--id-file",
    envvar="ZEROCONF_AI_ID_FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The file that stores the provider's ID.  [default: {state.id_file()}]",
)
@json_option
def command(id_file: Path | None, as_json: bool) -> None:
    """Print the certificate authority of `serve --tls` as PEM, for programs that import one.

    It can sign for the names and addresses of this server only.
    """
    file = _file(id_file or state.id_file())
    try:
        with file.open("rb") as opened:
            found = opened.read(_MAX_BYTES).decode("ascii")
    except FileNotFoundError:
        raise CommandError("The server has no certificate authority of its own.", _START, kind="not_found") from None
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is not PEM"
        raise CommandError(f"{file} cannot be read: {reason}.", "Check its permissions.", kind="file_error") from None
    if as_json:
        print_json({"file": str(file), "certificate": found})
    else:
        click.echo(found, nl=False)


def _file(id_file: Path) -> Path:
    """The file of the authority of the server with this ID. Raises CommandError."""
    try:
        provider_id = str(UUID(id_file.read_text("utf-8").strip()))
    except (OSError, ValueError):
        raise CommandError(f"{id_file} has no ID of a server.", _START, kind="not_found") from None
    return state.authority_file(provider_id)
