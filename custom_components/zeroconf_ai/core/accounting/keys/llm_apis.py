"""The LLM APIs of Home Assistant whose tools an API key may use."""

from collections.abc import Iterable

from ...protocol.errors import InvalidRequestError
from ...protocol.values import clean

APIS_LIMIT = 50
"""LLM APIs of a key."""
_ID_LIMIT = 255
"""Characters of an id."""


def checked_llm_apis(ids: Iterable[str]) -> tuple[str, ...]:
    """The ids, sorted, without repeated ones. Raises InvalidRequestError for an invalid id, and for more than `APIS_LIMIT`."""
    found = sorted(set(ids))
    if any(not api_id or clean(api_id, _ID_LIMIT) != api_id for api_id in found):
        message = f"The id of an LLM API has 1 to {_ID_LIMIT} characters, without control characters."
        raise InvalidRequestError(message, param="llm_apis")
    if len(found) > APIS_LIMIT:
        raise InvalidRequestError(f"An API key can use at most {APIS_LIMIT} LLM APIs.", param="llm_apis")
    return tuple(found)


def check_owner(llm_apis: tuple[str, ...], user_id: str | None) -> None:
    """Raise InvalidRequestError for a key without a user that may use LLM APIs: their tools run with a user's rights."""
    if llm_apis and user_id is None:
        message = "Only an API key of a user can use LLM APIs, because their tools run with the rights of the user."
        raise InvalidRequestError(message, param="llm_apis")
