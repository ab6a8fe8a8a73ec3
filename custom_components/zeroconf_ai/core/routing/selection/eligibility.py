"""Whether a backend may and can answer a request, with which model, and if not, why."""

from enum import Enum, auto
import time
from typing import NamedTuple, override

from ...backends.base import ImageEdits
from ...protocol.model_names import has_name
from ...protocol.models import AUDIO, AUTO
from ...protocol.record import Capability, Placement
from ...protocol.request import Kind, Request
from ...protocol.status import ProviderState
from ..pool.member import Member

_MODEL_NEEDS = frozenset({Capability.VISION, Capability.EMBEDDINGS, Capability.AUDIO, Capability.IMAGE_GENERATION, *AUDIO})
"""Capabilities that a provider may omit in its record although one of its models has them."""
_JSON = frozenset({Capability.JSON})
"""Never a reason for a rejection: a model without this capability gets an instruction instead."""


class Reason(Enum):
    """Why a backend is not a candidate."""

    NOT_SERVED = auto()
    CANNOT = auto()
    """It lacks a capability."""
    TOO_LONG = auto()
    NOT_KNOWN = auto()
    """Its models are not known yet."""
    NOT_ALLOWED = auto()
    """The caller may not use it."""
    AGENT = auto()
    """An agent of the home does not answer another one."""
    OFF = auto()
    OUTSIDE = auto()
    """A backend at home comes first, and cloud fallback is disabled."""
    HOME_ONLY = auto()
    """A rule keeps the request at home, and requests to this backend leave the home."""
    NOT_NOW = auto()


class Rejection(NamedTuple):
    """Why a backend is not a candidate."""

    reason: Reason
    backend: str
    """The backend's display name."""
    words: str

    @override
    def __str__(self) -> str:
        """The reason with the backend's name, for error messages."""
        return f"{self.backend}: {self.words}"


def choose_model(member: Member, requested: str, request: Request, *, cheapest: bool = False) -> str | Rejection:
    """The id of the model that would answer there, or the rejection.

    `requested` is an id, or `auto`: then the backend's best, or its `cheapest`. Returns `auto` for a sleeping backend whose
    models are unknown.
    """
    info, pinned = member.backend.info, request.pin == member.id
    if info.agent and (rejected := _not_by_agents(info.name, request)) is not None:
        return rejected
    if (refused := _edits_refused(member, request)) is not None:
        return Rejection(Reason.CANNOT, info.name, refused)
    if info.capabilities is not None and not pinned:  # a pinned backend is used as requested
        missing = request.needs - info.capabilities - _MODEL_NEEDS - _JSON
        if missing:
            return Rejection(Reason.CANNOT, info.name, f"cannot do {_listed(missing)}")
    if request.hosted is not None and request.hosted.required and request.hosted.dialect not in member.backend.hosted_dialects:
        return Rejection(Reason.CANNOT, info.name, f"cannot run {', '.join(request.hosted.names)}")
    if requested == AUTO:
        return _choose_any(member, request, cheapest=cheapest)
    found = member.served.find(requested)
    if found is None:
        # A backend whose list was never read may serve the model, and the list of a pinned one may be incomplete.
        if member.lists_models and not pinned:
            return Rejection(Reason.NOT_SERVED, info.name, f"does not serve {requested}")
        return requested if _allowed(member, requested, request) else _not_allowed(member, requested)
    if not _allowed(member, found.id, request):
        return _not_allowed(member, found.id)
    needs = request.needs & _MODEL_NEEDS if pinned else request.needs - _JSON
    if not found.supports(needs):
        missing = needs - (found.capabilities or frozenset())
        return Rejection(Reason.CANNOT, info.name, f"its model {found.id} cannot do {_listed(missing)}")
    if request.kind is Kind.IMAGE_EDITS and not (found.edits_images or pinned):
        return Rejection(Reason.CANNOT, info.name, f"its model {found.id} does not edit images")
    if found.context_window and request.estimated_prompt_tokens > found.context_window:
        return _too_long(member, request, found.context_window)
    return found.id


