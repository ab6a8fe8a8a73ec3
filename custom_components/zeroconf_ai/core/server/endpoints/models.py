"""`GET /v1/models` and `GET /v1/models/{id}`."""

from aiohttp import web

from ...protocol.models import ModelInfo
from ...routing.candidates import unknown_model
from ...routing.pool import Member
from ..dispatch import Call
from ..gateway import Gateway


async def list_models(gateway: Gateway, call: Call) -> web.Response:
    """OpenAI's list, and the same under `models` for the origin's clients; chat models first, because those take the first."""
    found = sorted(_by_id(gateway).values(), key=lambda pair: not pair[1].for_chat)
    listed = [model.to_json(provider=member.name) for member, model in found]
    return call.json({"object": "list", "data": listed, "models": listed})


async def get_model(gateway: Gateway, call: Call) -> web.Response:
    """One model. Raises NotFoundError naming those that are near."""
    wanted = call.http.match_info["model"]
    found = _by_id(gateway).get(wanted)
    if found is None:
        raise unknown_model(gateway.engine.pool, wanted)
    member, model = found
    return call.json(model.to_json(provider=member.name))


def _by_id(gateway: Gateway) -> dict[str, tuple[Member, ModelInfo]]:
    """Each model once: of several backends that serve it, the preferred one's description."""
    found: dict[str, tuple[Member, ModelInfo]] = {}
    for member, model in gateway.engine.models():
        found.setdefault(model.id, (member, model))
    return found
