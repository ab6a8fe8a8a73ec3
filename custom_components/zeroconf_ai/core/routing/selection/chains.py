"""Resolves a requested name: a model, a model of one backend, or a model alias for a chain of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...protocol.errors import UnavailableError
from ...protocol.models import AUTO, same_model
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

    @property
    def text(self) -> str:
        """The spelling in a chain."""
        return self.model if self.member is None else f"{self.member.name}/{self.model}"


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """The targets in their order, and why parts of a chain were left out."""

    targets: tuple[Target, ...]
    left_out: tuple[str, ...] = ()
    virtual: bool = False
    """Whether a model alias was requested."""


def resolve(pool: Pool, request: Request, policy: Policy) -> ResolvedModel:
    """The targets of a request. Raises UnavailableError if it pins a backend that does not exist.

    `provider/model` is a pin only if no backend serves a model with that full name; a model alias has precedence over both.
    """
    if request.pin is not None:
        member = pool.get(request.pin)
        if member is None:
            raise UnavailableError(f"The provider {request.pin} is not set up any more. Choose another one.")
        return ResolvedModel((Target(request.model, policy.strategy, member),))
    name = virtual_name(pool, request.model, policy)
    if name is None:
        return ResolvedModel((_target(pool, request.model, policy.strategy),))
    return expand(pool, name, policy)


def expand(pool: Pool, name: str, policy: Policy) -> ResolvedModel:
    """The targets of a model alias."""
    left_out: list[str] = []
    targets = tuple(_expand(pool, name, virtual_model(name, policy).strategy, policy, {}, left_out))
    return ResolvedModel(targets, tuple(left_out) if targets or left_out else (f"{name}: its chain is empty",), virtual=True)


def virtual_name(pool: Pool, asked: str, policy: Policy) -> str | None:
    """The name of the requested model alias, or None. A suffix `:latest`, which some clients add to every name, is ignored."""
    if asked == AUTO or asked in policy.virtual_models:
        return asked
    plain = asked.removesuffix(":latest")
    if plain != asked and (plain == AUTO or plain in policy.virtual_models):
        return None if any(member.served.has(asked) for member in pool) else plain
    return None


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
    for target in virtual.targets:
        if target != name and (target == AUTO or target in policy.virtual_models) and target not in path:
            yield from _expand(pool, target, chosen, policy, path, left_out)
        elif target == AUTO and (name == AUTO or AUTO not in policy.virtual_models):
            yield Target(AUTO, chosen or policy.strategy)
        elif target in policy.virtual_models or target == AUTO:
            if path.get(target):
                left_out.append(f"{target}: it contains itself")
        else:
            yield _target(pool, target, chosen or policy.strategy)
    path[name] = False


def _target(pool: Pool, name: str, strategy: Strategy) -> Target:
    if "/" in name and not any(member.served.has(name) for member in pool):
        for member in pool:
            info = member.backend.info
            for prefix in (info.id, info.name):  # a name may contain a slash too
                if prefix and name.startswith(f"{prefix}/"):
                    return Target(name[len(prefix) + 1 :] or AUTO, strategy, member)
        if any(member.served.has(same_model(name)) for member in pool):
            return Target(same_model(name), strategy)
    return Target(name, strategy)
