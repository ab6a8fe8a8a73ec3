"""`zeroconf-ai ask`: one question, one answer, for the shell and for scripts."""

import asyncio
from contextlib import ExitStack
import os
from pathlib import Path
import stat
import sys
from typing import Any

import click

from ..client.answers import Answer
from ..client.connections import Wanted
from ..protocol.thinking import Piece
from ..protocol.values import clean, encodable, printable, terminal_text
from .connecting import client_of, connection_options, model_option, wanted_of
from .outcome import exit_code_of
from .output import json_option, print_json
from .piped import piped_text
from .progress import progress
from .remembered import remember
from .talk import Printer, answer_json
from .transcript import Attachment, Turn, read_image


@click.command("ask")
@click.argument("question", nargs=-1)
@connection_options
@model_option
@click.option("--system", metavar="TEXT", help="Instructions for the model.")
@click.option(
    "--image", "images", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="Send an image too. Repeatable."
)
@click.option("--no-stream", is_flag=True, help="Print the answer when it is complete, not as it arrives.")
@click.option("--no-reasoning", is_flag=True, help="Hide the reasoning, which a terminal shows dimmed (on stderr).")
@json_option
def command(
    question: tuple[str, ...],
    provider: str | None,
    key: str | None,
    trust: bool,
    interfaces: tuple[str, ...],
    model: str,
    system: str | None,
    images: tuple[Path, ...],
    no_stream: bool,
    no_reasoning: bool,
    as_json: bool,
) -> None:
    """Ask QUESTION and print the answer. A pipe to stdin is appended to the question, or is the question.

    The exit code is 0 for a complete answer, 3 for an answer that was cut short, 1 without an answer.
    """
    wanted = wanted_of(provider, key, trust, interfaces)
    turn = Turn(_text(" ".join(question)), tuple(map(_attachment, images)))
    messages = turn.messages()
    if system:
        messages.insert(0, {"role": "system", "content": encodable(system)})
    answer = asyncio.run(_ask(wanted, encodable(model), messages, stream=not (no_stream or as_json), show=not no_reasoning))
    if as_json:
        print_json(answer_json(answer))
    elif no_stream:
        if _print_reasoning(answer.reasoning, wanted=not no_reasoning):
            click.echo(err=True)
        click.echo(terminal_text(answer.text))
    _tell_failed(answer)
    sys.exit(exit_code_of(answer))


def _text(question: str) -> str:
    """The question, followed by the text from stdin. Raises click.UsageError if both are empty."""
    piped = _read_stdin() if question in ("", "-") or _is_piped() else ""
    text = "\n\n".join(filter(None, ("" if question == "-" else question.strip(), piped.strip())))
    if not text:
        raise click.UsageError("The question is empty. Pass QUESTION, or pipe it in.")
    return encodable(text)


def _is_piped() -> bool:
    """Whether stdin is a pipe or a file. Otherwise it is not read, because it may never end, such as a service's stdin."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _read_stdin() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return piped_text()


def _attachment(file: Path) -> Attachment:
    return read_image(str(file))


async def _ask(wanted: Wanted, model: str, messages: list[dict[str, Any]], *, stream: bool, show: bool) -> Answer:
    """Ask; with `stream`, print the answer as it arrives. `show`: print the reasoning too. Raises ApiError."""
    with ExitStack() as waiting:
        tell = waiting.enter_context(progress("Looking for a provider"))
        async with client_of(wanted) as client:
            names = [one.name for one in client.providers if one.online]
            tell(f"Waiting for {names[0]}")
            if not stream:
                answer = await client.chat(messages, model=model)
            else:
                shown = _Shown(reasoning=show)
                try:
                    async with client.stream(messages, model=model) as arriving:
                        async for piece in arriving.reasoning_pieces():
                            waiting.close()
                            shown.show(piece)
                        answer = arriving.answer
                finally:
                    waiting.close()
                    shown.end()
            remember(providers=names, models=[found.id for found in client.models])
    return answer


class _Shown:
    """Prints an answer while it arrives: text on stdout, reasoning on stderr."""

    def __init__(self, *, reasoning: bool) -> None:
        self._printer = Printer()
        self._reasoning = reasoning
        self._open = False
        """Whether reasoning was printed last."""

    def show(self, piece: Piece) -> None:
        """Print the next piece."""
        if piece.is_reasoning:
            self._open |= _print_reasoning(piece.text, wanted=self._reasoning)
            return
        if self._open:
            click.echo(err=True)
            self._open = False
        self._printer.show(piece)

    def end(self) -> None:
        """End the line."""
        self._printer.end()


def _print_reasoning(text: str, *, wanted: bool) -> bool:
    """Print reasoning to stderr if that is a terminal. Returns whether it was printed."""
    if not (wanted and text and sys.stderr.isatty()):
        return False
    click.secho(terminal_text(text), dim=True, nl=False, err=True)
    return True


def _tell_failed(answer: Answer) -> None:
    """Print to stderr which providers failed before this answer."""
    for name, reason in answer.failed.items():
        click.secho(f"{clean(name)} failed: {printable(reason, 200)}; {clean(answer.provider)} answered.", dim=True, err=True)
