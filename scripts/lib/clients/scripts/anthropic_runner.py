"""The tool runner of Anthropic's Python SDK, streamed."""

# /// script
# requires-python = ">=3.12"
# dependencies = ["anthropic==2.14.0"]
# ///

from typing import Any

from anthropic import Anthropic, beta_tool
from common import AGAIN, GREETING, MODEL, READ, read_meter, show

client = Anthropic()
messages: list[Any] = []
for prompt in (GREETING, READ, AGAIN):
    messages.append({"role": "user", "content": prompt})
    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=1000, messages=messages, tools=[beta_tool(read_meter)], stream=True
    )
    for stream in runner:
        answer = stream.get_final_message()
        messages.append({"role": "assistant", "content": answer.content})
        if (results := runner.generate_tool_call_response()) is not None:
            messages.append(results)
    show("".join(block.text for block in answer.content if block.type == "text"))
