"""The TypeScript client on a LAN: real providers that are killed, move, join and leave; OpenAI's package and the AI SDK."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
import json
from pathlib import Path
from typing import Any

import pytest
from zeroconf.asyncio import AsyncZeroconf

from devhome.namespaces import Lan
from tests.support.fakes.provider import FakeProvider, running, text
from tests.support.typescript import FOLDER, build, program
from zeroconf_ai.protocol.record import SATURN_TYPE, Auth, Capability

from .advertised import info, record_of_tester
from .conftest import StartProvider

KEY = "zai_" + "k" * 32
PRELUDE = """
import { createInterface } from "node:readline";
import { Client } from "zeroconf-ai";
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const told = (value: unknown) => console.log(JSON.stringify(value));
const next = async (): Promise<string> => (await lines.next()).value;
const settled = async (work: Promise<unknown>) => {
  try { told(await work); } catch (error) { told({ error: String(error) }); }
};
"""


class Program:
    """A running program that prints lines of JSON and waits for lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def told(self) -> Any:
        """The next printed value."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        if not line:
            assert self._process.stderr is not None
            raise AssertionError((await self._process.stderr.read()).decode())
        return json.loads(line)

    async def proceed(self, line: str = "") -> Any:
        """Send a line; the next printed value."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self.told()

    async def ended(self) -> int:
        """The exit code of the program, which ends by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await asyncio.wait_for(self._process.wait(), 30)


@asynccontextmanager
async def started(lan: Lan, source: str) -> AsyncIterator[Program]:
    """A TypeScript program on the host "laptop"."""
    build()
    pipe = asyncio.subprocess.PIPE
    command = lan.host("laptop").command(*program(PRELUDE + source))
    process = await asyncio.create_subprocess_exec(*command, cwd=FOLDER, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # it closes the pipes too


async def test_typescript_client_follows_providers_that_are_killed_join_and_leave(
    lan: Lan, start_provider: StartProvider
) -> None:
    hosts = {"gpu": "Gaming PC", "pi": "Attic"}
    started_both = await asyncio.gather(*(start_provider(host, name=name) for host, name in hosts.items()))
    providers = {provider.name: provider for provider in started_both}
    source = """
    const ai = new Client();
    told((await ai.providers()).map(({ name, online, baseURL, models }) => ({ name, online, baseURL, models })));
    const ask = async () => {
      const { text, provider, failed } = await ai.chat("Who are you?");
      return { text, provider, failed };
    };
    told(await ask());
    await next();
    await settled(ask());
    await next();
    for (;;) { // the one that has joined
      await ai.check();
      const found = (await ai.providers()).filter(({ online }) => online).map(({ name }) => name);
      if (found.includes("Late")) { told(found); break; }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await next();
    for (;;) { // the one that has said goodbye
      const found = (await ai.providers()).filter(({ online }) => online).map(({ name }) => name);
      if (!found.includes("Late")) { told(found); break; }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    """
    async with started(lan, source) as node:
        found = {provider["name"]: provider for provider in await node.told()}
        assert {name: provider["baseURL"] for name, provider in found.items()} == {
            name: provider.base_url for name, provider in providers.items()
        }
        assert all(provider["online"] and "demo-rules" in provider["models"] for provider in found.values())
        first = await node.told()
        assert first["failed"] == {}
        assert "demo-rules" in first["text"]
        # The other one is asked next: whose turn it is decides among equals.
        other = next(name for name in providers if name != first["provider"])
        providers[other].kill()
        second = await node.proceed()
        assert second["provider"] == first["provider"]
        assert list(second["failed"]) == [other]
        late = await start_provider("late", name="Late")
        assert set(await node.proceed()) == {first["provider"], "Late"}
        asked = asyncio.create_task(node.proceed())
        await late.stop()
        assert await asked == [first["provider"]]
        assert await node.ended() == 0


async def test_typescript_openai_and_ai_sdk_call_tools_and_follow_failures(lan: Lan, start_provider: StartProvider) -> None:
    doomed, _ = await asyncio.gather(start_provider("gpu", name="Gaming PC"), start_provider("pi", name="Attic"))
    source = """
    import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
    import { createZeroconfAI } from "zeroconf-ai/ai-sdk";
    import { openai } from "zeroconf-ai/openai";
    const ai = new Client();
    const gpt = openai(ai);
    const room = { type: "string", enum: ["kitchen", "attic"] };
    const schema = { type: "object" as const, properties: { room }, required: ["room"] };
    const read = { name: "read_thermometer", description: "Reads the thermometer of a room.", parameters: schema };
    const question = { role: "user" as const, content: "Read the thermometer of the kitchen" };
    const ask = async () => {
      const tools = [{ type: "function" as const, function: read }];
      const first = (await gpt.chat.completions.create({ model: "auto", messages: [question], tools })).choices[0]!.message;
      const call = first.tool_calls![0]!;
      const result = { role: "tool" as const, tool_call_id: call.id, content: "21.5" };
      const { choices } = await gpt.chat.completions.create({ model: "auto", messages: [question, first, result], tools });
      let streamed = "";
      const stream = await gpt.chat.completions.create({ model: "auto", messages: [question], stream: true });
      for await (const chunk of stream) streamed += chunk.choices[0]?.delta.content ?? "";
      const home = createZeroconfAI(ai);
      const thermometer = tool({ description: read.description, inputSchema: jsonSchema(schema), execute: () => "21.5" });
      const done = await generateText({
        model: home("auto"), prompt: question.content, tools: { [read.name]: thermometer }, stopWhen: isStepCount(3),
      });
      let pieces = "";
      for await (const piece of streamText({ model: home("demo-rules"), prompt: "Hello" }).textStream) pieces += piece;
      const { data } = await gpt.embeddings.create({ model: "auto", input: ["one", "two"] });
      const models = (await gpt.models.list()).data.map(({ id }) => id);
      return {
        call: "function" in call ? call.function : null, text: choices[0]!.message.content, streamed,
        sdkCalls: done.steps.flatMap(({ toolCalls }) => toolCalls.map(({ toolName, input }) => [toolName, input])),
        sdkText: done.text, pieces, vectors: data.length, models,
      };
    };
    told(await ask());
    await next();
    told(await ask());
    const unknown = gpt.chat.completions.create({ model: "no-such-model", messages: [question] });
    await unknown.catch((error) => told([error.status, error.code]));
    """
    async with started(lan, source) as node:
        for told in (await node.told(), None):
            if told is None:
                doomed.kill()
                told = await node.proceed()
            assert told["call"]["name"] == "read_thermometer"
            assert json.loads(told["call"]["arguments"]) == {"room": "kitchen"}
            assert "21.5" in told["text"]
            assert "demo-rules" in told["streamed"]
            assert told["sdkCalls"] == [["read_thermometer", {"room": "kitchen"}]]
            assert "21.5" in told["sdkText"]
            assert told["pieces"]
            assert told["vectors"] == 2
            assert told["models"] == ["demo-rules", "demo-embed"]
        assert await node.told() == [404, "model_not_found"]
        assert await node.ended() == 0


async def test_typescript_key_goes_only_to_the_provider_that_proves_it(
    lan: Lan, network: AsyncZeroconf, start_provider: StartProvider, tmp_path: Path
) -> None:
    real = await start_provider("gpu", name="Locked", key=KEY)
    trusted = json.dumps(str(tmp_path / "trusted.json"))
    source = f"""
    const live = new Client("Locked", {{ key: "{KEY}" }});
    const asked = async () => {{
      const ai = new Client("Locked", {{ key: "{KEY}", trustFile: {trusted} }});
      await settled(ai.chat("Who are you?").then(({{ provider }}) => provider));
      await settled(ai.endpoint().then(({{ baseURL }}) => baseURL));
      await ai.close();
      await live.check(); // it has been open from the beginning
      await settled(live.chat("Who are you?").then(({{ provider }}) => provider));
    }};
    await settled(new Client().chat("Who are you?"));
    await asked();
    await next();
    await asked();
    await next();
    await asked();
    """
    async with started(lan, source) as node:
        assert "an API key is sent only to the provider that you name" in (await node.told())["error"]
        assert await node.told() == "Locked"
        assert await node.told() == real.base_url
        assert await node.told() == "Locked"
        (pin,) = json.loads((tmp_path / "trusted.json").read_text())
        assert pin["base_url"] == real.base_url
        real.kill()
        host = lan.host("tester").ipv4
        async with running(FakeProvider(id=pin["id"], key=KEY, host=host)) as moved:
            record = record_of_tester(moved, name="Locked", id=pin["id"], auth=Auth.TOKEN)
            await network.async_register_service(info(record), cooperating_responders=True)  # under the name of the dead one
            refused = await node.proceed()
            assert "does not prove" in refused["error"]
            assert (await node.told())["error"] == refused["error"]
            assert "could not be reached" in (await node.told())["error"]
            assert set(moved.keys) == {None}
            assert moved.requests == []
            moved.proves = True
            assert await node.proceed() == "Locked"
            assert await node.told() == f"http://{host}:{moved.port}/v1"
            assert await node.told() == "Locked"
            assert len(moved.requests) == 2
        assert await node.ended() == 0


async def test_typescript_client_reads_saturn_and_uses_ipv6_where_a_provider_can_do_the_request(
    lan: Lan, network: AsyncZeroconf
) -> None:
    host = lan.host("tester")
    async with (
        running(FakeProvider(id=None, host=host.ipv4, answers=[text("by", " Saturn")])) as saturn,
        running(FakeProvider(id=None, host=host.ipv6, answers=[text("by", " ours")])) as ours,
    ):
        addresses = (ip_address(host.ipv4), ip_address(host.ipv6))
        beacon = record_of_tester(saturn, name="Dr. Saturn's PC", id="saturn-1", priority=5, addresses=addresses)
        able = frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.TOOLS})
        await network.async_register_service(info(beacon, SATURN_TYPE, features="chat,streaming"))
        await network.async_register_service(
            info(record_of_tester(ours, name="Ours", id="ours-1", priority=10, capabilities=able))
        )
        hostile = info(record_of_tester(ours, name="Evil", id="evil", host="evil.local.", priority=1), version="9.0")
        await network.async_register_service(hostile)
        source = """
        const ai = new Client();
        told((await ai.providers()).map(({ name }) => name));
        told((await ai.chat("Hello")).text);
        const tools = [{ type: "function", function: { name: "read", parameters: { type: "object" } } }];
        told((await ai.chat("Hello", { tools })).text);
        """
        async with started(lan, source) as node:
            assert await node.told() == ["Dr. Saturn's PC", "Ours"]
            assert await node.told() == "by Saturn"
            assert await node.told() == "by ours"
            assert await node.ended() == 0


@pytest.fixture(autouse=True)
def on_the_lan(lan: Lan) -> None:
    """The laptop exists before a provider is started: its cable is part of the first search."""
    lan.host("laptop")
