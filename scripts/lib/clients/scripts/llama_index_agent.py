"""LlamaIndex: a FunctionAgent with OpenAILike, streamed, and a memory that keeps the conversation."""

# /// script
# requires-python = ">=3.12"
# dependencies = ["llama-index-core==0.14.25", "llama-index-llms-openai-like==0.8.1"]
# ///

import asyncio

from common import AGAIN, BASE_URL, GREETING, KEY, MODEL, READ, read_meter, show
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import Memory
from llama_index.llms.openai_like import OpenAILike


async def main() -> None:
    """Send the three prompts with one memory."""
    model = OpenAILike(model=MODEL, api_base=f"{BASE_URL}/v1", api_key=KEY, is_chat_model=True, is_function_calling_model=True)
    agent = FunctionAgent(llm=model, tools=[read_meter], system_prompt="Answer briefly.")
    memory = Memory.from_defaults(session_id="home")
    for prompt in (GREETING, READ, AGAIN):
        show(await agent.run(prompt, memory=memory))


asyncio.run(main())
