"""Model aliases: the changes that forms, actions and the page make, and what each alias means now."""

from collections.abc import Iterable, Mapping
from typing import TypedDict

from ..engine import Caller, Engine, Source
from ..protocol.errors import ApiError
from ..protocol.models import AUTO
from ..protocol.request import Kind, Request
from ..protocol.values import clean
from ..routing.explanation import Explanation
from ..routing.policy import ModelAlias, Strategy
from ..routing.selection.chains import expand

NAME_LIMIT = 256
"""Characters of a name or a target."""
TARGET_LIMIT = 100
"""Models of a chain."""
_SHOWN = 5
"""Backends that are shown for an alias."""

type Aliases = Mapping[str, ModelAlias]


class AliasError(ValueError):
    """A change of an alias that is not possible; `code` is for forms, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        """Codes: `name_needed`, `name_taken`, `own_target`, `too_long`, `unknown_alias`, `auto_stays`."""
        super().__init__(message)
        self.code = code


def with_alias(
    aliases: Aliases, name: str, targets: Iterable[str], strategy: Strategy | None, *, new: bool = False
) -> dict[str, ModelAlias]:
    """Return the aliases with one added or changed. An alias without targets means any model. Raises AliasError.

    An alias whose targets are ranked together stays one as long as it has a strategy.

    `new`: whether the name must not be in use.
    """
    name = name.strip()
    if not name or clean(name, NAME_LIMIT + 1) != name:
        raise AliasError("name_needed", "Enter a name without control characters.")
    if new and name in aliases:
        raise AliasError("name_taken", f"There is a model alias {name} already.")
    chain = tuple(dict.fromkeys(target.strip() for target in targets if target.strip()))
    if len(chain) > TARGET_LIMIT or any(len(text) > NAME_LIMIT for text in (name, *chain)):
        raise AliasError("too_long", f"A chain has at most {TARGET_LIMIT} models, and a name {NAME_LIMIT} characters.")
    if name in chain and name != AUTO:
        raise AliasError("own_target", "A model alias cannot refer to itself.")
    together = strategy is not None and name in aliases and aliases[name].together
    return {**aliases, name: ModelAlias(chain or (AUTO,), strategy, together)}


def without_alias(aliases: Aliases, name: str) -> dict[str, ModelAlias]:
    """The aliases without one. Raises AliasError for an unknown one, and for `auto`, which always exists."""
    if name == AUTO:
        raise AliasError("auto_stays", f"The model alias {AUTO} cannot be deleted.")
    if name not in aliases:
        raise AliasError("unknown_alias", f"There is no model alias {name}.")
    return {known: alias for known, alias in aliases.items() if known != name}


class AliasAnswer(TypedDict):
    """A backend that would answer for an alias, and with which model."""

    backend: str
    model: str


class AliasState(TypedDict):
    """A model alias and what it means now."""

    name: str
    targets: list[str]
    strategy: str | None
    """None: the strategy of the gateway."""
    fixed: bool
    """Whether it cannot be deleted."""
    answers: list[AliasAnswer]
    """The backends that would answer now, the first choice first; at most 5."""
    left_out: list[str]
    """Why parts of the chain mean nothing."""
    error: str | None
    """Why no backend would answer now."""


def list_aliases(engine: Engine) -> list[AliasState]:
    """All aliases, `auto` first, with what each means now."""
    aliases = engine.policy.virtual_models
    return [_state(engine, name, aliases.get(name, ModelAlias())) for name in dict.fromkeys((AUTO, *aliases))]


def _state(engine: Engine, name: str, alias: ModelAlias) -> AliasState:
    found, error = _explained(engine, name)
    answers = () if found is None else (*found.candidates.ordered, *found.candidates.later)
    return {
        "name": name,
        "targets": list(alias.targets),
        "strategy": None if alias.strategy is None else alias.strategy.value,
        "fixed": name == AUTO,
        "answers": [{"backend": one.member.name, "model": one.model} for one in answers[:_SHOWN]],
        "left_out": list(expand(engine.pool, name, engine.policy).left_out),
        "error": error,
    }


def _explained(engine: Engine, name: str) -> tuple[Explanation | None, str | None]:
    """Where a short chat with an alias would go; an embedding if it is an alias for such models. Else why it goes nowhere."""
    caller = Caller(Source.HTTP, admin=True)
    chat = Request.parse(Kind.CHAT, {"model": name, "messages": [{"role": "user", "content": "Hello"}]})
    try:
        return engine.explain(chat, caller), None
    except ApiError as err:
        try:
            return engine.explain(Request.parse(Kind.EMBEDDINGS, {"model": name, "input": "Hello"}), caller), None
        except ApiError:
            return None, err.message
