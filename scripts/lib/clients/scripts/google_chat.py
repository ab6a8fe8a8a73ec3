"""The chat of Google's Python SDK, which calls functions itself."""

# /// script
# requires-python = ">=3.12"
# dependencies = ["google-genai==2.25.0"]
# ///

from common import AGAIN, BASE_URL, GREETING, KEY, MODEL, READ, read_meter, show
from google import genai
from google.genai import types

client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=BASE_URL))
chat = client.chats.create(model=MODEL, config=types.GenerateContentConfig(tools=[read_meter]))
for prompt in (GREETING, READ, AGAIN):
    show("".join(chunk.text or "" for chunk in chat.send_message_stream(prompt)))
