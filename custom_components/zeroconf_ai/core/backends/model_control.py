"""`ModelControl`: installs, removes, loads and unloads the models of a server, as far as its API can."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from ..protocol.errors import InvalidRequestError
from ..protocol.values import clean

_LONGEST_NAME = 256


class ModelAction(StrEnum):
    """An action on a model."""

    LOAD = "load"
    UNLOAD = "unload"
    KEEP_ALIVE = "keep_alive"
    """Load it for a chosen time."""
    PULL = "pull"
    """Download and install it."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class HeldModel:
    """An installed model. Sizes in bytes; None: the server does not report it."""

    name: str
    size: int | None = None
    """On the disk."""
    loaded: bool = False
    memory: int | None = None
    """Bytes of graphics memory; None if it is not loaded."""
    until: str | None = None
    """When it is unloaded unless a request uses it before (ISO 8601)."""


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a download is, in bytes; None: not known yet."""

    status: str
    completed: int | None = None
    total: int | None = None


class ModelControl(ABC):
    """Controls the models of one server. Every method raises an ApiError if the server refuses."""

    can: ClassVar[frozenset[ModelAction]]

    @abstractmethod
    async def models(self) -> tuple[HeldModel, ...]:
        """The installed models, and whether they are loaded."""

    @abstractmethod
    async def load(self, model: str, keep_alive: str | float | None = None) -> None:
        """Load a model; returns when it is loaded. `keep_alive`: for how long, for servers with `KEEP_ALIVE`."""

    @abstractmethod
    async def unload(self, model: str) -> None:
        """Unload a model."""

    def pull(self, model: str) -> AsyncIterator[PullProgress]:
        """Download and install a model; leaving the iteration ends the download."""
        raise _not_offered(ModelAction.PULL, model)

    async def delete(self, model: str) -> None:
        """Delete an installed model from the server's disk."""
        raise _not_offered(ModelAction.DELETE, model)


def checked_model(name: str) -> str:
    """A valid model name. Raises InvalidRequestError if the value is no text or is too long."""
    text = name.strip()
    if not text or len(text) > _LONGEST_NAME or clean(text, _LONGEST_NAME) != text:
        raise InvalidRequestError("The name of a model is a text of at most 256 characters.", param="model")
    return text


def _not_offered(action: ModelAction, model: str) -> InvalidRequestError:
    return InvalidRequestError(f"The API of this server cannot {action.value} {model}.", code="not_offered")
