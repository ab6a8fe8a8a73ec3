"""`zeroconf-ai chat`: send a prompt to a provider, or chat with it."""

import asyncio
from dataclasses import replace
import re
import sys

import click

from ..client.connections import KeyRequiredError, Wanted
from ..protocol.values import encodable
from .connecting import connection_options, model_option, wanted_of
from .outcome import exit_code_of
from .output import json_option, print_json
from .piped import piped_text
from .progress import progress
from .repl import ask_key, ask_provider, converse
from .talk import Talk, answer_json


def _name(_context: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """The name of a chat. Raises click.BadParameter."""
    if value is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise click.BadParameter("Enter 1 to 64 letters, digits, - or _, such as holiday-plans.")
    return value


@click.command("chat")
@click.argument("prompt", required=False)
@connection_options
@model_option
@click.option("--session", metavar="NAME", callback=_name, help="Continue the chat with this name, and keep it.")
@json_option
def command(
    prompt: str | None,
    provider: str | None,
    model: str,
    key: str | None,
    trust: bool,
    interfaces: tuple[str, ...],
    session: str | None,
    as_json: bool,
) -> None:
    """Send PROMPT and print the answer as it streams, or with --json when it is complete.

    Without PROMPT, the prompt is read from stdin; on a terminal, an interactive chat starts. Without --provider, the best
    provider on the network answers, with failover to the next one. The exit code is 3 for an answer that was cut short.
    """
    wanted = wanted_of(provider, key, trust, interfaces)
    question = _question(prompt)
    if question is None and as_json:
        raise click.UsageError("--json needs a prompt. Pass PROMPT, or pipe it in.")
    with asyncio.Runner() as runner:
        talk = _begin(runner, wanted, encodable(model), session, interactive=question is None)
        try:
            if question is not None:
                answer = runner.run(talk.ask(question, show=not as_json))
                if as_json:
                    print_json(answer_json(answer))
                sys.exit(exit_code_of(answer))
            else:
                converse(runner, talk)
        finally:
            runner.run(talk.close())


def _begin(runner: asyncio.Runner, wanted: Wanted, model: str, session: str | None, *, interactive: bool) -> Talk:
    """Find the providers; on a terminal, ask for a missing API key. Raises ApiError, NoProviderError among them."""
    try:
        with progress("Looking for providers"):
            return runner.run(Talk.begin(wanted, model, session))
    except KeyRequiredError as err:
        if not interactive or wanted.key is not None:
            raise
        provider = wanted.provider or ask_provider(err.names)
        return runner.run(Talk.begin(replace(wanted, provider=provider, key=ask_key(provider)), model, session))


def _question(prompt: str | None) -> str | None:
    """PROMPT, or the text from stdin; None for an interactive chat. Raises click.UsageError for an empty prompt."""
    if prompt is None and sys.stdin.isatty():
        return None
    question = piped_text() if prompt is None or prompt == "-" else prompt
    if not question.strip():
        raise click.UsageError("The prompt is empty. Pass PROMPT, or pipe it in.")
    return encodable(question.strip())
