"""The options of `serve` for recording the exchanges with upstreams."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..backends.recorder import Recorder
from .errors import CommandError
from .notices import notice


def options[F: Callable[..., Any]](function: F) -> F:
    """Add the options whose values are the fields of `Recording`."""
    texts = click.option("--record-texts", is_flag=True, help="With --record: keep prompts and answers as they are.")
    record = click.option(
        "--record",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        help="Write every exchange with an upstream into a file in DIR, without secrets and texts, for `zeroconf-ai replay`.",
    )
    return record(texts(function))


@dataclass(frozen=True, slots=True)
class Recording:
    """What is recorded. Raises click.UsageError for options that cannot be combined."""

    record: Path | None = None
    record_texts: bool = False

    def __post_init__(self) -> None:
        """Reject options that cannot be combined."""
        if self.record_texts and self.record is None:
            raise click.UsageError("--record-texts requires --record DIR.")

    def start(self, stack: AsyncExitStack) -> Recorder | None:
        """The recorder, until `stack` closes; None if nothing is recorded. Raises click.ClickException."""
        if self.record is None:
            return None
        try:
            recorder = Recorder(self.record, keep_texts=self.record_texts)
        except OSError as err:
            raise CommandError(f"{self.record} cannot be used for recordings: {err.strerror}.", "Set another --record.") from None
        stack.push_async_callback(recorder.close)
        texts = "with the texts of prompts and answers" if self.record_texts else "without texts"
        notice(f"Recording the exchanges with all upstreams in {self.record}, {texts}")
        return recorder
