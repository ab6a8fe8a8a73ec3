"""The responses of the last minutes, which requests of OpenAI's Responses API may continue or refer to, or read.

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
from ..protocol import json
from ..routing.caller import Caller

MAX_RESPONSES = 1000
MAX_BYTES = 32 * 1024 * 1024
"""Maximum size of all kept conversations, which are kept as JSON: parsed, small values need a multiple of their text."""
MAX_ITEMS = 50_000
"""Maximum number of items with ids in all kept conversations; each needs about 500 bytes to be found."""
KEPT_SECONDS = 1800.0
"""Seconds after which a response is forgotten."""
_SEND_ALL = "responses are kept for some minutes only; send the whole conversation in 'input', with 'store': false"

type Owner = tuple[str | None, str | None, str | None]
type Items = list[Any]


def owner_of(caller: Caller) -> Owner:
    """Who may refer to a caller's responses: its API key and user, or without both, its address."""
    known = caller.key_id is not None or caller.user_id is not None
    return caller.key_id, caller.user_id, None if known else caller.address


@dataclass(frozen=True, slots=True)
class _Kept:
    owner: Owner
    conversation: bytes
    """The items of the request and of the response, as JSON."""
    asked: int
    """How many of them are the request's."""
    response: bytes
    """The response as the client got it, as JSON."""
    places: Mapping[str, int]
    """The indexes of the items that have an id."""
    until: float

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.conversation) + len(self.response)


class RecentResponses:
    """The most recent responses with their conversations, bounded in number, size and age."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds from any start."""
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._newest: dict[tuple[Owner, str], str] = {}
        """The newest response whose conversation contains an item, by owner and id of the item."""
        self._bytes = 0
        self._items = 0

    def __len__(self) -> int:
        """The number of responses."""
        return len(self._kept)

    def resolve(self, owner: Owner, request: Mapping[str, Any]) -> Items:
        """The whole conversation of a request: its input after that of the previous response, with the items that it refers to.

        Raises InvalidRequestError for an invalid input, and for a response or an item that is unknown or another owner's.
        """
        self._trim()
        before: Items = []
        if (previous := request.get("previous_response_id")) is not None:
            kept = self._find(owner, previous) if isinstance(previous, str) else None
            if kept is None:
                raise unsupported("previous_response_id", f"names a response that is not known here: {_SEND_ALL}")
            before = json.loads(kept.conversation)
        given = request.get("input")
        if isinstance(given, str):
            given = [{"role": "user", "content": given}]
        if given is None and previous is not None:
            return before
        if not isinstance(given, list):
            raise invalid("input", "a text, or a list with at least one message")
        parsed: dict[str, Items] = {}
        return before + [self._resolved(owner, item, f"input[{index}]", parsed) for index, item in enumerate(given)]

    def missing(self, owner: Owner, request: Mapping[str, Any]) -> tuple[str | None, list[str]]:
        """The previous response and the items that a request refers to and that are not kept here."""
        self._trim()
        previous = request.get("previous_response_id")
        given = request.get("input")
        referred = (_referred(item) for item in (given if isinstance(given, list) else ()))
        unknown = [item_id for item_id in referred if item_id is not None and (owner, item_id) not in self._newest]
        return (previous if isinstance(previous, str) and self._find(owner, previous) is None else None), unknown

    def response(self, owner: Owner, response_id: str) -> bytes | None:
        """A response as JSON; None if it is not kept, or another owner's."""
        self._trim()
        kept = self._find(owner, response_id)
        return None if kept is None else kept.response

    def asked(self, owner: Owner, response_id: str) -> Items | None:
        """The items that a response answers; None if it is not kept, or another owner's."""
        self._trim()
        kept = self._find(owner, response_id)
        return None if kept is None else json.loads(kept.conversation)[: kept.asked]

    def drop(self, owner: Owner, response_id: str) -> bool:
        """Forget a response; returns whether it was kept."""
        self._trim()
        if self._find(owner, response_id) is None:
            return False
        self._remove(response_id)
        return True

    def put(self, owner: Owner, asked: Items, response: Mapping[str, Any], output: Items) -> None:
        """Keep a response and the conversation that it answers, unless it is so large that it would displace most others."""
        response_id = response["id"]
        items = asked + output
        named = (
            (item_id, place)
            for place, item in enumerate(items)
            if isinstance(item, Mapping) and isinstance(item_id := item.get("id"), str)
        )
        kept = _Kept(owner, orjson.dumps(items), len(asked), orjson.dumps(response), dict(named), self._clock() + KEPT_SECONDS)
        if kept.size > MAX_BYTES // 4 or len(kept.places) > MAX_ITEMS // 4:
            return
        if response_id in self._kept:
            self._remove(response_id)
        self._kept[response_id] = kept
        self._newest |= {(owner, item_id): response_id for item_id in kept.places}
        self._bytes += kept.size
        self._items += len(kept.places)
        self._trim()

    def _resolved(self, owner: Owner, item: Any, where: str, parsed: dict[str, Items]) -> Any:
        """The item, or the one that it refers to. `parsed`: the conversations that were parsed, by the response's id."""
        if not isinstance(item, Mapping):
            return item
        if not _is_reference(item):
            return item
        item_id = item.get("id")
        response_id = self._newest.get((owner, item_id)) if isinstance(item_id, str) else None
        if response_id is None or not isinstance(item_id, str):
            raise unsupported(f"{where}.id", f"refers to an item that is not known here: {_SEND_ALL}")
        kept = self._kept[response_id]
        if response_id not in parsed:
            parsed[response_id] = json.loads(kept.conversation)
        return parsed[response_id][kept.places[item_id]]

    def _trim(self) -> None:
        now = self._clock()
        while self._kept:
            oldest = next(iter(self._kept.values()))
            within = len(self._kept) <= MAX_RESPONSES and self._bytes <= MAX_BYTES and self._items <= MAX_ITEMS
            if within and oldest.until > now:
                return
            self._remove(next(iter(self._kept)))

    def _find(self, owner: Owner, response_id: str) -> _Kept | None:
        kept = self._kept.get(response_id)
        return kept if kept is not None and kept.owner == owner else None

    def _remove(self, response_id: str) -> None:
        kept = self._kept.pop(response_id)
        self._bytes -= kept.size
        self._items -= len(kept.places)
        for item_id in kept.places:
            if self._newest.get((kept.owner, item_id)) == response_id:
                del self._newest[kept.owner, item_id]


def _is_reference(item: Mapping[str, Any]) -> bool:
    """Whether an item refers to another one by its id, with or without the type of references."""
    return item.get("type") == "item_reference" or (item.get("type") is None and item.keys() <= {"id", "type"})


def _referred(item: Any) -> str | None:
    """The id of the item to which a reference refers; None for other items."""
    if not isinstance(item, Mapping) or not _is_reference(item):
        return None
    item_id = item.get("id")
    return item_id if isinstance(item_id, str) else None
