"""`zeroconf-ai completion`: let the shell complete commands, options and names."""

from typing import Final

import click
from click.shell_completion import get_completion_class

PROGRAM: Final = "zeroconf-ai"
VARIABLE: Final = "_ZEROCONF_AI_COMPLETE"
_SHELLS: Final = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> None:
    """Print the script with which SHELL completes commands, options, and the names of providers, models and API keys."""
    found = get_completion_class(shell)
    assert found is not None  # click has all three
    click.echo(found(click.get_current_context().find_root().command, {}, PROGRAM, VARIABLE).source())
