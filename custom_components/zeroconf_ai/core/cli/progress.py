"""Shows on a terminal which slow operation runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import os
import sys

from ..protocol.values import printable


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Show an animated text on stderr until the block ends; nothing if stderr is not a terminal.

    Yields a function that changes the text. Nothing else may be printed inside the block.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second, which only a terminal needs
    from rich.live import Live  # noqa: PLC0415
    from rich.spinner import Spinner  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    def shown(text: str) -> Text:
        return Text(printable(text), "dim", no_wrap=True, overflow="ellipsis")

    spinner = Spinner("dots", shown(text))
    console = Console(stderr=True)
    with Live(spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False):
        yield lambda text: spinner.update(text=shown(text))
