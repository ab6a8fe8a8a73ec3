"""The names of providers, models and API keys that were seen last, with which shells complete options.

They are kept in a file, because a shell cannot wait for a search of the network or for the database.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem
import orjson

from ..config.state_folder import state_folder
from ..protocol import json
from ..protocol.values import clean

_LIMIT: Final = 500
"""Names of a kind."""
_MAX_BYTES: Final = 512 * 1024
PROVIDERS: Final = "providers"
MODELS: Final = "models"
KEYS: Final = "keys"


def remember(*, replace: bool = False, **names: Iterable[str]) -> None:
    """Keep names of each kind, the newest first; `replace`: instead of the former ones. Blocking. A failure loses them only."""
    found = _read()
    for kind, new in names.items():
        known = () if replace else found.get(kind, ())
        found[kind] = list(dict.fromkeys(filter(None, (clean(name) for name in (*new, *known)))))[:_LIMIT]
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(found))
        fresh.replace(file)
    except OSError:
        return


def remembered(kind: str) -> list[str]:
    """The names of a kind."""
    return _read().get(kind, [])


def _file() -> Path:
    return state_folder() / "completion.json"


def _read() -> dict[str, list[str]]:
    try:
        with _file().open("rb") as opened:
            found = json.loads(opened.read(_MAX_BYTES))
    except (OSError, json.JSONDecodeError):
        return {}
    kinds = found.items() if isinstance(found, dict) else ()
    return {kind: [name for name in names if isinstance(name, str)] for kind, names in kinds if isinstance(names, list)}


type Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completer(kind: str) -> Completer:
    """Completes the names of a kind, in any case of letters."""

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        start = incomplete.casefold()
        return [CompletionItem(name) for name in remembered(kind) if name.casefold().startswith(start)]

    return complete


complete_providers = completer(PROVIDERS)
complete_models = completer(MODELS)
complete_keys = completer(KEYS)
