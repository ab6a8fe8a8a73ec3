"""Titles that the forms suggest for new subentries."""

from collections.abc import Collection
from itertools import count


def free_title(title: str, taken: Collection[str]) -> str:
    """The title, followed by the first number from 2 on that makes it different from those in use."""
    if title not in taken:
        return title
    return next(numbered for number in count(2) if (numbered := f"{title} {number}") not in taken)
