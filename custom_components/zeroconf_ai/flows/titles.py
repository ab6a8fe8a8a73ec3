"""Titles that the forms suggest for new subentries."""

from collections.abc import Collection
from itertools import count
from urllib.parse import urlsplit

from ..core.config.backend_types import provider_title
from .probe import ProbedProvider


def free_title(title: str, taken: Collection[str]) -> str:
    """The title, followed by the first number from 2 on that makes it different from those in use."""
    if title not in taken:
        return title
    return next(numbered for number in count(2) if (numbered := f"{title} {number}") not in taken)


def server_title(found: ProbedProvider, base_url: str) -> str:
    """The title of a server that was entered by its address: its kind and its host, such as `Ollama on gpu`."""
    host = urlsplit(base_url).hostname or base_url
    title = provider_title(found.health.provider) if found.kind is None else found.kind.title
    return host if title is None else f"{title} on {host}"
