"""Readers of a server's load, one for each kind of server."""

from collections.abc import Awaitable, Callable, Iterable
import math
import re

from ...protocol.errors import ApiError
from ...protocol.status import Queue
from ...protocol.values import mapping, parse_count
from ..dialect_backend import DialectUpstream

type LoadReader = Callable[[DialectUpstream], Awaitable[Queue | None]]
"""Takes the server's root. None: no usable values. Raises an ApiError if the server does not answer."""

_NOT_OFFERED = frozenset({401, 403, 404, 405, 501})
"""HTTP statuses of a server whose load is disabled (llama.cpp: 501 without `--metrics`), or not allowed for this key."""


def is_not_offered(err: ApiError) -> bool:
    """Whether an error means that the server does not report its load, and not that it is unhealthy."""
    return err.upstream_status in _NOT_OFFERED


async def vllm_load(root: DialectUpstream) -> Queue | None:
    """`/metrics`: running and waiting requests of all models and engines."""
    return _from_metrics(await root.get_text("/metrics"), "vllm:num_requests_running", "vllm:num_requests_waiting")


async def llamacpp_load(root: DialectUpstream) -> Queue | None:
    """`/slots`, which also reports their number; `/metrics` if that is disabled."""
    try:
        slots = await root.get_json("/slots")
    except ApiError as err:
        if not is_not_offered(err):
            raise
        text = await root.get_text("/metrics")
        return _from_metrics(text, "llamacpp:requests_processing", "llamacpp:requests_deferred")
    if not isinstance(slots, list) or not slots:
        return None
    busy = sum(1 for slot in slots if mapping(slot).get("is_processing") is True)
    return Queue(active=busy, max_concurrent=len(slots))


async def litellm_load(root: DialectUpstream) -> Queue | None:
    """`/health/backlog`: running requests except this one."""
    answer = mapping(await root.get_json("/health/backlog"))
    if "in_flight_requests" not in answer:
        return None
    return Queue(active=max(0, parse_count(answer["in_flight_requests"]) - 1))


def _from_metrics(text: str, running: str, waiting: str) -> Queue | None:
    active, depth = _sum(text.splitlines(), running), _sum(text.splitlines(), waiting)
    return None if active is None else Queue(depth=depth or 0, active=active)


def _sum(lines: Iterable[str], name: str) -> int | None:
    """The sum of a gauge's samples in Prometheus' text format; None without samples."""
    pattern = re.compile(rf"{re.escape(name)}(?:\{{.*\}})?\s+(\S+)")
    values = []
    for line in lines:
        if (found := pattern.match(line)) is not None:
            try:
                values.append(float(found[1]))
            except ValueError:
                continue
    return round(math.fsum(value for value in values if 0 <= value < 1e9)) if values else None
