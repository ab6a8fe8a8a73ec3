"""The interactive chat: a loop of questions, and the commands that begin with a slash."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import click

from ..client.connections import KeyRequiredError
from ..protocol.errors import ApiError, InvalidRequestError
from ..protocol.models import AUTO
from ..protocol.values import clean, encodable, printable
from .line_input import LineInput
from .state import chat_history_file
from .talk import Talk
from .transcript import read_image, save


def converse(runner: asyncio.Runner, talk: Talk) -> None:
    """Answer typed questions until the end of input. Ctrl-C stops a running answer, or discards a line."""
    Repl(runner, talk).run()


class Repl:
    """The loop."""

    def __init__(self, runner: asyncio.Runner, talk: Talk) -> None:
        """`runner` runs the coroutines of `talk`."""
        self._runner = runner
        self._talk = talk
        self._exit = False
        self._written: set[Path] = set()

    def run(self) -> None:
        """Read and answer until /exit or the end of input."""
        _say(f"Chatting with {self._talk.names}. /help lists the commands. Press Ctrl-D to exit.")
        if self._talk.turns:
            count = len(self._talk.turns)
            _say(f"{count} earlier question{'s' if count > 1 else ''} with answers. /clear forgets them.")
        with LineInput(chat_history_file(), self.complete) as lines:
            while not self._exit:
                try:
                    line = encodable(lines.read())
                except EOFError:
                    click.echo()
                    return
                except KeyboardInterrupt:
                    click.echo()
                    _say("Press Ctrl-D to exit.")
                    continue
                self.handle(line)

    def handle(self, line: str) -> None:
        """Run a command, or ask a question. A line that begins with a space is always a question."""
        try:
            if line.startswith("/"):
                self._command(line)
            elif line.strip():
                self._runner.run(self._talk.ask(line.strip()))
        except KeyboardInterrupt:
            _say(" … interrupted")
        except ApiError as err:
            click.secho(f"Error: {printable(err.message)}", fg="red", err=True)

    def complete(self, text: str) -> Sequence[str]:
        """The completions of a line."""
        word, space, rest = text.partition(" ")
        if not space:
            known = (f"/{name}{' ' if command.argument else ''}" for name, command in COMMANDS.items())
            return [line for line in known if line.startswith(word)] if word.startswith("/") else []
        command = COMMANDS.get(word.removeprefix("/"))
        if command is None or not word.startswith("/"):
            return []
        return [f"{word} {value}" for value in command.values(self._talk, rest)]

    def _command(self, line: str) -> None:
        word, _, rest = line[1:].partition(" ")
        command = COMMANDS.get(word.lower().strip())
        if command is None:
            near = get_close_matches(word.lower(), COMMANDS, 1)
            hint = f"Did you mean /{near[0]}?" if near else "/help lists the commands."
            raise InvalidRequestError(f"Unknown command /{clean(word, 32)}. {hint} Begin with a space to send the line as text.")
        command.run(self, rest.strip())

    def model(self, name: str) -> None:
        """`/model`."""
        if name:
            self._talk.select_model(name)
            _say(f"Model: {self._talk.model}")
            return
        for model, providers in {AUTO: ["the provider's choice"], **self._talk.models()}.items():
            mark = "*" if model == self._talk.model else " "
            click.echo(f"{mark} {clean(model)}  ({', '.join(providers)})")

    def provider(self, name: str) -> None:
        """`/provider`."""
        talk = self._talk
        if not name:
            used = talk.members
            for member in talk.found:
                state = "online" if member.online else printable(member.last_reason or "offline", 120)
                click.echo(f"{'*' if member in used else ' '} {clean(member.name)}  ({state})")
            for locked in talk.locked:
                click.echo(f"  {clean(locked)}  (requires an API key, which is asked for)")
            return
        try:
            self._runner.run(talk.select_provider(name))
        except KeyRequiredError:
            self._runner.run(talk.select_provider(name, ask_key(name)))
        _say(f"Answers come from {talk.names}.")
        if talk.model != AUTO:
            try:
                talk.select_model(talk.model)
            except InvalidRequestError:
                _say(f"It does not serve {clean(talk.model)}. Model: {AUTO}")
                talk.model = AUTO

    def image(self, path: str) -> None:
        """`/image`."""
        if not path:
            raise InvalidRequestError("Name the file: /image FILE")
        attachment = read_image(path)
        self._talk.attachments.append(attachment)
        _say(f"{clean(attachment.name)} is sent with the next question.")

    def system(self, text: str) -> None:
        """`/system`."""
        former, self._talk.system = self._talk.system, text or None
        _say("The system prompt is set." if text else "The system prompt is removed." if former else "No system prompt is set.")

    def save(self, path: str) -> None:
        """`/save`."""
        if not self._talk.turns:
            raise InvalidRequestError("There is nothing to save yet.")
        name = path or f"chat-{datetime.now().astimezone():%Y-%m-%d-%H%M%S}.md"
        _say(f"Saved as {save(name, self._talk.turns, self._talk.system, self._written)}")

    def clear(self, _: str) -> None:
        """`/clear`."""
        self._talk.clear()
        self._runner.run(self._talk.keep())
        _say("The conversation begins again.")

    def retry(self, _: str) -> None:
        """`/retry`."""
        self._runner.run(self._talk.repeat())

    def help(self, _: str) -> None:
        """`/help`."""
        for name, command in COMMANDS.items():
            click.echo(f"{f'/{name} {command.argument}'.strip():<18}{command.meaning}")
        click.echo('Several lines: end a line with \\, or put """ before and after them. Tab completes, Ctrl-C stops an answer.')

    def exit(self, _: str) -> None:
        """`/exit`."""
        self._exit = True


