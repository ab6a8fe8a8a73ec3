"""What a home does with the images of its conversations."""

from pathlib import Path
from typing import Any, Protocol

from ...accounting.conversations.conversation import Image, Owner


class ChatImages(Protocol):
    """The stored images of a home."""

    def shown(self, owner: Owner, image: Image) -> dict[str, Any]:
        """What the page needs to show an image to its owner: name, size, and an address for a short time."""

    async def data_url(self, image: Image) -> str:
        """The image as a data URL, for a model. Raises an ApiError if it cannot be read."""

    def file(self, image: Image) -> Path:
        """The file of an image."""
