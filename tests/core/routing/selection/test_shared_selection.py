"""Which providers may answer which request, as data that the tests of clients/typescript read too."""

import json
from pathlib import Path
from typing import Any

from tests.support.fakes.upstream import StubBackend
from zeroconf_ai.protocol.errors import ApiError
from zeroconf_ai.protocol.models import parse_models
from zeroconf_ai.protocol.record import Capability
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pool.pool import Pool
from zeroconf_ai.routing.selection.candidates import candidates

VECTORS = Path(__file__).parents[4] / "clients" / "typescript" / "test" / "vectors"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "selection.json").read_text())


def member_of(provider: dict[str, Any]) -> Member:
    stated = provider["capabilities"]
    backend = StubBackend(
        provider["id"],
        priority=provider["priority"],
        capabilities=None if stated is None else frozenset(map(Capability, stated)),
        models=parse_models(provider["models"]),
    )
    assert backend.info.name == provider["name"]
    state = ProviderState(provider["state"])
    return Member(backend, known=True, models=backend.listed, lists_models=provider["lists"], state=state)


def test_candidates_are_those_of_the_typescript_client() -> None:
    for case in CASES:
        pool = Pool()
        for provider in case["providers"]:
            pool.add(member_of(provider))
        found: Any
        try:
            request = Request.parse(Kind(case["path"].removeprefix("/")), case["body"])
            found = [[candidate.member.id, candidate.model] for candidate in candidates(pool, request).ordered]
        except ApiError as err:
            found = {"status": err.status, "code": err.code}
        assert found == case["expected"], case
