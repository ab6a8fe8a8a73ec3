"""The folders and files of images: `{folder}/{conversation}/{message}/{filename}`. Everything here blocks.

Each conversation's folder names its database in the file `.database`, so that a gateway with another database leaves it alone.
"""

from collections.abc import Iterable
from contextlib import suppress
import os
from pathlib import Path
import shutil

_MARK = ".database"
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


def write(folder: Path, database_id: str, path: str, data: bytes) -> None:
    """Write a new file, readable by this system's user only. Raises OSError, also if it exists."""
    file = folder / path
    conversation = file.parent.parent
    for made in (folder.parent, folder, conversation, file.parent):
        made.mkdir(mode=_FOLDER_MODE, parents=made is folder.parent, exist_ok=True)
    mark = conversation / _MARK
    if not mark.exists():
        mark.write_text(database_id)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
    except OSError:
        file.unlink(missing_ok=True)
        raise


def listed(folder: Path, database_id: str) -> list[tuple[str, list[str]]]:
    """The conversations of a database that have a folder, each with the paths of its files below `folder`."""
    found = []
    with suppress(OSError):
        for conversation in sorted(folder.iterdir()):
            with suppress(OSError, ValueError):
                if (conversation / _MARK).read_text() == database_id:
                    files = (file for file in conversation.glob("*/*") if not file.is_dir())
                    found.append((conversation.name, [file.relative_to(folder).as_posix() for file in files]))
    return found


def remove(conversation: Path) -> None:
    """Remove the folder of a conversation with all that is in it."""
    if not conversation.is_symlink():
        shutil.rmtree(conversation, ignore_errors=True)


def remove_files(folder: Path, conversation_id: str, paths: Iterable[str]) -> None:
    """Remove files of a conversation, and its folders that are then empty."""
    for path in paths:
        file = folder / path
        with suppress(OSError):
            file.unlink()
        with suppress(OSError):  # it contains other files
            file.parent.rmdir()
    conversation = folder / conversation_id
    with suppress(OSError):
        if [file.name for file in conversation.iterdir()] == [_MARK]:
            remove(conversation)
