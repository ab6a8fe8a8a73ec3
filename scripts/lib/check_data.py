"""Parses all JSON, YAML and TOML files of the repository and reports invalid ones, for scripts/lint.

Unlike the parsers, it also reports a key that occurs twice in an object or mapping.
"""

from collections import Counter
from collections.abc import Callable, Iterable
import json
from pathlib import Path
import subprocess
import sys
import tomllib
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def refuse_doubled(keys: Iterable[str]) -> None:
    """Raise `ValueError` with the keys that occur more than once."""
    if doubled := [key for key, count in Counter(keys).items() if count > 1]:
        raise ValueError(f"more than once: {', '.join(doubled)}")


def read_json(text: str) -> None:
    """Raise `ValueError` unless this is JSON with unique keys."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        refuse_doubled(key for key, _ in pairs)
        return dict(pairs)

    json.loads(text, object_pairs_hook=unique)


def read_yaml(text: str) -> None:
    """Raise `ValueError` or `yaml.YAMLError` unless this is YAML with unique keys.

    Nodes are checked without building values, so Home Assistant's tags such as `!input` are accepted.
    """
    nodes = [node for node in yaml.compose_all(text, yaml.SafeLoader) if node is not None]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            refuse_doubled(str(key.value) for key, _ in node.value)
            nodes += [value for _, value in node.value]


READERS: dict[str, Callable[[str], object]] = {
    ".json": read_json,
    ".yaml": read_yaml,
    ".yml": read_yaml,
    ".toml": tomllib.loads,
}


def main() -> int:
    """Print a line per broken file; 1 if there is any."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    broken = 0
    for name in sorted(names):
        path = ROOT / name
        reader = READERS.get(path.suffix)
        if reader is None or not path.is_file():
            continue
        try:
            reader(path.read_text(encoding="utf-8"))
        except (ValueError, yaml.YAMLError) as error:
            broken += 1
            print(f"{name}: {error}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
