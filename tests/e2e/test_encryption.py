"""What a packet sniffer reads between Home Assistant and a provider."""

from pathlib import Path

from devhome.client import HomeClient
from devhome.namespaces import Lan

from .capture import captured
from .conftest import StartProvider
from .steps import add, model_pipeline_of

KEY = "zai_example-key-of-the-cellar"
PROMPT = "Where did grandmother hide the marmalade?"


async def ask(client: HomeClient, name: str) -> None:
    """Add a provider with its key, and ask its model."""
    await add(client, name, KEY, seconds=60)
    run = await client.assist(PROMPT, pipeline=await model_pipeline_of(client, name))
    assert run.speech


async def test_packets_of_a_provider_with_tls_have_neither_prompt_nor_key(
    lan: Lan, client: HomeClient, start_provider: StartProvider, tmp_path: Path
) -> None:
    async with captured(lan, tmp_path, lan.host("attic"), lan.host("cellar")) as capture:
        await start_provider("attic", name="Sealed", key=KEY, options=["--tls"])
        await ask(client, "Sealed")
        await capture.until("Sealed")
        assert not capture.has("marmalade")
        assert not capture.has(KEY)

        # The same without TLS: the sniffer reads whatever is not encrypted.
        await start_provider("cellar", name="Open", key=KEY)
        await ask(client, "Open")
        await capture.until("marmalade")
        await capture.until(KEY)
