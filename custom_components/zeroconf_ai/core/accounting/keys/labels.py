"""Labels of API keys: free text such as a room, a device or an app, by which usage is grouped and filtered."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from ...protocol.errors import InvalidRequestError
from ...protocol.values import clean
from ..storage.tables import key_labels, key_months, key_rollups, keys

LABEL_LIMIT = 50
"""Characters of a label."""
LABELS_LIMIT = 10
"""Labels of a key."""


def checked_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels, sorted, without control characters, surrounding spaces, empty and repeated ones. Case is kept but not compared.

    Raises InvalidRequestError for more than `LABELS_LIMIT` labels, a longer one than `LABEL_LIMIT`, or a comma, which separates
    labels in forms.
    """
    found: dict[str, str] = {}
    for label in labels:
        text = clean(label, LABEL_LIMIT + 1)
        if len(text) > LABEL_LIMIT or "," in text:
            raise InvalidRequestError(f"A label must have at most {LABEL_LIMIT} characters and no comma.", param="labels")
        if text:
            found.setdefault(text.casefold(), text)
    if len(found) > LABELS_LIMIT:
        raise InvalidRequestError(f"An API key can have at most {LABELS_LIMIT} labels.", param="labels")
    return tuple(sorted(found.values()))


def read(connection: Connection) -> dict[str, tuple[str, ...]]:
    """The labels of each key by its id, sorted."""
    found: dict[str, tuple[str, ...]] = {}
    for key_id, label in connection.execute(select(key_labels).order_by(key_labels.c.key_id, key_labels.c.label)):
        found[key_id] = (*found.get(key_id, ()), label)
    return found


def write(connection: Connection, key_id: str, labels: Iterable[str]) -> None:
    """Replace the labels of a key."""
    forget(connection, key_id)
    if rows := [{"key_id": key_id, "label": label} for label in labels]:
        connection.execute(insert(key_labels), rows)


def forget(connection: Connection, key_id: str) -> None:
    """Delete the labels of a key. A revoked key keeps them, so that its usage stays under them."""
    connection.execute(delete(key_labels).where(key_labels.c.key_id == key_id))


def prune(connection: Connection) -> None:
    """Delete the labels of revoked keys whose usage is no longer kept."""
    kept = (select(keys.c.id), select(key_rollups.c.key_id), select(key_months.c.key_id))
    connection.execute(delete(key_labels).where(*(key_labels.c.key_id.not_in(known) for known in kept)))
