"""The options that say which provider a command talks to."""

import asyncio
from collections.abc import Callable, Mapping
import os
from typing import Any

import click

from ..backends.base import Endpoint
from ..client.client import Client
from ..client.connections import Connections, Hints, Wanted
from ..protocol.household import HouseholdCode, HouseholdError
from ..protocol.models import AUTO
from .errors import CommandError
from .network import interface_option
from .remembered import complete_models, complete_providers
from .state import enrolments_folder, trust_file
from .variables import Environment

HOUSEHOLD = "ZEROCONF_AI_HOUSEHOLD"
HINTS = Hints(provider="--provider NAME", url="--provider http://HOST:PORT", key="--key or ZEROCONF_AI_KEY", trust="--trust")


def connection_options[F: Callable[..., Any]](function: F) -> F:
    """Add `--provider`, `--key`, `--trust` and `--interface`, the arguments of `wanted_of`."""
    for option in (
        interface_option,
        click.option("--trust", is_flag=True, help="Accept the new identity or the new address of a known provider."),
        click.option("--key", envvar="ZEROCONF_AI_KEY", help="The provider's API key. ZEROCONF_AI_KEY hides it from `ps`."),
        click.option(
            "--provider",
            envvar="ZEROCONF_AI_PROVIDER",
            metavar="NAME|URL",
            shell_complete=complete_providers,
            help="Use this provider: its name or ID on the network, or its URL.",
        ),
    ):
        function = option(function)
    return function


def model_option[F: Callable[..., Any]](function: F) -> F:
    """Add `--model`."""
    return click.option("--model", default=AUTO, show_default=True, shell_complete=complete_models, help="The model to use.")(
        function
    )


def wanted_of(provider: str | None, key: str | None, trust: bool, interfaces: tuple[str, ...]) -> Wanted:
    """The provider to connect to. Raises click.UsageError for a key without a provider: it would be sent to any."""
    household = household_of(os.environ)
    if not provider:
        if click.get_current_context().get_parameter_source("key") is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("--key applies to one provider. Set it with --provider.")
        return Wanted(None, None, trust, interfaces, household)
    return Wanted(provider, key or None, trust, interfaces, household)


def household_of(process: Mapping[str, str]) -> str | None:
    """The household code of `ZEROCONF_AI_HOUSEHOLD`, or of the file in `ZEROCONF_AI_HOUSEHOLD_FILE`. Raises CommandError."""
    if not (text := Environment(process).get(HOUSEHOLD)):
        return None
    try:
        return HouseholdCode.parse(text).text
    except HouseholdError as err:
        raise CommandError(f"{HOUSEHOLD} is no household code: {err}.", "Make one: zeroconf-ai household", kind="usage") from None


async def connect(wanted: Wanted) -> Connections:
    """Find the providers. Raises NoProviderError."""
    return await Connections.open(wanted, trust_file=trust_file(), hints=HINTS, enrolments=enrolments_folder())


async def endpoint_at(url: str, key: str | None) -> Endpoint:
    """The endpoint of the server at a URL, with the client certificate for it, if there is one."""
    return await asyncio.to_thread(_endpoint_at, url, key)


def _endpoint_at(url: str, key: str | None) -> Endpoint:
    if not (folder := enrolments_folder()).is_dir():
        return Endpoint(url, key)
    from ..backends.enrolments import EnrolmentStore  # noqa: PLC0415 - it loads `cryptography`

    store = EnrolmentStore(folder)
    found = next((enrolment for enrolment in store.all() if enrolment.is_at(url)), None)
    return Endpoint(url, key) if found is None else Endpoint(url, key, store.context(found))


def client_of(wanted: Wanted) -> Client:
    """A client for this provider, to be opened."""
    return Client(
        wanted.provider,
        key=wanted.key,
        trust=wanted.trust,
        interfaces=wanted.interfaces,
        trust_file=trust_file(),
        hints=HINTS,
        household=wanted.household,
        enrolments=enrolments_folder(),
    )
