"""`zeroconf-ai chat`: send a prompt to a provider, or chat with it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
import sys
from typing import Any

import click

from ..client.answers import Stream
from ..client.connections import Connections, Hints, Wanted
from ..engine import Caller, Source
from ..protocol.errors import ApiError
from ..protocol.models import AUTO
from ..protocol.request import Kind, Request
from ..protocol.thinking import Piece
from ..protocol.values import encodable, terminal_text
from .network import interface_option
from .state import trust_file

_HINTS = Hints(provider="--provider NAME", url="--provider http://HOST:PORT", key="--key or ZEROCONF_AI_KEY", trust="--trust")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    provider: str | None
    model: str
    key: str | None
    trust: bool
    interfaces: tuple[str, ...]


@click.command("chat")
@click.argument("prompt", required=False)
@click.option("--provider", metavar="NAME|URL", help="Use this provider: its name or ID on the network, or its URL.")
@click.option("--model", default=AUTO, show_default=True, help="The model to use.")
@click.option("--key", envvar="ZEROCONF_AI_KEY", help="The provider's API key. ZEROCONF_AI_KEY hides it from `ps`.")
@click.option("--trust", is_flag=True, help="Accept the new identity or the new address of a known provider.")
@interface_option
def command(
    prompt: str | None, provider: str | None, model: str, key: str | None, trust: bool, interfaces: tuple[str, ...]
) -> None:
    """Send PROMPT and print the answer as it streams.

    Without PROMPT, the prompt is read from stdin; on a terminal, an interactive chat starts. Without --provider, the best
    provider on the network answers, with failover to the next one.
    """
    if provider is None:
        if click.get_current_context().get_parameter_source("key") is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("--key applies to one provider. Set it with --provider.")
        key = None
    options = Options(provider, encodable(model), key or None, trust, interfaces)
    question = _question(prompt)
    try:
        with asyncio.Runner() as runner:
            talk = runner.run(_Talk.begin(options))
            try:
                if question is not None:
                    runner.run(talk.ask(question))
                else:
                    _converse(runner, talk)
            finally:
                runner.run(talk.close())
    except ApiError as err:
        raise click.ClickException(err.message) from None
    except KeyboardInterrupt:
        click.echo()
        sys.exit(130)


def _question(prompt: str | None) -> str | None:
    """PROMPT, or the text from stdin; None for an interactive chat. Raises click.UsageError for an empty prompt."""
    if prompt is None and sys.stdin.isatty():
        return None
    question = sys.stdin.buffer.read().decode(errors="replace") if prompt is None or prompt == "-" else prompt
    if not question.strip():
        raise click.UsageError("The prompt is empty. Pass PROMPT, or pipe it in.")
    return encodable(question.strip())


def _converse(runner: asyncio.Runner, talk: "_Talk") -> None:
    """Send each line that is typed, until the end of input. Ctrl-C stops a running answer; between answers it ends the chat."""
    with suppress(ImportError):
        import readline  # noqa: F401, PLC0415 - line editing and history for `input`
    click.secho(f"Chatting with {talk.names}. Press Ctrl-D to exit.", dim=True, err=True)
    while True:
        try:
            line = encodable(input("> ").strip())
        except EOFError:
            click.echo()
            return
        if not line:
            continue
        try:
            runner.run(talk.ask(line))
        except KeyboardInterrupt:
            click.secho(" … interrupted", dim=True, err=True)
        except ApiError as err:
            click.secho(f"Error: {err.message}", fg="red", err=True)


class _Talk:
    """A chat with one provider, or with the best one that was discovered."""

    def __init__(self, connections: Connections, model: str) -> None:
        self._connections = connections
        self._model = model
        self._messages: list[dict[str, Any]] = []

    @classmethod
    async def begin(cls, options: Options) -> "_Talk":
        """Find the providers. Raises NoProviderError if none can be used."""
        wanted = Wanted(options.provider, options.key, options.trust, options.interfaces)
        return cls(await Connections.open(wanted, trust_file=trust_file(), hints=_HINTS), options.model)

    @property
    def names(self) -> str:
        """The names of the providers, in the order of preference."""
        return ", ".join(member.name for member in self._connections.members)

    async def ask(self, prompt: str) -> None:
        """Print the answer as it streams. Raises ApiError if there is no answer or if it is interrupted."""
        self._messages.append({"role": "user", "content": prompt})
        body = {"model": self._model, "messages": self._messages, "stream": True}
        answer = ""
        try:
            async with self._connections.engine.run(Request.parse(Kind.CHAT, body), Caller(Source.CLI)) as reply:
                stream = Stream(reply)
                async for piece in stream.reasoning_pieces():
                    answer += _show(piece)
                answer = stream.answer.text
                self._connections.confirm(reply.backend_id)
        finally:
            if answer:
                click.echo()
                self._messages.append({"role": "assistant", "content": answer})
            else:
                self._messages.pop()  # a prompt without an answer would be sent again with the next one

    async def close(self) -> None:
        """Close the engine and its connections."""
        await self._connections.close()


def _show(piece: Piece) -> str:
    """Print a piece of an answer, reasoning only on a terminal and dimmed. Returns the text unless it is reasoning."""
    if piece.is_reasoning and not sys.stdout.isatty():
        return ""
    text = terminal_text(piece.text)
    click.echo(click.style(text, dim=True) if piece.is_reasoning else text, nl=False)
    sys.stdout.flush()
    return "" if piece.is_reasoning else piece.text
