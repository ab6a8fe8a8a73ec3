"""The list of public prices: what is found in it, by which name, and at which time."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
import subprocess
import sys
from typing import Any, override

from genai_prices.data_snapshot import get_snapshot
import orjson
import pytest

from zeroconf_ai.accounting.prices import listed, price_book
from zeroconf_ai.accounting.prices.listed import UNKNOWN
from zeroconf_ai.accounting.prices.price_book import PriceBook, PriceList
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Capability
from zeroconf_ai.protocol.usage import Usage

DOLLAR = 10**9
OPENAI = PriceList("openai")
ANTHROPIC = PriceList("anthropic")
BY_ADDRESS = PriceList()


@pytest.fixture
async def book() -> PriceBook:
    found = PriceBook()
    await found.load()
    return found


def dollars(amount: float) -> int:
    return round(amount * DOLLAR)


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-haiku-4-5-20251001", "Claude-Haiku-4-5"])
async def test_public_prices_of_dated_and_aliased_ids_are_the_models(book: PriceBook, model: str) -> None:
    expected = Prices(dollars(1), dollars(5), dollars(0.1), cache_write=dollars(1.25), cache_write_1h=dollars(2))
    assert book.prices(ANTHROPIC, model) == expected


async def test_long_prompts_have_their_own_prices(book: PriceBook) -> None:
    found = book.prices(ANTHROPIC, "claude-sonnet-4-5")
    assert found is not None
    (tier,) = found.tiers
    assert (found.input, found.output, found.cached, found.cache_write_1h) == tuple(map(dollars, (3, 15, 0.3, 6)))
    assert tier.above == 200_000
    assert (tier.prices.input, tier.prices.output, tier.prices.cache_write) == tuple(map(dollars, (6, 22.5, 7.5)))
    assert found.cost(Usage(200_000)) == dollars(0.6)
    assert found.cost(Usage(300_000)) == dollars(1.8)


async def test_embedding_costs_its_input(book: PriceBook) -> None:
    found = book.prices(OPENAI, "text-embedding-3-small")
    assert found == Prices(dollars(0.02), 0)


@pytest.mark.parametrize(
    ("kind", "model", "url"),
    [
        ("openai", "no-such-model", ""),
        ("openai", "ft:gpt-4o-mini:home", ""),
        ("openrouter", "openrouter/auto", ""),  # what it costs is known when it has chosen
        ("ollama", "gpt-4o", "https://api.openai.com/v1"),
        ("vllm", "gpt-4o", ""),
        ("litellm", "gpt-4o", ""),
        ("openai_compatible", "gpt-4o", "https://llm.example.net/v1"),
        ("openai_compatible", "gpt-4o", ""),
    ],
)
async def test_public_prices_of_unlisted_models_are_unknown_not_zero(book: PriceBook, kind: str, model: str, url: str) -> None:
    assert book.prices(BACKEND_TYPES[kind].price_list, model, url) is None


async def test_public_prices_of_a_cloud_are_found_by_its_address(book: PriceBook) -> None:
    url = "https://api.groq.com/openai/v1"
    assert (found := await book.lookup(BY_ADDRESS, url)) is not None
    assert found("llama-3.3-70b-versatile") == book.prices(BY_ADDRESS, "llama-3.3-70b-versatile", url) is not None
    assert await book.lookup(BY_ADDRESS, "https://llm.example.net/v1") is None


@pytest.mark.parametrize(
    ("kind", "url", "listed_as", "window", "capabilities"),
    [
        ("openai", "", "gpt-4o", 128_000, None),
        ("openai", "", "gpt-4o-2024-08-06", 128_000, None),
        ("openai", "", "text-embedding-3-small", 8192, {Capability.EMBEDDINGS}),
        ("openai", "", "nobody-knows-it", None, None),
        ("openai_compatible", "https://api.voyageai.com/v1", "voyage-3", None, {Capability.EMBEDDINGS}),
    ],
)
async def test_public_facts_of_a_model_are_added_where_the_provider_says_nothing(
    book: PriceBook, kind: str, url: str, listed_as: str, window: int | None, capabilities: Any
) -> None:
    describe = await book.describe(BACKEND_TYPES[kind].price_list, url)
    assert describe is not None
    assert describe(ModelInfo("alias"), listed_as) == ModelInfo("alias", window, capabilities=capabilities)
    reported = ModelInfo("alias", 5, capabilities=frozenset({Capability.COMPLETION}))
    assert describe(reported, listed_as) == reported


async def test_public_price_of_an_answer_is_that_of_its_images(book: PriceBook) -> None:
    prices = book.prices(OPENAI, "gpt-image-1.5")
    assert prices is not None
    assert prices.cost(Usage(0, 1_000_000)) == dollars(32)  # 10 for a text


@pytest.mark.parametrize(
    ("provider", "model", "usage", "cost"),
    [
        ("openai", "whisper-1", Usage(audio_seconds=90), 0.009),
        ("openai", "tts-1", Usage(speech_characters=2_000), 0.03),
        ("openai", "tts-1-hd", Usage(speech_characters=2_000), 0.06),
        ("openai", "gpt-4o-transcribe", Usage(1_000_000, 0, audio_tokens=500_000), 4.25),
        ("groq", "whisper-large-v3", Usage(audio_seconds=3_600), 0.111),
        ("mistral", "voxtral-mini-2602", Usage(audio_seconds=60), 0.003),
    ],
)
async def test_public_prices_of_audio_are_by_minute_by_character_or_by_token(
    book: PriceBook, provider: str, model: str, usage: Usage, cost: float
) -> None:
    prices = book.prices(PriceList(provider), model)
    assert prices is not None
    assert prices.cost(usage) == dollars(cost)


async def test_public_facts_without_a_cloud_are_not_added(book: PriceBook) -> None:
    assert await book.describe(BACKEND_TYPES["ollama"].price_list, "https://api.openai.com/v1") is None
    assert await book.describe(BACKEND_TYPES["openai_compatible"].price_list, "http://192.0.2.1/v1") is None


async def test_public_prices_by_time_of_day_apply_at_that_time(book: PriceBook, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        hour_now = 12

        @classmethod
        @override
        def now(cls, tz: Any = None) -> Any:
            return datetime(2025, 8, 1, cls.hour_now, tzinfo=tz or UTC)

    monkeypatch.setattr(listed, "datetime", Clock)
    url = "https://api.deepseek.com/v1"
    day = book.prices(BY_ADDRESS, "deepseek-chat", url)
    Clock.hour_now = 20
    night = book.prices(BY_ADDRESS, "deepseek-chat", url)
    assert day is not None
    assert night is not None
    assert day.input > night.input > 0


async def test_public_prices_without_a_cloud_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_book, "_read", lambda: pytest.fail("it was read"))
    book = PriceBook()
    for kind, url in (("ollama", "http://192.0.2.20:11434"), ("openai_compatible", "http://192.0.2.20:8000/v1"), ("vllm", "")):
        assert await book.lookup(BACKEND_TYPES[kind].price_list, url) is None
    assert book.prices(OPENAI, "gpt-4o") is None


async def test_public_prices_are_loaded_once_outside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bool] = []

    def reads() -> dict[str, Any]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            read.append(True)
        return {}

    monkeypatch.setattr(price_book, "_read", reads)
    book = PriceBook()
    await asyncio.gather(*(book.lookup(OPENAI) for _ in range(5)))
    assert read == [True]


async def test_public_prices_without_the_package_are_unknown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "genai_prices.py").write_text("raise ImportError('no price list')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith(("genai_prices", f"{price_book.__package__}.list_export"))]:
        monkeypatch.delitem(sys.modules, name)
    price_book._exported.cache_clear()
    assert await PriceBook().lookup(OPENAI) is None
    assert "public price list cannot be loaded" in caplog.text


async def test_public_prices_are_the_same_where_no_process_can_be_started(
    book: PriceBook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    former = price_book._exported()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    price_book._exported.cache_clear()
    assert list(map(orjson.loads, price_book._exported())) == list(map(orjson.loads, former))


def test_public_prices_are_loaded_by_another_process() -> None:
    code = (
        "import asyncio, sys\n"
        "from zeroconf_ai.accounting.prices.price_book import PriceBook, PriceList\n"
        "assert asyncio.run(PriceBook().lookup(PriceList('openai')))('gpt-4o') is not None\n"
        "print(*{'genai_prices', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


async def test_public_prices_of_all_ids_are_those_of_the_package(book: PriceBook) -> None:
    moment = datetime.now(UTC)
    package = get_snapshot().providers
    names = {
        name
        for provider in package
        for model in provider.models
        for name in (model.id, model.id.upper(), f"{model.id}-20251211", f"{model.id}-2025-12-11", f"openai/{model.id}")
    }
    compared = 0
    for provider in package:
        own = {model.id for model in provider.models}
        for name in own | set(sorted(names)[:: len(names) // 200]):
            info = provider.find_model(name, all_providers=package)
            found = book._model((book._providers or {})[provider.id], name)
            assert found.context_window == (None if info is None else info.context_window), (provider.id, name)
            price: Any = None if info is None else info.get_prices(moment).input_mtok
            expected = None if price is None else round(getattr(price, "base", price) * DOLLAR)
            prices = found.now()
            if expected is None and prices is not None and (prices.minute, prices.characters) != (None, None):
                expected = 0  # billed by the minute or by the character
            assert (None if prices is None else prices.input) == expected, (provider.id, name)
            compared += info is not None
    assert compared > 1000


async def test_public_prices_cache_is_bounded(book: PriceBook) -> None:
    for number in range(price_book._KEPT + 10):
        book._listed["openai", f"m{number}"] = UNKNOWN
        if len(book._listed) == price_book._KEPT:
            break
    assert book.prices(OPENAI, "another") is None
    assert len(book._listed) == 1
