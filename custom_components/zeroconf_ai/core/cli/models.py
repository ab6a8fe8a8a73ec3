"""`zeroconf-ai models`: the models of a server, or of all providers on the network."""

import asyncio
from typing import Final

import click

from ..admin.models import KnownModel, ServedModel, list_models
from ..client.connections import Wanted
from ..protocol.values import clean
from .connecting import connect, connection_options, wanted_of
from .model_commands import add_model_commands
from .output import json_option, print_json
from .progress import progress
from .remembered import remember
from .tables import Column, Styled, print_table

_COLUMNS: Final = (
    Column("Model", usual=24),
    Column("Provider", usual=14),
    Column("Context", rank=2, right=True),
    Column("Capabilities", usual=16, rank=3),
    Column("Price per million tokens", usual=20, rank=1),
)
_CAPABILITIES: Final = {
    "completion": "chat",
    "embeddings": "embeddings",
    "vision": "images",
    "tools": "tools",
    "json": "structured data",
    "audio": "audio",
    "transcription": "speech to text",
    "speech": "text to speech",
}
"""Capabilities that are shown. Streaming is left out: nearly all models stream."""


@click.group("models", invoke_without_command=True)
@connection_options
@json_option
@click.pass_context
def command(
    context: click.Context, provider: str | None, key: str | None, trust: bool, interfaces: tuple[str, ...], as_json: bool
) -> None:
    """List the models of all providers that need no API key, or of one provider, with capabilities and prices.

    The commands control what a server holds: Ollama on this machine, or the server of --provider. LM Studio can load
    and unload; llama.cpp too, if it was started without a model.
    """
    if context.invoked_subcommand is not None:
        return
    found, left_out = asyncio.run(_models(wanted_of(provider, key, trust, interfaces)))
    if as_json:
        print_json({"models": found, "providers_not_asked": left_out})
        return
    print_table(_COLUMNS, (_row(model, served) for model in found for served in model["providers"]))
    if left_out:
        names = ", ".join(left_out)
        click.secho(f"Not asked, because they require an API key: {names}. Name one: --provider, --key", dim=True, err=True)


add_model_commands(command)


async def _models(wanted: Wanted) -> tuple[list[KnownModel], list[str]]:
    """All models, and the names of the providers that require an API key. Raises NoProviderError."""
    with progress("Asking the providers for their models"):
        connections = await connect(wanted)
        try:
            engine = connections.engine
            await asyncio.gather(*(engine.checker.check(member, models=True) for member in engine.pool))
            found = list_models(engine, editable=False)["models"]
            remember(providers=[member.name for member in engine.pool], models=[model["id"] for model in found])
            return found, [clean(record.name) for record in connections.left_out]
        finally:
            await connections.close()


def _row(model: KnownModel, served: ServedModel) -> tuple[str | Styled, ...]:
    window, known = served["context_window"], served["capabilities"]
    return (
        model["id"],
        Styled(served["backend"], "" if served["online"] else "red"),
        "" if window is None else f"{window:,}",
        "" if known is None else ", ".join(name for capability, name in _CAPABILITIES.items() if capability in known),
        _price(served),
    )


def _price(served: ServedModel) -> str:
    prompt, completion = served["price_prompt"], served["price_completion"]
    if prompt is None or completion is None:
        return "" if served["cost"] == "unknown" else served["cost"]
    if not prompt and not completion:
        return "free"
    return f"{prompt:g} / {completion:g} {served['currency']}"
