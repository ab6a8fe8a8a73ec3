"""openai-agents with its default settings: the Responses API, streamed, with a session that keeps the conversation."""

# /// script
# requires-python = ">=3.12"
# dependencies = ["openai-agents==0.24.0"]
# ///

import asyncio

from agents import Agent, Runner, SQLiteSession, function_tool, set_tracing_disabled
from common import AGAIN, GREETING, MODEL, READ, read_meter, show

set_tracing_disabled(disabled=True)


async def main() -> None:
    """Send the three prompts in one session."""
    agent = Agent(name="Home", instructions="Answer briefly.", model=MODEL, tools=[function_tool(read_meter)])
    session = SQLiteSession("home")
    for prompt in (GREETING, READ, AGAIN):
        streamed = Runner.run_streamed(agent, prompt, session=session)
        async for _ in streamed.stream_events():
            pass
        show(streamed.final_output)


asyncio.run(main())
