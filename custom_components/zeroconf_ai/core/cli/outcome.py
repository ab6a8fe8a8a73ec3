"""What a command says of an answer that is incomplete, and its exit code."""

from typing import Final

import click

from ..client.answers import Answer

INCOMPLETE: Final = 3
"""Exit code for an answer that the maximum length or a content filter cut short."""
_CUT: Final = {"length": "it reached the maximum length", "content_filter": "the provider's filter ended it"}


def exit_code_of(answer: Answer) -> int:
    """The exit code for an answer. Prints to stderr why it is incomplete."""
    if (cut := _CUT.get(answer.finish_reason or "")) is None:
        return 0
    click.secho(f"The answer is incomplete: {cut}.", fg="yellow", err=True)
    return INCOMPLETE