def not_now(member: Member) -> str | None:
    """Why it is only a last resort, or None. A backend that can be woken is a normal candidate."""
    if member.state is ProviderState.UNAUTHORIZED:
        return "it rejects its API key"
    if not member.online and member.wake is None:
        return "offline"
    if member.resting():
        return f"it asked for a pause of {_seconds(member.resting_until)} s"
    if not member.breaker.ready:
        if member.breaker.retry_at > time.monotonic():
            return f"failed repeatedly; next attempt in {_seconds(member.breaker.retry_at)} s"
        return "failed repeatedly; another request is testing it"
    return None


def could_at_home(member: Member, requested: str) -> bool:
    """Whether a candidate is at home and known to serve the model."""
    info = member.backend.info
    if info.placement is not Placement.LOCAL or member.leaves_home is True or info.agent or not member.enabled:
        return False
    return bool(member.models) or requested == AUTO or requested in info.advertised_models


def _choose_any(member: Member, request: Request, *, cheapest: bool) -> str | Rejection:
    needs = request.needs - _JSON
    patterns = () if _by_name(request) else request.models
    able = member.served.ranked(needs, patterns, cheapest=cheapest)
    if request.kind is Kind.IMAGE_EDITS:
        able = tuple(model for model in able if model.edits_images)
    windows = 0
    for model in able:
        window = model.context_window
        if not window or request.kind is Kind.EMBEDDINGS or request.estimated_prompt_tokens <= window:
            return model.id
        windows = max(windows, window)
    if windows:
        return _too_long(member, request, windows)
    if not member.models:
        # Its models are unknown while it sleeps: `resolve_model` selects one when it is awake.
        if not member.online and member.wake is not None:
            return AUTO
        if not member.lists_models:
            return Rejection(Reason.NOT_KNOWN, member.name, "its models are not known yet")
        return Rejection(Reason.CANNOT, member.name, "lists no models")
    if patterns and member.served.ranked(needs):
        return Rejection(Reason.NOT_ALLOWED, member.name, "has no model for this that this key may use")
    return Rejection(Reason.CANNOT, member.name, "has no model that can do this")


def _not_by_agents(name: str, request: Request) -> Rejection | None:
    """Why a conversation agent of the home does not answer; None if it does."""
    if request.kind is Kind.EMBEDDINGS:
        return Rejection(Reason.CANNOT, name, "conversation agents do not support embeddings")
    if request.kind.makes_images:
        return Rejection(Reason.CANNOT, name, "conversation agents do not make images")
    if request.kind.is_audio:
        return Rejection(Reason.CANNOT, name, f"conversation agents do not support {request.kind.words}")
    if request.inside:
        return Rejection(Reason.AGENT, name, "conversation agents do not answer requests of other agents")
    return None


def _edits_refused(member: Member, request: Request) -> str | None:
    """Why a backend does not edit images, or not with a mask; None if it does, and for other requests."""
    if request.kind is not Kind.IMAGE_EDITS:
        return None
    match member.backend.image_edits:
        case ImageEdits.NO:
            return "does not edit images"
        case ImageEdits.WITHOUT_MASK if any(image.is_mask for image in request.images):
            return "does not edit images with a mask"
    return None


def _by_name(request: Request) -> bool:
    """Whether the caller may use the requested name itself, whatever it stands for.

    A pattern that matches the name of a chain does not allow it: `openrouter/*` must not allow `openrouter/auto`.
    """
    return not request.models or has_name(request.models, request.model)


def _allowed(member: Member, model: str, request: Request) -> bool:
    return _by_name(request) or member.served.may_use(request.models, model)


def _not_allowed(member: Member, model: str) -> Rejection:
    return Rejection(Reason.NOT_ALLOWED, member.name, f"this key may not use its model {model}")


def _too_long(member: Member, request: Request, window: int) -> Rejection:
    words = f"the prompt of about {request.estimated_prompt_tokens} tokens exceeds its {window}"
    return Rejection(Reason.TOO_LONG, member.name, words)


def _listed(missing: frozenset[Capability]) -> str:
    return ", ".join(sorted(missing))


def _seconds(until: float) -> int:
    return max(1, round(until - time.monotonic()))
