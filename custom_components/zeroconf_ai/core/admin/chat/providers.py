"""What can be chosen for a conversation: providers, and their models. Everybody who may chat sees it."""

from typing import TypedDict

from ...engine import Engine
from ...protocol.models import AUTO
from ...protocol.record import Capability, Placement
from ...routing.pool.member import Member
from ..live import MODEL_LIMIT, state_of
from .messages import Choice

_TOOLS = frozenset({Capability.TOOLS})
_VISION = frozenset({Capability.VISION})


class ChoosableModel(TypedDict):
    """A model. `warm`: whether it is loaded; None if the provider does not report it. `vision`: whether it sees images."""

    id: str
    warm: bool | None
    vision: bool | None


class ChoosableProvider(TypedDict):
    """A provider. `available`: whether it answers now or can be woken; `limit`: of parallel requests, None for no limit."""

    id: str
    name: str
    kind: str
    """"agent" or "backend"."""
    local: bool
    cost: str
    state: str
    known: bool
    available: bool
    running: int
    limit: int | None
    models: list[ChoosableModel]


def providers_of(engine: Engine) -> list[ChoosableProvider]:
    """The enabled providers, in the order of their priority, agents of the home last."""
    members = [member for member in engine.pool if member.enabled]
    members.sort(key=lambda member: (member.backend.info.agent, member.priority))
    return [_provider(member) for member in members]


def may_use_tools(engine: Engine, choice: Choice, *, sees: bool) -> bool:
    """Whether a model that may be chosen accepts tools, and images if it `sees`, as far as is known.

    Agents of the home have tools of their own.
    """
    needs = _TOOLS | _VISION if sees else _TOOLS
    if choice.backend_id is not None:
        chosen = engine.pool.get(choice.backend_id)
        members = [] if chosen is None else [chosen]
    else:
        members = [member for member in engine.pool if member.enabled and (member.online or member.wake is not None)]
    return any(_accepts(member, choice, needs) for member in members)


def _accepts(member: Member, choice: Choice, needs: frozenset[Capability]) -> bool:
    info = member.backend.info
    if info.agent or (info.capabilities is not None and Capability.TOOLS not in info.capabilities):
        return False
    if choice.model == AUTO:
        return not member.models or any(model.for_chat and model.supports(needs) for model in member.models)
    found = member.served.find(choice.model)
    return found is None or found.supports(needs)


def _provider(member: Member) -> ChoosableProvider:
    info = member.backend.info
    return {
        "id": member.id,
        "name": member.name,
        "kind": "agent" if info.agent else "backend",
        "local": info.placement is Placement.LOCAL,
        "cost": info.cost.value,
        "state": state_of(member),
        "known": member.known,
        "available": member.online or member.wake is not None,
        "running": member.active,
        "limit": member.limiter.limit,
        "models": [
            {
                "id": model.id,
                "warm": model.warm,
                "vision": None if model.capabilities is None else Capability.VISION in model.capabilities,
            }
            for model in member.models[:MODEL_LIMIT]
            if model.for_chat
        ],
    }
