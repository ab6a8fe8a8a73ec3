"""The text that is piped into a command."""

import sys
from typing import Final

from .errors import CommandError

_MAX_BYTES: Final = 8 * 1024 * 1024


def piped_text() -> str:
    """The text on stdin. Raises CommandError for more than 8 MB."""
    found = sys.stdin.buffer.read(_MAX_BYTES + 1)
    if len(found) > _MAX_BYTES:
        message = f"The input is longer than {_MAX_BYTES // 1024 // 1024} MB."
        raise CommandError(message, "Pipe in a part of it, such as its last lines: tail -n 500", kind="request_too_large")
    return found.decode(errors="replace")
