"""Requests that arrive over a relay link: the connector has authenticated the house at the other end."""

from dataclasses import dataclass
from typing import override

from aiohttp import web

from ...engine import Caller, Source
from ...protocol.errors import PermissionDeniedError
from .auth import Access


@dataclass(frozen=True, slots=True)
class House:
    """A house or a broker that a connector is paired with."""

    id: str
    name: str


HOUSE = web.RequestKey("zeroconf_ai_house", House)
"""The house that sent a request. Only the connector sets it."""


class RelayedAccess(Access):
    """Accepts what came over a link, and nothing else; keys mean nothing here."""

    def __init__(self, models: tuple[str, ...] = ()) -> None:
        """`models`: patterns of the models that houses may use; empty: all."""
        self.models = models

    @property
    @override
    def required(self) -> bool:
        return True

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        house = request.get(HOUSE)
        if house is None:
            raise PermissionDeniedError("Requests are answered over a relay link only.", code="network_not_allowed")
        return Caller(Source.HTTP, house.name, key_id=f"relay:{house.id}", models=self.models)
