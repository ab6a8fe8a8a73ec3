"""What the Python clients share: the prompts, the tool and the output."""

import json
import os

BASE_URL = os.environ["HOME_URL"]
"""The gateway's address without a path."""
KEY = os.environ["HOME_KEY"]
MODEL = os.environ["HOME_MODEL"]
GREETING, READ, AGAIN = json.loads(os.environ["HOME_PROMPTS"])
_NUMBER = os.environ["HOME_NUMBER"]


def read_meter(room: str) -> str:
    """Read the meter of a room.

    Args:
        room: The name of the room.
    """
    return f"{room}: {_NUMBER}"


def show(answer: object) -> None:
    """Print an answer as one line of JSON."""
    print(json.dumps(str(answer)), flush=True)
