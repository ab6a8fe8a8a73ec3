"""Resolves a requested name: a model, a model of one backend, or a model alias for a chain of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...protocol.errors import UnavailableError
from ...protocol.model_names import has_name, name_key, spellings
from ...protocol.models import AUTO
from ...protocol.request import Request
from ..policy import ModelAlias, Policy, Strategy
from ..pool.member import Member
from ..pool.pool import Pool

_ANY = ModelAlias()
"""The default meaning of `auto`."""


@dataclass(frozen=True, slots=True)
class Target:
    """A model id or `auto`, of one backend or of any."""

    model: str
    strategy: Strategy
    member: Member | None = None
    group: str | None = None
    """The model alias whose strategy ranks this target together with the others of it; None: the order decides."""

    @property
    def text(self) -> str:
        """The spelling in a chain."""
        return self.model if self.member is None else f"{self.member.name}/{self.model}"


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """The targets in their order, and why parts of a chain were left out."""

    targets: tuple[Target, ...]
    left_out: tuple[str, ...] = ()
    alias: str | None = None
    """The requested model alias."""

    @property
    def virtual(self) -> bool:
        """Whether a model alias was requested."""
        return self.alias is not None


def resolve(pool: Pool, request: Request, policy: Policy) -> ResolvedModel:
    """The targets of a request. Raises UnavailableError if it pins a backend that does not exist."""
    if request.pin is not None:
        member = pool.get(request.pin)
        if member is None:
            raise UnavailableError(f"The provider {request.pin} is not set up any more. Choose another one.")
        return ResolvedModel((Target(request.model, policy.strategy, member),))
    return resolve_name(pool, request.model, policy)


def resolve_name(pool: Pool, asked: str, policy: Policy) -> ResolvedModel:
    """The targets of a requested name, in each of its spellings: the one rule for names in all dialects (docs/routing.md).

    A model alias precedes a model with this exact id, that a model of one provider (`provider/model`), that an equivalent id
    (`model_names.name_key`), and that a provider's own id or name, which means its default model.
    """
    for name in spellings(asked):
        if (alias := virtual_name(pool, name, policy)) is not None:
            return expand(pool, alias, policy)
        if targets := _known_targets(pool, name, policy.strategy):
            return ResolvedModel(targets)
    return ResolvedModel((Target(asked, policy.strategy),))


def expand(pool: Pool, name: str, policy: Policy) -> ResolvedModel:
    """The targets of a model alias."""
    left_out: list[str] = []
    targets = tuple(_expand(pool, name, virtual_model(name, policy).strategy, policy, {}, left_out))
    return ResolvedModel(targets, tuple(left_out) if targets or left_out else (f"{name}: its chain is empty",), alias=name)


def requested_alias(pool: Pool, asked: str, policy: Policy) -> str | None:
    """The name of the model alias that a client requests in any spelling; None for a model."""
    if asked == AUTO or asked in policy.virtual_models:
        return asked
    keys = {name_key(name) for name in (AUTO, *policy.virtual_models)}
    if all(name_key(name) not in keys for name in spellings(asked)):
        return None
    return resolve_name(pool, asked, policy).alias


def virtual_name(pool: Pool, asked: str, policy: Policy) -> str | None:
    """The model alias with an equivalent name, unless a backend serves a model with exactly the requested one; or None."""
    if asked == AUTO or asked in policy.virtual_models:
        return asked
    key = name_key(asked)
    alias = next((name for name in (AUTO, *policy.virtual_models) if name_key(name) == key), None)
    return None if alias is None or any(member.served.has(asked) for member in pool) else alias


def virtual_model(name: str, policy: Policy) -> ModelAlias:
    """The model alias with that name; `auto` always exists."""
    return policy.virtual_models.get(name, _ANY)


def _expand(
    pool: Pool, name: str, strategy: Strategy | None, policy: Policy, path: dict[str, bool], left_out: list[str]
) -> Iterator[Target]:
    """The targets of a model alias, nested ones included, each once.

    `path`: visited names; True while on the current branch (cycle check).
    """
    path[name] = True
    virtual = virtual_model(name, policy)
    chosen = strategy or virtual.strategy
    for found in _expand_targets(pool, name, virtual, chosen, policy, path, left_out):
        yield replace(found, group=name) if virtual.together else found
    path[name] = False


def _expand_targets(
    pool: Pool,
    name: str,
    virtual: ModelAlias,
    chosen: Strategy | None,
    policy: Policy,
    path: dict[str, bool],
    left_out: list[str],
) -> Iterator[Target]:
    """The targets of each target of an alias, in their order; `chosen` is the strategy for them."""
    for target in virtual.targets:
        if target != name and (target == AUTO or target in policy.virtual_models) and target not in path:
            yield from _expand(pool, target, chosen, policy, path, left_out)
        elif target == AUTO and (name == AUTO or AUTO not in policy.virtual_models):
            yield Target(AUTO, chosen or policy.strategy)
        elif target in policy.virtual_models or target == AUTO:
            if path.get(target):
                left_out.append(f"{target}: it contains itself")
        else:
            yield from _known_targets(pool, target, chosen or policy.strategy) or (Target(target, chosen or policy.strategy),)


def _known_targets(pool: Pool, name: str, strategy: Strategy) -> tuple[Target, ...]:
    """The targets of a name that is not an alias; empty if it means no known model and no provider."""
    members = tuple(pool)
    if any(member.served.has(name) for member in members):
        return (Target(name, strategy),)
    of_one = [(member, rest) for head, rest in _splits(name) for member in members if member.served.is_of(head)]
    serving = [(member, rest) for member, rest in of_one if _is_any(rest) or member.served.find(rest)]
    if not serving:
        if any(member.served.find(name) for member in members):
            return (Target(name, strategy),)
        provider = name.removesuffix(":latest")
        serving = of_one[:1] or [(member, AUTO) for member in members if member.served.is_of(provider)]
    return tuple(Target(AUTO if _is_any(rest) else rest, strategy, member) for member, rest in serving)


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """(provider, model) at each slash, the longest provider first: names of providers may contain slashes too."""
    head, slash, rest = name.rpartition("/")
    while slash:
        yield head, rest
        head, slash, last = head.rpartition("/")
        rest = f"{last}/{rest}"


def _is_any(model: str) -> bool:
    return not model or has_name((AUTO,), model)
