"""Lines that a person types in a chat: editing, history and completion by Python's `readline`, and prompts of several lines."""

from collections.abc import Callable, Sequence
from contextlib import suppress
import os
from pathlib import Path
import select
import sys
from typing import Any, Final, Self

import click

PROMPT: Final = "> "
_MORE: Final = "… "
_QUOTES: Final = '"""'
_HISTORY: Final = 1000
"""Lines that are kept."""

type Complete = Callable[[str], Sequence[str]]
"""The completions of the beginning of a line."""


class LineInput:
    """Reads prompts from the terminal. A context manager, which reads and writes the history."""

    def __init__(self, history: Path, complete: Complete) -> None:
        """`history` is the file of earlier lines, which only its owner can read. `complete` serves the Tab key."""
        self._history = history
        self._complete = complete
        self._readline = _readline()
        self._ended = False
        self._matches: Sequence[str] = ()

    def __enter__(self) -> Self:
        """Read the history. A file that cannot be read is ignored."""
        if (readline := self._readline) is not None:
            readline.set_history_length(_HISTORY)
            with suppress(OSError):
                readline.read_history_file(self._history)
            readline.set_completer(self._match)
            readline.set_completer_delims("\n")  # a match is a whole line: names contain spaces, colons and slashes
            libedit = "libedit" in (readline.__doc__ or "")
            readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
        return self

    def __exit__(self, *_: object) -> None:
        """Write the history. If that fails, it is lost."""
        if self._readline is None:
            return
        with suppress(OSError):
            self._history.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._history, os.O_CREAT | os.O_WRONLY, 0o600))
            self._readline.write_history_file(self._history)

    def read(self) -> str:
        r"""The next prompt. Raises EOFError at the end of input.

        `\` at the end of a line, and three double quotes around several lines, join them; so do lines that are pasted together.
        """
        if self._ended:
            raise EOFError
        line = _typed(PROMPT)
        if line.lstrip().startswith(_QUOTES):
            return self._quoted(line.lstrip().removeprefix(_QUOTES))
        lines = [line]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1].removesuffix("\\")
            lines.append(_typed(_MORE))
        if not line.startswith("/"):
            lines += self._pasted()
        return "\n".join(lines)

    def _quoted(self, line: str) -> str:
        lines = []
        while not line.rstrip().endswith(_QUOTES):
            lines.append(line)
            line = _typed(_MORE)
        return "\n".join([*lines, line.rstrip().removesuffix(_QUOTES)]).strip("\n")

    def _pasted(self) -> list[str]:
        """The lines that wait already."""
        lines: list[str] = []
        while sys.platform != "win32" and select.select([sys.stdin], [], [], 0)[0]:
            try:
                lines.append(input())
            except EOFError:
                self._ended = True
                break
        return lines

    def _match(self, text: str, number: int) -> str | None:
        if number == 0:
            self._matches = self._complete(text)
        return self._matches[number] if number < len(self._matches) else None


def _typed(prompt: str) -> str:
    """A line. The prompt is no output of the command: where stdout is not the terminal, it goes to stderr."""
    if sys.stdout.isatty():
        return input(prompt)
    click.echo(prompt, nl=False, err=True)
    return input()


def _readline() -> Any:
    """The module `readline`; None on Windows, where Python does not have it."""
    try:
        import readline  # noqa: PLC0415 - it changes how `input` works
    except ImportError:
        return None
    return readline
