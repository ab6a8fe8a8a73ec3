"""Names of models: which spellings mean the same model."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote

from .models import AUTO

MAX_NAME = 256
"""Maximum characters of a requested name."""
_LATEST = ":latest"
GATEWAY = "zeroconf-ai"
"""The `provider` of model aliases in `/v1/models`."""


def same_model(model_id: str) -> str:
    """The equivalent id: for Ollama, `llama3.2` and `llama3.2:latest` are the same model."""
    return model_id.removesuffix(_LATEST) if model_id.endswith(_LATEST) else model_id + _LATEST


@lru_cache(maxsize=4096)
def name_key(name: str) -> str:
    """The comparable form of a name: neither case, nor surrounding spaces, nor the tag `:latest` distinguish models.

    Ollama and Hugging Face ignore the case of names too, so no two models differ in it alone.
    """
    return name.strip().casefold().removesuffix(_LATEST)


def has_name(names: Iterable[str], wanted: str) -> bool:
    """Whether one of the names means the wanted model."""
    key = name_key(wanted)
    return any(name_key(name) == key for name in names)


def spellings(asked: str) -> Iterator[str]:
    """The ways to read a requested name, the literal one first: then percent-decoded, then without this gateway's own name.

    Its own name alone means any model.
    """
    yield asked
    plain = unquote(asked).strip().strip("/") if "%" in asked or asked != asked.strip().strip("/") else asked
    if plain and plain != asked:
        yield plain
    provider, _, rest = plain.partition("/")
    if name_key(provider) == GATEWAY:
        yield rest or AUTO


def find_name(names: Iterable[str], asked: str) -> str | None:
    """The one of the names that is requested, in any spelling; None if it is none of them."""
    known = ByName({name: name for name in names})
    return next((found for spelled in spellings(asked) if (found := known.get(spelled)) is not None), None)


class ByName[Value]:
    """Values by the names of models, found by every equivalent name; an exact one has precedence."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        """`values` must not change any more."""
        self._exact = values
        self._equivalent: dict[str, Value] = {}
        for name, value in values.items():
            self._equivalent.setdefault(name_key(name), value)

    def get(self, name: str) -> Value | None:
        """The value of the model; None if it has none."""
        found = self._exact.get(name)
        if found is None and (found := self._exact.get(same_model(name))) is None:
            found = self._equivalent.get(name_key(name))
        return found

    def has(self, name: str) -> bool:
        """Whether a value has exactly this name."""
        return name in self._exact
