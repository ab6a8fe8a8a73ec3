"""What a model is sent of a conversation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...accounting.conversations.conversation import Image, Message, Role
from ..images import HomeImages

MESSAGES = 60
"""The newest messages of a conversation that a model is sent."""
CHARACTERS = 200_000
"""Of these, as many of the newest as have this many characters together."""
IMAGES = 10
"""The newest images that a model is sent."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a person, or an answer."""

    role: Role
    content: str
    images: Sequence[Image] = ()


def history_of(messages: Sequence[Message]) -> list[Said]:
    """The messages that a model is sent, oldest first: no notices, and no answers that failed or were asked for again.

    It ends with the newest message of the person. Messages that were not answered are joined with the next one.
    """
    kept: list[Said] = []
    characters = images = 0
    for message in reversed(messages):
        if message.role is Role.NOTICE or message.details.get("replaced"):
            continue
        if message.role is Role.ASSISTANT and (not kept or not message.content.strip()):
            continue  # an answer to the newest message, or one without text
        characters += len(message.content)
        if len(kept) >= MESSAGES or (kept and characters > CHARACTERS):
            break
        shown = tuple(message.images[: max(0, IMAGES - images)])
        images += len(shown)
        if kept and message.role is kept[-1].role:  # templates of many models require that both take turns
            content = f"{message.content}\n\n{kept[-1].content}".strip()
            kept[-1] = Said(message.role, content, (*shown, *kept[-1].images))
        else:
            kept.append(Said(message.role, message.content, shown))
    kept.reverse()
    while kept and kept[0].role is Role.ASSISTANT:
        del kept[0]
    return kept


async def chat_messages(history: Sequence[Said], images: HomeImages | None) -> list[dict[str, Any]]:
    """OpenAI's `messages`. Raises an ApiError for an image that cannot be read."""
    messages: list[dict[str, Any]] = []
    for said in history:
        urls = [] if images is None else [await images.data_url(image) for image in said.images]
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        text: list[dict[str, Any]] = [{"type": "text", "text": said.content}] if said.content else []
        messages.append({"role": said.role.value, "content": [*text, *parts] if parts else said.content})
    return messages
