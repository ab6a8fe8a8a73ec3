"""What a packet sniffer reads between Home Assistant and a provider, and who is refused."""

import asyncio
import json
from pathlib import Path
from typing import Any

from devhome.client import HomeClient, eventually
from devhome.namespaces import Host, Lan
from devhome.provider import COMMAND

from .capture import captured
from .conftest import StartProvider
from .steps import add, discovered, model_pipeline_of

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


async def command(host: Host, state: Path, *arguments: str) -> Any:
    """What `zeroconf-ai` prints as JSON on a host, where `serve` keeps its files in the folder."""
    program = host.command("env", f"XDG_STATE_HOME={state}", str(COMMAND), *arguments, "--json")
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(said)


async def test_client_certificate_of_home_assistant_leaves_nothing_to_read_and_is_refused_once_revoked(
    lan: Lan, client: HomeClient, start_provider: StartProvider, tmp_path: Path
) -> None:
    attic, state = lan.host("attic"), tmp_path / "provider-0"
    async with captured(lan, tmp_path, attic) as capture:
        await start_provider(attic, name="Enrolled", options=["--tls", "--auth", "mtls"])

        async def is_known() -> bool:  # the server says where its page is after it listens
            return any((state / "zeroconf-ai" / "running").glob("*.json"))

        await eventually(is_known)
        code = (await command(attic, state, "clients", "code"))["code"]["code"]
        flow = await discovered(client, "Enrolled", 60)
        step = await client.continue_flow(flow["flow_id"], {})
        assert step["step_id"] == "enroll", step
        step = await client.continue_flow(flow["flow_id"], {"code": code})
        assert step["type"] == "create_entry", step

        assistant = await model_pipeline_of(client, "Enrolled")
        assert (await client.assist(PROMPT, pipeline=assistant)).speech
        await capture.until("Enrolled")
        assert not capture.has("marmalade")
        assert not capture.has(code)

        (certificate,) = await command(attic, state, "keys", "list")
        await command(attic, state, "keys", "revoke", certificate["id"])

        async def refused() -> bool:
            return (await client.assist(PROMPT, pipeline=assistant)).speech == "Sorry, the AI is not set up correctly."

        # A running server reads changes of other processes within a second, and closes the connections of the certificate.
        await eventually(refused)
        (asked,) = [flow for flow in await client.flows_in_progress("zeroconf_ai") if flow["context"]["source"] == "reauth"]
        assert asked["step_id"] == "enroll"
