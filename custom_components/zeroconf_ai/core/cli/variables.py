"""Settings from the environment: a variable for each option, `.env` beside the configuration file, and secrets in files."""

from collections.abc import Iterator, Mapping
from io import StringIO
import os
from pathlib import Path
from typing import Any, override

import click
from dotenv import dotenv_values

from .errors import CommandError

PREFIX = "ZEROCONF_AI_"
_FILE = "_FILE"
_MAX_SECRET_BYTES = 64 * 1024
_MAX_FILE_BYTES = 4 * 1024**2


class Environment(Mapping[str, str]):
    """The variables of a process and of `.env` files; `NAME_FILE` is the file with the value of `NAME`.

    A variable of the process overrides one of a file, and `NAME` overrides `NAME_FILE`.
    """

    def __init__(self, process: Mapping[str, str], folder: Path | None = None) -> None:
        """`folder` may have a file `.env`. Raises CommandError if it cannot be read."""
        file = None if folder is None else folder / ".env"
        values: Mapping[str, str | None] = {}
        if file is not None and file.is_file():
            try:
                with file.open("rb") as opened:
                    raw = opened.read(_MAX_FILE_BYTES + 1)
                if len(raw) > _MAX_FILE_BYTES:
                    message = f"{file} is larger than {_MAX_FILE_BYTES // 1024**2} MB."
                    raise CommandError(message, "Check that it is a file of variables.", kind="file_error")
                values = dotenv_values(stream=StringIO(raw.decode("utf-8")))
            except (OSError, UnicodeDecodeError) as err:
                raise CommandError(
                    f"{file} cannot be read ({type(err).__name__}).", "Save it as UTF-8.", kind="file_error"
                ) from None
        self._values = {name: value for name, value in values.items() if value is not None} | dict(process)

    @override
    def __getitem__(self, name: str) -> str:
        if name in self._values:
            return self._values[name]
        return _content(name, self._values[name + _FILE])

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @override
    def __len__(self) -> int:
        return len(self._values)

    @override
    def __repr__(self) -> str:
        """Without values, which may be secrets."""
        return f"<Environment of {len(self._values)} variables>"


def with_variables(command: click.Command) -> click.Command:
    """Let every option be set by a variable: `--cors-origin` by `ZEROCONF_AI_CORS_ORIGIN`. Lists have spaces between values."""
    for param in command.params:
        if isinstance(param, click.Option) and param.envvar is None:
            param.envvar = variable_of(param)
    return command


def variable_of(option: click.Option) -> str:
    """The variable of an option: its longest name in capitals."""
    return PREFIX + max(option.opts, key=len).lstrip("-").replace("-", "_").upper()


def load_beside(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    """The callback of `--config`, which comes first: use the variables of `.env` beside it for the other options."""
    environment = Environment(os.environ, None if value is None else value.absolute().parent)
    context.meta[PREFIX] = environment
    found: dict[str, Any] = {}
    for param in context.command.params:
        name = param.envvar
        if isinstance(param, click.Option) and isinstance(name, str) and param.name and (text := environment.get(name)):
            found[param.name] = text.split() if param.multiple else text
    context.default_map = {**found, **(context.default_map or {})}
    return value


def environment_of(context: click.Context) -> Environment:
    """The variables for the command that runs; those of the process if it has no configuration file."""
    found = context.meta.get(PREFIX)
    return found if isinstance(found, Environment) else Environment(os.environ)


def _content(name: str, path: str) -> str:
    """The text of a file with a secret, without the line break at its end. Raises CommandError."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MAX_SECRET_BYTES).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is not UTF-8"
        message = f"The file that {name}{_FILE} names cannot be read: {reason}."
        raise CommandError(message, "Check the variable, and the permissions of the file.", kind="file_error") from None
    return text
