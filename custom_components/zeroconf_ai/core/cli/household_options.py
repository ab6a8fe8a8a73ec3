"""The household code of the command line, and what `serve` does with it."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import click

from ..accounting.household_cap import DEFAULT_COST, DEFAULT_TOKENS, HouseholdCap
from ..config.server_fields import MOST_HOUSEHOLD_COST, MOST_HOUSEHOLD_TOKENS, ServerSettings
from ..engine import Engine
from ..protocol.household import HouseholdCode, HouseholdError, HouseholdKey
from ..protocol.values import NANO
from ..routing.accounting import Accounting
from ..server.access.household import HouseholdTokens

VARIABLE = "ZEROCONF_AI_HOUSEHOLD"


def _code(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Raises click.BadParameter for a text that is no code, without repeating it."""
    if value is None:
        return None
    try:
        return HouseholdCode.parse(value).text
    except HouseholdError as err:
        raise click.BadParameter(f"This is no household code: {err}. Make one: zeroconf-ai household") from None


def options[F: Callable[..., Any]](function: F) -> F:
    """Add the options whose values are the fields of `Household`."""
    for option in reversed(
        (
            click.option(
                "--household",
                metavar="CODE",
                callback=_code,
                help="Let programs with the same code of `zeroconf-ai household` chat without an API key, by a token that "
                f"changes every hour. {VARIABLE} hides it from `ps`.",
            ),
            click.option(
                "--household-tokens-per-hour",
                type=click.IntRange(1, MOST_HOUSEHOLD_TOKENS),
                metavar="N",
                help=f"With --household: maximum tokens of all its requests in an hour.  [default: {DEFAULT_TOKENS}]",
            ),
            click.option(
                "--household-cost-per-hour",
                type=click.FloatRange(0.0, MOST_HOUSEHOLD_COST),
                metavar="AMOUNT",
                help="With --household: maximum cost of all its requests in an hour."
                f"  [default: {DEFAULT_COST:g}, free models only]",
            ),
        )
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Household:
    """The household of a server."""

    code: str | None = field(default=None, repr=False)
    tokens_per_hour: int = DEFAULT_TOKENS
    cost_per_hour: float = DEFAULT_COST

    @classmethod
    def of(cls, said: dict[str, Any], server: ServerSettings) -> Self:
        """Take the options of `options` out of those of the command line, which go before the file's `server`."""
        code, tokens, cost = (said.pop(name) for name in ("household", "household_tokens_per_hour", "household_cost_per_hour"))
        tokens = server.household_tokens_per_hour if tokens is None else tokens
        cost = server.household_cost_per_hour if cost is None else cost
        return cls(
            code or server.household,
            DEFAULT_TOKENS if tokens is None else tokens,
            DEFAULT_COST if cost is None else cost,
        )

    async def issue(self, stack: AsyncExitStack, engine: Engine, provider_id: str) -> HouseholdTokens | None:
        """The tokens of a server, limited until `stack` closes; None without a household."""
        if self.code is None:
            return None
        key = await asyncio.to_thread(HouseholdKey, HouseholdCode.parse(self.code))
        cap = HouseholdCap(self.tokens_per_hour, round(self.cost_per_hour * NANO))
        stack.callback(await engine.attach(Accounting(household=cap)))
        tokens = HouseholdTokens(key, provider_id)
        stack.push_async_callback(tokens.close)
        return tokens
