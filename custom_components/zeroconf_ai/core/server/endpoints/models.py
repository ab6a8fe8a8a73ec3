"""`GET /v1/models` and `GET /v1/models/{id}`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from aiohttp import web

from ...dialects.anthropic.model_list import model_object, models_page
from ...engine import Engine
from ...protocol.errors import NotFoundError
from ...protocol.home_rule import HomeRule
from ...protocol.model_names import GATEWAY, MAX_NAME, has_name
from ...protocol.models import AUTO, ModelInfo
from ...protocol.record import Capability
from ...routing.pool.member import Member
from ...routing.pricing.costs import price_of
from ...routing.selection.chains import Target, expand, resolve_name, virtual_model
from ...routing.selection.routing_errors import unknown_model
from ..dispatch import RequestContext
from ..gateway import Gateway

_CHAT = frozenset({Capability.COMPLETION})
_EMBEDDINGS = frozenset({Capability.EMBEDDINGS})
_IMAGES = frozenset({Capability.IMAGE_GENERATION})
ANTHROPIC_VERSION = "anthropic-version"
"""The header that all requests of Anthropic's SDKs have."""


async def list_models(gateway: Gateway, context: RequestContext) -> web.Response:
    """OpenAI's list, repeated under `models` for clients of the original protocol; Anthropic's list for clients of its SDKs."""
    found = listed(gateway.engine, context.caller.models, context.caller.home_rule)
    if ANTHROPIC_VERSION in context.http.headers:
        return context.json(models_page(found, context.http.query))
    return context.json({"object": "list", "data": found, "models": found})


async def get_model(gateway: Gateway, context: RequestContext) -> web.Response:
    """One model, by any name that requests may use. Raises NotFoundError, which names similar models."""
    caller = context.caller
    found = find_model(gateway.engine, context.variables["model"], caller.models, caller.home_rule)
    return context.json(model_object(found) if ANTHROPIC_VERSION in context.http.headers else found)


def find_model(engine: Engine, wanted: str, patterns: Sequence[str] = (), home_rule: HomeRule | None = None) -> dict[str, Any]:
    """The model object of the model that a request for this name would get. `patterns`: the allowed models; empty: all.

    `home_rule`: why the caller's requests stay at home, or None.

    Raises NotFoundError if the caller may use no such model now.
    """
    if len(wanted) > MAX_NAME:
        message = f"No model has a name of more than {MAX_NAME} characters."
        raise NotFoundError(message, code="model_not_found", param="model")
    asked = resolve_name(engine.pool, wanted, engine.policy)
    if asked.alias is not None and (for_chat := _virtual(engine, patterns, home_rule).get(asked.alias)) is not None:
        return _named(engine, asked.alias, for_chat=for_chat)
    allowed = () if has_name(patterns, wanted) else patterns
    for target in () if asked.virtual else asked.targets:
        for member, model in _reached(target, engine.usable(home_rule), allowed):
            return _described(member, model, engine.own_id)
    raise unknown_model(engine.pool, wanted, patterns=patterns)


def listed(engine: Engine, patterns: Sequence[str] = (), home_rule: HomeRule | None = None) -> list[dict[str, Any]]:
    """The models that a caller may use now, as OpenAI's model objects. `patterns`: the allowed models; empty: all.

    `home_rule`: why the caller's requests stay at home, or None.

    Order: `auto` if any model is for chats, chat models, other virtual models for chats, then the rest; some clients use the
    first model. If several backends serve a model, the preferred one describes it. A virtual model hides a real
    one of the same name.
    """
    virtual = _virtual(engine, patterns, home_rule)
    real: dict[str, tuple[Member, ModelInfo]] = {}
    for member, model in engine.models(home_rule):
        if model.id not in real and member.served.may_use(patterns, model.id):
            real[model.id] = member, model
    chat: list[dict[str, Any]] = []
    other: list[dict[str, Any]] = []
    for member, model in real.values():
        if model.id != AUTO and model.id not in engine.policy.virtual_models:
            (chat if model.for_chat else other).append(_described(member, model, engine.own_id))
    named = {
        for_chat: [_named(engine, name, for_chat=for_chat) for name in virtual if virtual[name] is for_chat]
        for for_chat in (True, False)
    }
    first = [model for model in named[True] if model["id"] == AUTO]
    return [*first, *chat, *(model for model in named[True] if model["id"] != AUTO), *other, *named[False]]


def _virtual(engine: Engine, patterns: Sequence[str], home_rule: HomeRule | None) -> dict[str, bool]:
    """The virtual models with at least one model that a caller may use now → whether one of those is for chats."""
    online = engine.usable(home_rule)
    found: dict[str, bool] = {}
    for name in dict.fromkeys((AUTO, *engine.policy.virtual_models)):
        asked = expand(engine.pool, name, engine.policy)
        by_name = has_name(patterns, name)  # permission for a virtual model includes its targets
        reached = [model for target in asked.targets for _, model in _reached(target, online, () if by_name else patterns)]
        if reached:
            found[name] = any(model.for_chat for model in reached)
    return found


def _reached(target: Target, online: Sequence[Member], patterns: Sequence[str]) -> Iterator[tuple[Member, ModelInfo]]:
    """Each online backend of a target, with its model."""
    for member in online:
        if target.member not in (None, member):
            continue
        if target.model == AUTO:
            # A provider's own default may be for embeddings or images.
            needs = (_CHAT,) if target.member is None else (_CHAT, _EMBEDDINGS, _IMAGES)
            best = (model for need in needs for model in member.served.ranked(need, tuple(patterns))[:1])
            yield from ((member, model) for model in islice(best, 1))
        elif (model := member.served.find(target.model)) and member.served.may_use(patterns, model.id):
            yield member, model


def _described(member: Member, model: ModelInfo, own_id: str | None) -> dict[str, Any]:
    """A model with its effective prices, if known, and the gateways on the way to it."""
    prices = price_of(member, model.id)
    pricing = None if prices is None else prices.to_json() | prices.per_thousand()
    via = model.via if own_id is None else (*model.via, own_id)
    return replace(model, pricing=pricing, via=via).to_json(provider=member.name)


def _named(engine: Engine, name: str, *, for_chat: bool) -> dict[str, Any]:
    targets = list(virtual_model(name, engine.policy).targets)
    fields = {"targets": targets, "supports_streaming": for_chat}
    return ModelInfo(name, owned_by=GATEWAY, virtual=True).to_json(provider=GATEWAY) | fields
