"""How the command reports errors: one line that says what to do, or with `--json` one object, and an exit code."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import errno
import os
import sys
from typing import Final, NoReturn, override

import click

from ..protocol.values import encodable, printable
from .output import Invocation, colour_choice, print_json_line

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
"""After Ctrl-C: 128 and the number of SIGINT, as shells report it."""
CLOSED_PIPE: Final = 141
"""After the reader of the output has gone, as with `| head`: 128 and the number of SIGPIPE."""

_HINTS: Final = {
    "invalid_api_key": "Set another --key or ZEROCONF_AI_KEY.",
    "missing_api_key": "Set --key or ZEROCONF_AI_KEY.",
    "model_not_found": "`zeroconf-ai models` lists the models.",
    "model_not_allowed": "`zeroconf-ai models` lists the models that this API key may use.",
}
"""Code of an API error → what to do, for errors whose message has no advice."""
_FILE_HINTS: Final = {
    errno.EACCES: ("permission_denied", "Give this user permission, or use another file or folder (XDG_STATE_HOME)."),
    errno.EPERM: ("permission_denied", "Give this user permission, or use another file or folder (XDG_STATE_HOME)."),
    errno.EROFS: ("permission_denied", "Use a file or folder (XDG_STATE_HOME) that can be written."),
    errno.ENOSPC: ("disk_full", "Free some space."),
    errno.ENOENT: ("not_found", "Check the path."),
    errno.ENOTDIR: ("not_found", "Check the path."),
    errno.EISDIR: ("not_found", "Name a file, not a folder."),
}
"""Error of the operating system → its kind, and what to do."""


class CommandError(click.ClickException):
    """An expected error of a command."""

    def __init__(self, message: str, hint: str = "", *, kind: str = "failed") -> None:
        """`message` says what is wrong and `hint` what to do. `kind` is the `type` of the JSON error."""
        super().__init__(message)
        self.hint = hint
        self.kind = kind

    @override
    def __str__(self) -> str:
        """Message and hint in one line."""
        return " ".join(filter(None, (self.message, self.hint)))


class ClosedPipeError(Exception):
    """The reader of the output has closed the pipe. Not an OSError: click would exit with code 1 for an OSError."""


@dataclass(frozen=True, slots=True)
class Report:
    """An error as text for people and as JSON for programs."""

    kind: str
    message: str
    hint: str = ""
    exit_code: int = FAILED
    quiet: bool = False
    """Whether no text is printed, as after Ctrl-C."""


def run_and_exit(run: Callable[[], object], invocation: Invocation) -> NoReturn:
    """Run a command, print its expected error, and end the process with the exit code. Raises unexpected errors again."""
    try:
        try:
            code = run()
            sys.stdout.flush()
        except (BrokenPipeError, ClosedPipeError):
            raise
        except click.exceptions.NoArgsIsHelpError as err:
            err.show()
            code = err.exit_code
        except Exception as err:
            report = report_of(err)
            if report is None:
                raise
            _print(report, as_json=invocation.wants_json)
            code = report.exit_code
    except (BrokenPipeError, ClosedPipeError):
        _discard_output()
        code = CLOSED_PIPE
    sys.exit(code if isinstance(code, int) else 0)


def report_of(err: Exception) -> Report | None:
    """The report of an expected error; None for a fault of the program."""
    # Imported only for an error, which has loaded its module already: the command's help must stay fast.
    from ..accounting.storage.database import DatabaseError  # noqa: PLC0415
    from ..protocol.errors import ApiError  # noqa: PLC0415

    match err:
        case click.UsageError():
            command = "zeroconf-ai" if err.ctx is None else err.ctx.command_path
            return Report("usage", err.format_message(), f"Options: {command} --help", USAGE)
        case CommandError():
            return Report(err.kind, err.message, err.hint)
        case click.ClickException():
            return Report("failed", err.format_message())
        case click.Abort() if isinstance(err.__cause__, KeyboardInterrupt):
            return Report("interrupted", "Interrupted.", exit_code=INTERRUPTED, quiet=True)
        case click.Abort():
            return Report("not_confirmed", "Nothing was changed: it was not confirmed.", "Confirm it, or pass --yes.")
        case ApiError():
            code = err.code or "failed"
            return Report(code, _sentence(err.message), _HINTS.get(code, ""))
        case DatabaseError():
            return Report("database_failed", str(err))
        case OSError():
            return _of_file(err)
    return None


def _sentence(text: str) -> str:
    """An API's message as a complete sentence."""
    text = text.strip()
    start = text[:1].upper() if text.startswith("the ") else text[:1]
    return start + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _of_file(err: OSError) -> Report:
    where = "" if err.filename is None else f"{err.filename}: "
    kind, hint = _FILE_HINTS.get(err.errno or 0, ("file_error", ""))
    return Report(kind, f"{where}{err.strerror or type(err).__name__}.", hint)


def _print(report: Report, *, as_json: bool) -> None:
    message, hint = (printable(encodable(text)).strip() for text in (report.message, report.hint))
    if as_json:
        print_json_line({"error": {"type": report.kind, "message": message, "hint": hint or None}}, err=True)
    elif not report.quiet:
        click.echo(f"{click.style('Error:', fg='red')} {message}{' ' if hint else ''}{hint}", err=True, color=colour_choice())


def _discard_output() -> None:
    """Point stdout to the null device: the reader is gone, and the interpreter flushes stdout when it exits."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
        with suppress(OSError, ValueError):  # a test's stream has no file descriptor
            os.dup2(nothing, stream.fileno())
    os.close(nothing)
