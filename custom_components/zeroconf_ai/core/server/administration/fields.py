"""Reads the fields of a command's JSON body. Each function raises InvalidRequestError for a wrong value."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
import math
import re
from typing import Any

from ...protocol.errors import InvalidRequestError
from ...protocol.json import JSONDecodeError, loads
from ...protocol.values import clean

TEXT_LIMIT = 512
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

type Body = Mapping[str, Any]


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body."""
    try:
        found = loads(raw)
    except JSONDecodeError as err:
        raise InvalidRequestError(f"The body is not valid JSON: {err.msg}.", code="invalid_body") from err
    if not isinstance(found, dict):
        raise InvalidRequestError("The body must be a JSON object.", code="invalid_body")
    return found


def text(body: Body, name: str, limit: int = TEXT_LIMIT) -> str:
    """A required text of 1 to `limit` characters, without control characters and spaces around it."""
    found = optional_text(body, name)
    named = "" if found is None else clean(found, limit + 1).strip()
    if not 1 <= len(named) <= limit:
        raise InvalidRequestError(f"'{name}' must be a text of 1 to {limit} characters.", param=name)
    return named


def long_text(body: Body, name: str, limit: int) -> str:
    """A required text of at most `limit` characters, as it was sent."""
    found = body.get(name)
    if isinstance(found, str) and len(found) <= limit:
        return found
    raise InvalidRequestError(f"'{name}' must be a text of at most {limit} characters.", param=name)


def optional_text(body: Body, name: str) -> str | None:
    """A text of at most `TEXT_LIMIT` characters; None if it is missing."""
    found = body.get(name)
    if found is None or (isinstance(found, str) and len(found) <= TEXT_LIMIT):
        return found
    raise InvalidRequestError(f"'{name}' must be a text of at most {TEXT_LIMIT} characters.", param=name)


def texts(body: Body, name: str, most: int) -> list[str]:
    """A list of at most `most` texts; empty if it is missing."""
    found = body.get(name, [])
    if isinstance(found, list) and len(found) <= most and all(isinstance(one, str) and len(one) <= TEXT_LIMIT for one in found):
        return found
    raise InvalidRequestError(f"'{name}' must be a list of at most {most} texts.", param=name)


def percentages(body: Body, name: str, most: int) -> list[int]:
    """A list of at most `most` whole numbers from 1 to 100."""
    found = body.get(name)
    if isinstance(found, list) and len(found) <= most and all(type(one) is int and 1 <= one <= 100 for one in found):
        return found
    raise InvalidRequestError(f"'{name}' must be a list of at most {most} whole numbers from 1 to 100.", param=name)


def flag(body: Body, name: str) -> bool:
    """A required boolean."""
    found = body.get(name)
    if isinstance(found, bool):
        return found
    raise InvalidRequestError(f"'{name}' must be true or false.", param=name)


def number(body: Body, name: str, least: float, most: float) -> float:
    """A required number from `least` to `most`."""
    found = optional_number(body, name)
    if found is None or not least <= found <= most:
        raise InvalidRequestError(f"'{name}' must be a number from {least:g} to {most:g}.", param=name)
    return found


def optional_number(body: Body, name: str) -> float | None:
    """A finite number; None if it is missing."""
    found = body.get(name)
    if found is None or (isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)):
        return found
    raise InvalidRequestError(f"'{name}' must be a number.", param=name)


def day(body: Body, name: str) -> date | None:
    """A date as YYYY-MM-DD; None if it is missing."""
    found = optional_text(body, name)
    try:
        if found is not None and not _DATE.fullmatch(found):
            raise ValueError(found)
        return None if found is None else date.fromisoformat(found)
    except ValueError:
        raise InvalidRequestError(f"'{name}' must be a date, such as 2030-12-31.", param=name) from None


def choice[E: StrEnum](body: Body, name: str, kind: type[E]) -> E:
    """One of the values of an enumeration. Required."""
    try:
        return kind(body.get(name, ""))
    except ValueError:
        raise InvalidRequestError(f"'{name}' must be one of: {', '.join(kind)}.", param=name) from None
