"""Who may answer a request, in which order, and why the others may not."""

from collections.abc import Iterable
from dataclasses import dataclass
import difflib
import time

from ..protocol.errors import ApiError, NotFoundError, UnavailableError
from ..protocol.models import AUTO, ModelInfo, best_model
from ..protocol.record import Capability
from ..protocol.request import Kind, Request
from ..protocol.status import ProviderState
from .pool import Member, Pool

_MODEL_NEEDS = frozenset({Capability.VISION, Capability.EMBEDDINGS, Capability.AUDIO})
"""Needs that a provider's record may leave out although one of its models has them."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backend and the id of the model that would answer there."""

    member: Member
    model: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """In the order to be tried, and for each backend that is not among them the reason, in words."""

    ordered: tuple[Candidate, ...]
    passed_over: tuple[str, ...]


def candidates(pool: Pool, request: Request) -> Candidates:
    """Rules 1 to 5 and 9 of PROTOCOL 3. Raises NotFoundError or UnavailableError where nobody is left."""
    pinned, model = _pin(pool, request)
    ready: list[Candidate] = []
    last_resort: list[Candidate] = []
    passed_over: list[str] = []
    model_known = False
    for member in pool:
        if pinned is not None and member is not pinned:
            continue
        chosen, why = _choose_model(member, model, request)
        model_known = model_known or chosen is not None or why != _no_model(model)
        if chosen is None:
            passed_over.append(f"{member.name}: {why}")
            continue
        candidate = Candidate(member, chosen)
        if not member.enabled and pinned is None:
            passed_over.append(f"{member.name}: switched off for routing")
        elif (reason := _not_now(member)) is None:
            ready.append(candidate)
        else:
            last_resort.append(candidate)
            passed_over.append(f"{member.name}: {reason}")
    ordered = tuple(sorted(ready or last_resort, key=_rank))
    if not ordered:
        raise _nobody(pool, model, model_known=model_known, passed_over=passed_over)
    return Candidates(ordered, tuple(passed_over) if ready else ())


def _pin(pool: Pool, request: Request) -> tuple[Member | None, str]:
    """The only backend that may answer, if the caller named one, and the model's id there.

    `provider/model` is a pin only where no backend serves a model of that whole name.
    """
    if request.pin is not None:
        member = pool.get(request.pin)
        if member is None:
            raise UnavailableError(f"The provider {request.pin} is not set up any more. Choose another one.")
        return member, request.model
    head, slash, rest = request.model.partition("/")
    if slash and not any(model.id == request.model for member in pool for model in member.models):
        for member in pool:
            if head in (member.id, member.name):
                return member, rest
    return None, request.model


def _choose_model(member: Member, wanted: str, request: Request) -> tuple[str | None, str]:
    """(the model's id, "") or (None, why not)."""
    missing = request.needs - member.backend.info.capabilities - _MODEL_NEEDS - {Capability.JSON}
    if missing:
        return None, f"cannot do {', '.join(sorted(missing))}"
    if wanted == AUTO:
        able = [model for model in member.models if _able(model, request)]
        best = best_model(able) if request.kind is not Kind.EMBEDDINGS else next(iter(able), None)
        if best is None:
            return None, "has no model that can do this" if member.models else "its models are not known yet"
        return best.id, ""
    found = next((model for model in member.models if model.id == wanted), None)
    if found is None:
        # What a provider lists is not always all it has; one that was never reached may have it.
        return (wanted, "") if not member.models or request.pin == member.id else (None, _no_model(wanted))
    if not found.supports(request.needs & _MODEL_NEEDS):
        return None, f"its model {wanted} cannot do {', '.join(sorted(request.needs - (found.capabilities or frozenset())))}"
    if found.context_window and request.estimated_prompt_tokens > found.context_window:
        return None, f"the prompt of about {request.estimated_prompt_tokens} tokens exceeds its {found.context_window}"
    return found.id, ""


def _no_model(wanted: str) -> str:
    return f"does not serve {wanted}"


def _able(model: ModelInfo, request: Request) -> bool:
    if request.kind is Kind.EMBEDDINGS:
        return not model.for_chat if model.capabilities is None else Capability.EMBEDDINGS in model.capabilities
    fits = not model.context_window or request.estimated_prompt_tokens <= model.context_window
    return model.for_chat and fits and model.supports(request.needs - {Capability.JSON})


def _not_now(member: Member) -> str | None:
    """Why it is only a last resort, or None. One that can be woken is asked in its turn."""
    if member.state is ProviderState.UNAUTHORIZED:
        return "its key is refused"
    if not member.online and member.wake is None:
        return "offline" + (f" ({member.last_error})" if member.last_error else "")
    if member.resting():
        return f"asked to be left alone for {max(1, round(member.resting_until - time.time()))} s"
    return None


def _rank(candidate: Candidate) -> tuple[int, int, float, int]:
    """Lower comes first: the owner's order, asleep after awake, then least busy, then who waited longest."""
    member = candidate.member
    capacity = member.status.queue.max_concurrent if member.status and member.status.queue else 0
    busy = member.active / capacity if capacity else float(member.active)
    return member.priority, 0 if member.online else 1, busy, member.last_used


def _nobody(pool: Pool, model: str, *, model_known: bool, passed_over: Iterable[str]) -> ApiError:
    details = tuple(passed_over)
    if not any(True for _ in pool):
        return UnavailableError("No provider is set up. Add one, or wait until one is found on the network.")
    if model != AUTO and not model_known:
        known = sorted({found.id for member in pool for found in member.models})
        near = difflib.get_close_matches(model, known, n=3, cutoff=0.4) or known[:3]
        hint = f" Near: {', '.join(near)}." if near else ""
        message = f"The model {model} is not known here.{hint}"
        return NotFoundError(message, code="model_not_found", param="model", details=details)
    return UnavailableError(f"No provider can take this request. {'; '.join(details)}.", details=details)
