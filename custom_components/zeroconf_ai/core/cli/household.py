"""`zeroconf-ai household`: make a household code, with which providers and clients need no API key."""

import click

from ..protocol.household import DEFAULT_NAME, HouseholdCode, HouseholdError
from .output import json_option, print_json


def _name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Raises click.BadParameter for a name that no code can have."""
    try:
        return HouseholdCode.generate(value).name
    except HouseholdError as err:
        raise click.BadParameter(f"{str(err)[0].upper()}{str(err)[1:]}.") from None


@click.command("household")
@click.option("--name", default=DEFAULT_NAME, show_default=True, callback=_name, help="The name of the household.")
@json_option
def command(name: str, as_json: bool) -> None:
    """Make a household code: every provider and client that has the same one needs no API key. It is not stored."""
    code = HouseholdCode.generate(name).text
    if as_json:
        print_json({"household": code})
        return
    click.echo(code)
    click.echo(
        "It is shown only now. Set it on all sides: in Home Assistant (gateway, Configure, Household), and for this command as\n"
        "ZEROCONF_AI_HOUSEHOLD, or in a file that ZEROCONF_AI_HOUSEHOLD_FILE names.",
        err=True,
    )
