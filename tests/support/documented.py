"""The code blocks of a page of the documentation, for tests that use them as they stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
import re

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "192.0.2.10"
"""The address of a server in all examples."""
_FENCE = re.compile(r"```(\w*)")
_FILE = re.compile(r"`(~/[^`]+)`")


@dataclass
class Section:
    """What is below one heading, without what is below the next one."""

    commands: list[str] = field(default_factory=list)
    """The blocks for a shell, in their order."""
    files: dict[str, str] = field(default_factory=dict)
    """The content of files by their path below the home folder: blocks after a line that begins with such a path."""
    blocks: list[tuple[str, str]] = field(default_factory=list)
    """All blocks with their languages."""

    def written(self, home: Path, replaced: Mapping[str, str]) -> None:
        """Write the files into a home folder, with each key of `replaced` replaced by its value."""
        for path, content in self.files.items():
            file = home / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(with_replaced(content, replaced), encoding="utf-8")


def with_replaced(text: str, replaced: Mapping[str, str]) -> str:
    """`text` with each key of `replaced` replaced by its value."""
    for example, real in replaced.items():
        text = text.replace(example, real)
    return text


def sections(page: str) -> dict[str, Section]:
    """The sections of a page below `docs`, by heading; what is above the second heading has the title of the page."""
    found: dict[str, Section] = {}
    current, path, language, block = Section(), "", None, list[str]()
    for line in (DOCS / page).read_text("utf-8").splitlines():
        if language is not None:
            if line.strip() != "```":
                block.append(line)
                continue
            text = "\n".join(block) + "\n"
            current.blocks.append((language, text))
            if path:
                current.files[path] = text
            elif language == "bash":
                current.commands.append(text)
            path, language = "", None
        elif fence := _FENCE.match(line):
            language, block = fence[1], []
        elif line.startswith("#"):
            current = found.setdefault(line.lstrip("# "), Section())
        elif line:
            named = _FILE.match(line)
            path = named[1].removeprefix("~/") if named else ""
    return found
