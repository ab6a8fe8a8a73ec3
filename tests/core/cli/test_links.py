"""What a connector offers under its rules, and what changes with them while it runs."""

from contextlib import AsyncExitStack

import aiohttp

from tests.core.server.test_in_process import JSON, Kept, chat, parts_of
from tests.support.fakes.provider import FakeProvider
from tests.support.server import served, upstream
from zeroconf_ai.accounting.admission import RateLimits
from zeroconf_ai.accounting.limits.opening_hours import OpeningHours
from zeroconf_ai.cli import paired
from zeroconf_ai.cli.connector_options import rules_of
from zeroconf_ai.cli.links import Links, Offering
from zeroconf_ai.config.connector_fields import ConnectorRules
from zeroconf_ai.relay.frames import FrameType, decode, decode_json, encode_json
from zeroconf_ai.relay.hub import Offer
from zeroconf_ai.relay.paired_houses import PairedHouse
from zeroconf_ai.server.access.relayed import House, RelayedAccess
from zeroconf_ai.server.in_process import InProcess

HOUSE = House("house-1", "Home")
NIGHT = OpeningHours.parse(["22:00-07:00"])
RULES = ConnectorRules(("demo-e*",), RateLimits(60, 1000, 2), NIGHT, ("ntfy:my-gpu",))


async def test_hello_has_what_the_rules_allow_and_follows_them() -> None:
    access = RelayedAccess()
    async with served(access=access) as gateway, AsyncExitStack() as stack:
        offering = await Offering.begin(stack, gateway.gateway, access, RULES)
        links = await Links.open(stack, InProcess(gateway.runner), offering, None)
        hello = offering.hello()
        assert hello["models"] == ["demo-embed"]
        limits = {"parallel": 2, "requests_per_minute": 60, "tokens_per_minute": 1000, "hours": ["22:00-07:00"]}
        assert hello["limits"] == limits
        assert {"completion", "streaming", "embeddings"} <= set(hello["capabilities"])
        assert gateway.engine.limiter.limit == 2
        assert not links.any_open

        offering.apply(ConnectorRules(rates=RateLimits(1)))
        assert set(offering.hello()["models"]) == {"demo-rules", "demo-embed"}
        assert offering.hello()["limits"] == {"requests_per_minute": 1}
        assert offering.gateway.engine.limiter.limit is None
        server, answers = InProcess(gateway.runner), [Kept(), Kept()]
        for found in answers:
            await server.answer("POST", "/v1/chat/completions", JSON, parts_of(chat()), found, HOUSE)
        assert [found.status for found in answers] == [200, 429]


async def test_hello_of_a_machine_with_thousands_of_models_fits_into_a_frame() -> None:
    """A cloud's list is long, and model ids may be, too: the link would break with each attempt otherwise."""
    models = [{"id": f"{'publisher' * 12}/model-{number}-ä"} for number in range(1100)]
    access, provider = RelayedAccess(), FakeProvider(models=models)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        backend = await stack.enter_async_context(upstream(provider, session))
        gateway = await stack.enter_async_context(served(backend, access=access))
        offering = await Offering.begin(stack, gateway.gateway, access, ConnectorRules())
        assert len(offering.models()) > 1000
        assert 100 < len(offering.hello()["models"]) < 1000
        frame = encode_json(FrameType.HELLO, 0, offering.hello())
        assert Offer.parse(decode_json(decode(frame).payload)).models[0] == offering.models()[0]


def test_options_replace_the_rules_of_the_file_one_by_one() -> None:
    said = {
        "models": (),
        "hours": OpeningHours(),
        "notify": (),
        "requests_per_minute": None,
        "tokens_per_minute": 5,
        "parallel": 1,
    }
    assert rules_of(said, RULES) == ConnectorRules(("demo-e*",), RateLimits(60, 5, 1), NIGHT, ("ntfy:my-gpu",))
    more = {**said, "models": ("qwen*",), "notify": ("admin@example.net",), "hours": OpeningHours.parse(["08:00-09:00"])}
    assert rules_of(more, RULES).models == ("qwen*",)
    assert rules_of(more, RULES).notify == ("admin@example.net",)
    assert str(rules_of(more, RULES).hours) == "08:00-09:00"


def test_what_changes_of_a_house_is_stored_unless_it_was_forgotten() -> None:
    house = PairedHouse("wss://ai.example.net/v1/relay", bytes(32), "Home", "gpu", "A" * 43)
    paired.store(house)
    paired.update(PairedHouse(house.url, house.key, "New home", "gpu", "B" * 43, "house-id"))
    (found,) = paired.houses()
    assert (found.name, found.pin, found.house_id) == ("New home", "B" * 43, "house-id")
    paired.update(PairedHouse(house.url, bytes(range(32)), "Other", "gpu"))
    assert paired.houses() == (found,)
    paired.forget(house.url)
    paired.update(found)
    assert paired.houses() == ()
