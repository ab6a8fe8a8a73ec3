"""The log of `serve` on stderr: lines of this program, of its libraries and of each request, as text or as JSON.

Everything is logged with `logging`. structlog's processors make one dictionary of each record, and this module the line. What
clients and providers say is in it only without control characters and without what looks like a key.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
import json
import logging
import re
import time
from typing import Any, override

from ..config.server_fields import LogFormat
from ..protocol.errors import redact
from ..protocol.values import printable
from ..server.request_log import CURRENT
from .errors import FAILED, report_of
from .hidden_modules import hidden
from .line_writer import LineWriter
from .notices import LOGGER as NOTICES

# structlog loads rich, and rich pygments, for tracebacks in colour: 3 MB that `serve` does not need.
with hidden("rich.console"):
    from structlog.processors import format_exc_info
    from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name

type Event = MutableMapping[str, Any]

ACCESS = "access"
"""The `logger` of the line of a request."""
_IN_TEXT = frozenset({"event", "timestamp", "level", "logger", "exception", "method", "path", "status"})
"""Fields that the text of a line has in front or in its event."""
_PLAIN = re.compile(r"[!#-<>-~]+")
"""A value that needs no quotes: ASCII without spaces, quotes and equals signs."""
_encode = json.JSONEncoder(default=str).encode


@contextmanager
def logging_to(writer: LineWriter, form: LogFormat, level: int) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Log to `writer`, which is started and closed, inside the block. Yields the function that writes the line of a request.

    Lines of less than `level` are not written. In JSON, what the command says to people on stderr (`notices`) is part of the log,
    and so is the error that ends the block, after which SystemExit is raised.
    """
    render = _as_text if form is LogFormat.TEXT else _as_json
    formatter = ProcessorFormatter(
        foreign_pre_chain=[add_logger_name, add_log_level, _stamp, _add_ids, format_exc_info, _clean],
        processors=[ProcessorFormatter.remove_processors_meta, render],
    )
    handler = _Handler(writer)
    handler.setFormatter(formatter)
    root, zeroconf = logging.getLogger(), logging.getLogger("zeroconf")
    former, levels = root.handlers[:], (root.level, zeroconf.level)

    def write_request(entry: Mapping[str, Any]) -> None:
        writer.write(render(None, "info", {"logger": ACCESS, "level": "info", **entry, "timestamp": _now()}))

    writer.start()
    root.handlers[:] = [handler]
    root.setLevel(level)
    if level > logging.DEBUG:
        # It warns, with a traceback, of every interface that takes no multicast; the others do.
        zeroconf.setLevel(logging.ERROR)
    logging.captureWarnings(True)
    if form is LogFormat.JSON:
        NOTICES.addHandler(handler)
    try:
        yield write_request
    except Exception as err:
        if form is LogFormat.TEXT:
            raise
        report = report_of(err)
        if report is None:
            NOTICES.critical("The server failed", exc_info=True)
            raise SystemExit(FAILED) from None
        NOTICES.error("%s", f"{report.message} {report.hint}".strip())
        raise SystemExit(report.exit_code) from None
    finally:
        NOTICES.removeHandler(handler)
        logging.captureWarnings(False)
        root.handlers[:] = former
        root.setLevel(levels[0])
        zeroconf.setLevel(levels[1])
        writer.close()


class _Handler(logging.Handler):
    """Passes lines to a writer."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler: a line that cannot be made ends no request
            self.handleError(record)


def _stamp(_logger: Any, _method: str, event: Event) -> Event:
    """Add the time."""
    event["timestamp"] = _now()
    return event


def _now() -> str:
    """The time in UTC with microseconds, as ISO 8601 writes it."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_date_and_time(seconds)}.{microseconds:06}Z"


@lru_cache(maxsize=1)
def _date_and_time(seconds: int) -> str:
    """The part of a timestamp that all lines of a second have in common."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _add_ids(_logger: Any, _method: str, event: Event) -> Event:
    """Add the ids of the request that the task answers."""
    if (current := CURRENT.get()) is not None:
        event.update(current.ids())
    return event


def _clean(_logger: Any, _method: str, event: Event) -> Event:
    """Remove control characters and what looks like a key. Only a traceback has several lines."""
    event["event"] = redact(str(event["event"]))
    if (trace := event.get("exception")) is not None:
        event["exception"] = "\n".join(map(redact, str(trace).split("\n")))
    event.pop("stack_info", None)
    return event


def _as_json(_logger: Any, _method: str, event: Event) -> str:
    """One object of ASCII characters in one line."""
    return _encode(event)


def _as_text(_logger: Any, _method: str, event: Event) -> str:
    """`TIME LEVEL LOGGER: EVENT key=value …`, and a traceback indented below, so that no line in it looks like one of the log."""
    more = "".join([f" {name}={_value(value)}" for name, value in event.items() if name not in _IN_TEXT])
    line = f"{event['timestamp']} {event['level'].upper()} {event['logger']}: {event['event']}{more}"
    if (trace := event.get("exception")) is not None:
        line += "".join(f"\n  {part}" for part in trace.split("\n"))
    return line


def _value(value: Any) -> str:
    if type(value) is int or type(value) is float:
        return repr(value)
    return _quoted(str(value))


@lru_cache(maxsize=512)
def _quoted(text: str) -> str:
    """A text, in quotes if it needs them. Most texts are in many lines: addresses, names of keys and models."""
    return text if _PLAIN.fullmatch(text) else json.dumps(printable(text), ensure_ascii=False)
