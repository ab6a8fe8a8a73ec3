"""Ollama's Python SDK."""

# /// script
# requires-python = ">=3.12"
# dependencies = ["ollama==0.6.3"]
# ///

from typing import Any

from common import AGAIN, BASE_URL, GREETING, KEY, MODEL, READ, read_meter, show
from ollama import Client, Message

client = Client(BASE_URL, headers={"Authorization": f"Bearer {KEY}"})
messages: list[Any] = []
for prompt in (GREETING, READ, AGAIN):
    messages.append(Message(role="user", content=prompt))
    while True:
        parts = [part.message for part in client.chat(MODEL, messages, tools=[read_meter], stream=True)]
        calls = [call for part in parts for call in part.tool_calls or ()]
        text = "".join(part.content or "" for part in parts)
        messages.append(Message(role="assistant", content=text, tool_calls=calls or None))
        for call in calls:
            result = read_meter(**call.function.arguments)
            messages.append(Message(role="tool", tool_name=call.function.name, content=result))
        if not calls:
            break
    show(text)