def ask_key(name: str) -> str:
    """Ask for a provider's API key without showing it. Raises InvalidRequestError if none is typed."""
    try:
        key: str = click.prompt(f"API key of {clean(name)}", hide_input=True, err=True, default="", show_default=False)
    except click.Abort:
        raise KeyboardInterrupt from None
    if not key.strip():
        raise InvalidRequestError(f"{clean(name)} requires an API key.")
    return key.strip()


def ask_provider(names: Sequence[str]) -> str:
    """Choose one of the providers that require an API key; asks only if there are several."""
    if len(names) == 1:
        return names[0]
    for number, name in enumerate(names, 1):
        click.echo(f"{number:3}  {clean(name)}", err=True)
    try:
        number = click.prompt(
            "All of them require an API key. Number of the provider", type=click.IntRange(1, len(names)), err=True
        )
    except click.Abort:
        raise KeyboardInterrupt from None
    return names[number - 1]


def _say(text: str) -> None:
    click.secho(text, dim=True, err=True)


def _nothing(_talk: Talk, _rest: str) -> list[str]:
    return []


def _models(talk: Talk, rest: str) -> list[str]:
    return [name for name in [AUTO, *talk.models()] if name.startswith(rest)]


def _providers(talk: Talk, rest: str) -> list[str]:
    return [
        name
        for name in [AUTO, *(member.name for member in talk.found), *talk.locked]
        if name.casefold().startswith(rest.casefold())
    ]


def _files(_talk: Talk, rest: str) -> list[str]:
    folder, slash, begin = rest.rpartition("/")
    try:
        found = sorted(Path(folder + slash or ".").expanduser().iterdir())
    except OSError:
        return []
    shown = (file for file in found if file.name.startswith(begin) and (begin or not file.name.startswith(".")))
    return [f"{folder}{slash}{file.name}{'/' if file.is_dir() else ''}" for file in shown]


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the chat."""

    argument: str
    meaning: str
    run: Callable[[Repl, str], None]
    values: Callable[[Talk, str], list[str]] = _nothing
    """Completes its argument."""


COMMANDS: Final = {
    "model": Command("[NAME]", "use this model; without NAME, list the models", Repl.model, _models),
    "provider": Command("[NAME]", "use this provider, or auto; without NAME, list them", Repl.provider, _providers),
    "image": Command("FILE", "send this image with the next question", Repl.image, _files),
    "system": Command("[TEXT]", "set the system prompt; without TEXT, remove it", Repl.system),
    "save": Command("[FILE]", "save the conversation as Markdown (.md) or JSON (.json)", Repl.save, _files),
    "clear": Command("", "forget the conversation", Repl.clear),
    "retry": Command("", "ask the last question again", Repl.retry),
    "help": Command("", "list the commands", Repl.help),
    "exit": Command("", "end the chat", Repl.exit),
}
