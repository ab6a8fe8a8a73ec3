"""The stream helper of OpenAI's Python SDK, which checks every chunk."""

# /// script
# requires-python = ">=3.12"
# dependencies = ["openai==3.57.0"]
# ///

import json
from typing import Any

from common import AGAIN, GREETING, MODEL, READ, read_meter, show
from openai import OpenAI, pydantic_function_tool
from pydantic import BaseModel


class ReadMeter(BaseModel):
    """Read the meter of a room."""

    room: str


client = OpenAI()
tools = [pydantic_function_tool(ReadMeter, name="read_meter")]
messages: list[Any] = []
for prompt in (GREETING, READ, AGAIN):
    messages.append({"role": "user", "content": prompt})
    while True:
        with client.chat.completions.stream(model=MODEL, messages=messages, tools=tools) as stream:
            for _ in stream:
                pass
            message = stream.get_final_completion().choices[0].message
        messages.append(message.to_dict())
        for call in message.tool_calls or ():
            result = read_meter(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        if not message.tool_calls:
            break
    show(message.content)
