"""The responses of the last minutes, which requests of OpenAI's Responses API may continue or refer to.

Clients rely on it by default: the AI SDK sends references (`item_reference`) to the items of earlier answers, and others send
`previous_response_id`. They are kept in memory only, and each caller finds only its own.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import time
from typing import Any

import orjson

from ..dialects.turns import invalid, unsupported
from ..routing.caller import Caller

MAX_RESPONSES = 1000
MAX_BYTES = 32 * 1024 * 1024
"""Maximum size of all kept conversations as JSON."""
KEPT_SECONDS = 1800.0
"""Seconds after which a response is forgotten."""

type Owner = tuple[str | None, str | None, str | None]
type Items = list[Any]


def owner_of(caller: Caller) -> Owner:
    """Who may refer to a caller's responses: its API key and user, or without both, its address."""
    known = caller.key_id is not None or caller.user_id is not None
    return caller.key_id, caller.user_id, None if known else caller.address


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request's input with all references resolved."""

    items: Items
    size: int
    """Bytes of its JSON."""


@dataclass(frozen=True, slots=True)
class _Kept:
    owner: Owner
    conversation: Conversation
    by_id: Mapping[str, Mapping[str, Any]]
    """The items of the conversation that have an id."""
    until: float


class RecentResponses:
    """The most recent responses with their conversations, bounded in number, size and age."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds from any start."""
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._newest: dict[tuple[Owner, str], str] = {}
        """The newest response whose conversation contains an item, by owner and id of the item."""
        self._size = 0

    def __len__(self) -> int:
        """The number of responses."""
        return len(self._kept)

    def resolve(self, owner: Owner, request: Mapping[str, Any], size: int) -> Conversation:
        """The whole conversation of a request with `size` bytes.

        Raises InvalidRequestError for an invalid input, and for a response or an item that is unknown or another owner's.
        """
        self._trim()
        before = Conversation([], 0)
        if (previous := request.get("previous_response_id")) is not None:
            kept = self._kept.get(previous) if isinstance(previous, str) else None
            if kept is None or kept.owner != owner:
                raise unsupported("previous_response_id", f"names a response that is not known here: {_SEND_ALL}")
            before = kept.conversation
        given = request.get("input")
        if isinstance(given, str):
            given = [{"role": "user", "content": given}]
        if given is None and previous is not None:
            return before
        if not isinstance(given, list):
            raise invalid("input", "a text, or a list with at least one message")
        items = [self._resolved(owner, item, f"input[{index}]") for index, item in enumerate(given)]
        return Conversation(before.items + items, before.size + size)

    def put(self, owner: Owner, asked: Conversation, response_id: str, output: Items) -> None:
        """Keep a response, unless it is so large that it would displace most others."""
        size = asked.size + len(orjson.dumps(output))
        if size > MAX_BYTES // 4:
            return
        items = asked.items + output
        named = (item for item in items if isinstance(item, Mapping) and isinstance(item.get("id"), str))
        by_id = {item["id"]: item for item in named}
        self._kept[response_id] = _Kept(owner, Conversation(items, size), by_id, self._clock() + KEPT_SECONDS)
        self._newest |= {(owner, item_id): response_id for item_id in by_id}
        self._size += size
        self._trim()

    def _resolved(self, owner: Owner, item: Any, where: str) -> Any:
        if not isinstance(item, Mapping):
            return item
        is_bare = item.get("type") is None and item.keys() <= {"id", "type"}
        if item.get("type") != "item_reference" and not is_bare:
            return item
        item_id = item.get("id")
        found = self._kept.get(self._newest.get((owner, item_id), "")) if isinstance(item_id, str) else None
        if found is None or not isinstance(item_id, str):
            raise unsupported(f"{where}.id", f"refers to an item that is not known here: {_SEND_ALL}")
        return found.by_id[item_id]

    def _trim(self) -> None:
        now = self._clock()
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if len(self._kept) <= MAX_RESPONSES and self._size <= MAX_BYTES and oldest.until > now:
                return
            response_id, _ = self._kept.popitem(last=False)
            self._size -= oldest.conversation.size
            for item_id in oldest.by_id:
                if self._newest.get((oldest.owner, item_id)) == response_id:
                    del self._newest[oldest.owner, item_id]


_SEND_ALL = "responses are kept for some minutes only; send the whole conversation in 'input', with 'store': false"
