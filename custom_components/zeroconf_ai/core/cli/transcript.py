"""The questions and answers of a chat, and the files in which they are saved."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
import os
from pathlib import Path
import shlex
from typing import Any

import orjson

from ..protocol.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image for a question."""

    name: str
    url: str = field(repr=False)
    """A data URL."""


@dataclass(slots=True)
class Turn:
    """A question and its answer."""

    question: str
    attachments: tuple[Attachment, ...] = ()
    answer: str = ""
    reasoning: str = ""
    provider: str = ""
    model: str = ""

    def messages(self) -> list[dict[str, Any]]:
        """The turn as messages in OpenAI's format, with the answer once it exists."""
        content: Any = self.question
        if self.attachments:
            images = [{"type": "image_url", "image_url": {"url": image.url}} for image in self.attachments]
            content = [{"type": "text", "text": self.question}, *images]
        said: list[dict[str, Any]] = [{"role": "user", "content": content}]
        return [*said, {"role": "assistant", "content": self.answer}] if self.answer else said


def file_of(text: str) -> Path:
    """The path of a typed or dropped file. Terminals quote dropped paths or put backslashes before spaces."""
    file = Path(text.strip()).expanduser()
    if not file.exists():
        with suppress(ValueError):
            words = shlex.split(text, posix=True)
            if len(words) == 1:
                return Path(words[0]).expanduser()
    return file


def read_image(path: str) -> Attachment:
    """Read an image file and convert it to a format that models accept. Blocking.

    Raises InvalidRequestError for a file that cannot be read, RequestTooLargeError, UnsupportedMediaTypeError.
    """
    from ..accounting.conversations.image_files import MAX_BYTES, data_url, encode_anew  # noqa: PLC0415 - Pillow is slow to load

    file = file_of(path)
    try:
        if not file.is_file():
            raise InvalidRequestError(f"{file} is not a file.")
        with file.open("rb") as opened:
            encoded = encode_anew(opened.read(MAX_BYTES + 1))
    except OSError as err:
        raise InvalidRequestError(f"{file} cannot be read: {err.strerror}.") from None
    return Attachment(file.name, data_url(encoded.data, encoded.mime_type))


def save(path: str, turns: Sequence[Turn], system: str | None, written: set[Path]) -> Path:
    """Write a chat to a new file, as JSON for `.json` and as Markdown for `.md`, and return the file. Blocking.

    Only its owner can read it. `written`: files that this chat has written and may replace. Raises InvalidRequestError.
    """
    file = file_of(path)
    if file.suffix.lower() not in (".json", ".md", ".markdown"):
        raise InvalidRequestError(f"The name {file.name} must end with .md or .json.")
    file = file.absolute()
    data = _as_json(turns, system) if file.suffix.lower() == ".json" else _as_markdown(turns, system).encode()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if file in written else os.O_EXCL), 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
    except FileExistsError:
        raise InvalidRequestError(f"{file} exists already. Choose another name.") from None
    except OSError as err:
        raise InvalidRequestError(f"{file} cannot be written: {err.strerror}.") from None
    written.add(file)
    return file


def _as_json(turns: Sequence[Turn], system: str | None) -> bytes:
    messages = [{"role": "system", "content": system}] if system else []
    for turn in turns:
        messages += turn.messages()
        if turn.answer:
            messages[-1] |= {"provider": turn.provider, "model": turn.model}
    return orjson.dumps({"messages": messages}, option=orjson.OPT_INDENT_2) + b"\n"


def _as_markdown(turns: Sequence[Turn], system: str | None) -> str:
    parts = [f"## System\n\n{system}\n"] if system else []
    for turn in turns:
        images = "".join(f"\n\n*Image: {image.name}*" for image in turn.attachments)
        parts.append(f"## You\n\n{turn.question}{images}\n")
        if turn.answer:
            parts.append(f"## {turn.provider} ({turn.model})\n\n{turn.answer}\n")
    return "\n".join(parts)
