"""The home-only switch: what may answer, and what the error says if nothing may."""

from typing import override

import pytest

from tests.core.routing.conftest import Add
from tests.support.fakes.upstream import StubBackend, chat
from tests.support.waiting import until
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.errors import NotFoundError, UnavailableError
from zeroconf_ai.protocol.record import Placement
from zeroconf_ai.routing.policy import ModelAlias, Policy
from zeroconf_ai.routing.pool.pool import Pool
from zeroconf_ai.routing.selection.candidates import candidates
from zeroconf_ai.routing.selection.strategies import leaves_home
from zeroconf_ai.server.endpoints.models import listed

HOME_ONLY = Policy(home_only=True)
OUTSIDE = "outside the home, and the home-only switch is on"


class Addressed(StubBackend):
    """A backend at an address."""

    base_url = ""

    @property
    @override
    def address(self) -> str:
        """The address."""
        return self.base_url


@pytest.mark.parametrize("placement", [Placement.CLOUD, Placement.PROXY])
def test_home_only_leaves_out_what_is_outside_also_for_pins_and_chains(pool: Pool, add: Add, placement: Placement) -> None:
    add("cloud", placement=placement, models=["m", "gpt"], priority=1)
    add("home", priority=9)
    found = candidates(pool, chat(), HOME_ONLY)
    assert [candidate.member.id for candidate in (*found.ordered, *found.later)] == ["home"]
    assert found.passed_over == (f"Cloud: {OUTSIDE}",)
    chain = Policy(virtual_models={"v": ModelAlias(("gpt", "m"))}, home_only=True)
    assert [candidate.member.id for candidate in candidates(pool, chat(model="v"), chain).ordered] == ["home"]
    for request in (chat(model="gpt"), chat(model="cloud/m"), chat().with_meta(pin="cloud")):
        with pytest.raises(UnavailableError) as refused:
            candidates(pool, request, HOME_ONLY)
        assert refused.value.code == "home_only"
        assert refused.value.message.startswith("The home-only switch is on, and no provider at home serves the model ")


def test_home_only_error_names_why_those_at_home_cannot(pool: Pool, add: Add) -> None:
    add("cloud", placement=Placement.CLOUD)
    add("home").enabled = False
    with pytest.raises(UnavailableError) as refused:
        candidates(pool, chat(model="auto"), HOME_ONLY)
    assert refused.value.message == (
        "The home-only switch is on, and no provider at home can take this request: "
        f"Cloud: {OUTSIDE}; Home: disabled for routing."
    )


def test_home_only_unknown_model_stays_unknown(pool: Pool, add: Add) -> None:
    add("cloud", placement=Placement.CLOUD)
    add("home")
    with pytest.raises(NotFoundError):
        candidates(pool, chat(model="gpt-typo"), HOME_ONLY)


@pytest.mark.parametrize(
    ("address", "outside"),
    [
        ("http://192.168.1.5:11434", False),
        ("http://[fd00::5]:8000/v1", False),
        ("http://100.101.102.103:8000/v1", False),  # Tailscale
        ("http://nas:8000/v1", False),
        ("http://gpu.local:8000/v1", False),
        ("http://ai.home.arpa/v1", False),
        ("https://api.groq.com/openai/v1", True),
        ("https://API.Groq.Com/openai/v1", True),
        ("http://8.8.8.8:8000/v1", True),
        ("http://[2606:4700::1]:8000/v1", True),
    ],
)
def test_home_only_unchecked_backend_is_judged_by_its_address(pool: Pool, add: Add, address: str, *, outside: bool) -> None:
    backend = Addressed("box")
    backend.base_url = address
    assert leaves_home(add(backend)) is outside


async def test_home_only_agent_is_outside_until_it_is_known_to_compute_at_home(pool: Pool, add: Add) -> None:
    agent = add("agent", agent=True)
    assert leaves_home(agent)
    agent.leaves_home = False
    assert not leaves_home(agent)


async def test_home_only_switch_outlasts_new_rules_and_is_told_at_once() -> None:
    engine = Engine()
    told: list[bool] = []
    engine.pool.listen(lambda _: told.append(engine.home_only))
    engine.home_only = True
    engine.policy = Policy()
    assert engine.policy.home_only
    assert not engine.home_only_configured
    engine.home_only = False
    engine.policy = Policy(home_only=True)
    engine.home_only = False
    assert engine.home_only
    assert told == [True, False, True]
    await engine.close()


async def test_home_only_models_outside_are_not_listed() -> None:
    engine = Engine()
    engine.add(StubBackend("cloud", placement=Placement.CLOUD, models=["gpt"]))
    engine.add(StubBackend("home", models=["qwen"]))
    for member in engine.pool:
        await engine.checker.check(member, models=True)
    await until(lambda: len(engine.models()) == 2)
    engine.home_only = True
    assert "gpt" not in {model["id"] for model in listed(engine)}
    assert [model.id for _, model in engine.models()] == ["qwen"]
    await engine.close()
