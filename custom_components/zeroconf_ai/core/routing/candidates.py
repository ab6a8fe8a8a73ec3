"""Who may answer a request, in which order, and why the others may not."""

from collections.abc import Iterable
from dataclasses import dataclass
import difflib
import time

from ..protocol.errors import ApiError, InvalidRequestError, NotFoundError, UnavailableError
from ..protocol.models import AUTO, ModelInfo, best_model
from ..protocol.record import Capability
from ..protocol.request import Kind, Request
from ..protocol.status import ProviderState
from .pool import Member, Pool

_MODEL_NEEDS = frozenset({Capability.VISION, Capability.EMBEDDINGS, Capability.AUDIO})
"""Needs that a provider's record may leave out although one of its models has them."""
_TOO_LONG = "the prompt of about"


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
    refused: list[str] = []
    not_now: list[str] = []
    model_known = model == AUTO
    for member in pool:
        if pinned is not None and member is not pinned:
            continue
        chosen, why = _choose_model(member, model, request)
        model_known = model_known or chosen is not None or any(found.id == model for found in member.models)
        if chosen is None:
            refused.append(f"{member.name}: {why}")
        elif not member.enabled and pinned is None:
            refused.append(f"{member.name}: switched off for routing")
        elif (reason := _not_now(member)) is None:
            ready.append(Candidate(member, chosen))
        else:
            last_resort.append(Candidate(member, chosen))
            not_now.append(f"{member.name}: {reason}")
    ordered = tuple(sorted(ready or last_resort, key=_rank))
    if not ordered:
        raise _nobody(pool, model, model_known=model_known, passed_over=refused)
    return Candidates(ordered, (*refused, *not_now) if ready else tuple(refused))


def settle(candidate: Candidate, request: Request) -> Candidate:
    """The candidate with its model chosen, now that its backend is awake. Raises UnavailableError where it has none for this."""
    if candidate.model != AUTO:
        return candidate
    chosen, why = _choose_model(candidate.member, AUTO, request)
    if chosen is None or chosen == AUTO:
        raise UnavailableError(f"{candidate.member.name} {why or 'does not say what it serves'}")
    return Candidate(candidate.member, chosen)


def _pin(pool: Pool, request: Request) -> tuple[Member | None, str]:
    """The only backend that may answer, if the caller named one, and the model's id there.

    `provider/model` is a pin only where no backend serves a model of that whole name.
    """
    if request.pin is not None:
        member = pool.get(request.pin)
        if member is None:
            raise UnavailableError(f"The provider {request.pin} is not set up any more. Choose another one.")
        return member, request.model
    if "/" in request.model and not any(model.id == request.model for member in pool for model in member.models):
        for member in pool:
            for name in (member.id, member.name):  # a name may hold a slash too
                if name and request.model.startswith(f"{name}/"):
                    return member, request.model[len(name) + 1 :] or AUTO
    return None, request.model


def _choose_model(member: Member, wanted: str, request: Request) -> tuple[str | None, str]:
    """(the model's id, "") or (None, why not)."""
    can = member.backend.info.capabilities
    missing = request.needs - can - _MODEL_NEEDS - {Capability.JSON} if can is not None else frozenset()
    if missing and request.pin != member.id:  # whom the caller names, the caller gets
        return None, f"cannot do {', '.join(sorted(missing))}"
    if wanted == AUTO:
        able = [model for model in member.models if _able(model, request)]
        best = best_model(able) if request.kind is not Kind.EMBEDDINGS else next(iter(able), None)
        if best is None and not member.models and not member.online and member.wake is not None:
            return AUTO, ""  # it sleeps and was never asked: `settle` chooses when it is awake
        if best is None:
            return None, "has no model that can do this" if member.models else "its models are not known yet"
        return best.id, ""
    found = next((model for model in member.models if model.id == wanted), None)
    if found is None:
        # What a provider lists is not always all it has; one that was never reached may have it.
        return (wanted, "") if not member.models or request.pin == member.id else (None, f"does not serve {wanted}")
    needs = request.needs & _MODEL_NEEDS if request.pin == member.id else request.needs - {Capability.JSON}
    if not found.supports(needs):
        return None, f"its model {wanted} cannot do {', '.join(sorted(needs - (found.capabilities or frozenset())))}"
    if found.context_window and request.estimated_prompt_tokens > found.context_window:
        return None, f"{_TOO_LONG} {request.estimated_prompt_tokens} tokens exceeds its {found.context_window}"
    return found.id, ""


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
    """Lower comes first: the owner's order, the healthy before the degraded, then least busy, then who waited longest."""
    member = candidate.member
    capacity = member.status.queue.max_concurrent if member.status and member.status.queue else 0
    busy = member.active / capacity if capacity else float(member.active)
    return member.priority, tuple(ProviderState).index(member.state), busy, member.last_used


def unknown_model(pool: Pool, model: str, details: tuple[str, ...] = ()) -> NotFoundError:
    """The error for a model that no backend serves; names those that are near."""
    known = sorted({found.id for member in pool for found in member.models})
    near = difflib.get_close_matches(model, known, n=3, cutoff=0.4) or known[:3]
    hint = f" Near: {', '.join(near)}." if near else ""
    return NotFoundError(f"The model {model} is not known here.{hint}", code="model_not_found", param="model", details=details)


def _nobody(pool: Pool, model: str, *, model_known: bool, passed_over: Iterable[str]) -> ApiError:
    details = tuple(passed_over)
    if not any(True for _ in pool):
        return UnavailableError("No provider is set up. Add one, or wait until one is found on the network.")
    if not model_known:
        return unknown_model(pool, model, details)
    if all(_TOO_LONG in why for why in details):
        message = f"The prompt is too long. {'; '.join(details)}. Shorten it, or choose a model with a larger context window."
        return InvalidRequestError(message, code="context_length_exceeded", param="messages", details=details)
    return UnavailableError(f"No provider can take this request. {'; '.join(details)}.", details=details)
