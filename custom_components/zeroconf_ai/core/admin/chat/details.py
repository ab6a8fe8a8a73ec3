"""Who gave an answer and what it cost, from the records of its requests."""

from collections.abc import Sequence
from typing import override

from ...accounting.usage.generation import Generation, Recorder
from ..live import money_of
from ..requests import speed_of
from .messages import Details


class RequestWatch(Recorder):
    """Keeps the records of the requests that belong to running answers."""

    def __init__(self) -> None:
        """Watches nothing."""
        self._watched: dict[str, list[Generation]] = {}

    def watch(self, request_id: str, records: list[Generation]) -> None:
        """Add the record of this request to `records` when it ends."""
        self._watched[request_id] = records

    def forget(self, records: list[Generation]) -> None:
        """Watch nothing more for `records`."""
        self._watched = {name: kept for name, kept in self._watched.items() if kept is not records}

    @override
    def record(self, generation: Generation) -> None:
        records = self._watched.pop(generation.id, None)
        if records is not None:
            records.append(generation)


def details_of(records: Sequence[Generation]) -> Details:
    """What the records of an answer's requests say, in the order of the requests. Empty without records."""
    if not records:
        return {}
    last = records[-1]
    costs: dict[str, int] = {}
    for record in records:
        if record.cost is not None:
            costs[record.currency] = costs.get(record.currency, 0) + record.cost
    answered = [record for record in records if record.backend_id is not None]
    known = bool(answered) and all(record.cost is not None for record in answered)
    first_token = records[0].first_token
    found: Details = {
        "tokens_prompt": sum(record.usage.prompt_tokens for record in records),
        "tokens_completion": sum(record.usage.completion_tokens for record in records),
        "estimated": any(record.estimated for record in records),
        "tokens_per_second": speed_of(last.usage.completion_tokens, last.first_token, last.duration) if last.stream else None,
        "first_token_ms": None if first_token is None else round(first_token * 1000, 1),
        "duration_ms": round(sum(record.duration for record in records) * 1000, 1),
        "cost": money_of(costs) if known else None,
        "attempts": [
            {"backend": failed.backend_name, "model": failed.model, "reason": failed.reason or (failed.code or "")}
            for record in records
            for failed in record.failed_attempts
        ],
        "generation_ids": [record.id for record in records],
    }
    if last.backend_id is not None:
        found |= {"backend_id": last.backend_id, "backend": last.backend_name or "", "model": last.model or ""}
    return found
