"""Errors of requests without a candidate."""

from collections.abc import Iterable, Sequence
import difflib
from itertools import islice

from ...protocol.errors import ApiError, InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError
from ...protocol.home_rule import HomeRule
from ...protocol.models import AUTO, ModelInfo
from ...protocol.record import Capability
from ...protocol.request import Request
from ..pool.pool import Pool
from .eligibility import Reason, Rejection

HOME_ONLY = "home_only"
"""The code of the error for a request that stays at home, where no backend can answer it."""
_SUGGESTED = 3
"""Maximum number of models that an error suggests."""
_COMPARED = 500
"""Maximum number of models that a misspelt name is compared with: comparing is slow."""


def no_backend_error(
    pool: Pool,
    request: Request,
    *,
    known: bool,
    rejections: Sequence[Rejection],
    also: tuple[str, ...],
    home_rule: HomeRule | None,
) -> ApiError:
    """The error for a request without a candidate.

    `known`: whether a backend serves the requested model; `also`: why parts of a chain were left out; `home_rule`: why the
    request stays at home, or None.
    """
    details = (*map(str, rejections), *also)
    if not any(True for _ in pool):
        return UnavailableError("No provider is set up. Add one, or wait until one is found on the network.")
    if home_rule is not None and any(rejection.reason is Reason.HOME_ONLY for rejection in rejections):
        others = {rejection.reason for rejection in rejections} - {Reason.HOME_ONLY, Reason.NOT_SERVED}
        cause = f"can take this request: {'; '.join(details)}" if others else f"serves {_model_text(request)}"
        message = f"{home_rule.sentence}, and no provider at home {cause}."
        return UnavailableError(message, code=HOME_ONLY, details=details)
    if not known:
        return unknown_model(pool, request.model, details, patterns=request.models, needs=request.needs)
    reasons = {rejection.reason for rejection in rejections} - {Reason.NOT_SERVED}
    lasting = reasons - {Reason.AGENT}
    if Reason.NOT_ALLOWED in lasting and lasting <= {Reason.NOT_ALLOWED, Reason.CANNOT}:
        message = f"This key may not use the model {request.model}. Ask for one that /v1/models lists for it."
        return PermissionDeniedError(message, code="model_not_allowed", param="model", details=details)
    listed = "; ".join(str(rejection) for rejection in rejections if rejection.reason is not Reason.NOT_SERVED)
    if lasting and lasting <= {Reason.TOO_LONG, Reason.CANNOT, Reason.NOT_ALLOWED}:
        if Reason.TOO_LONG in reasons:
            message = f"The prompt is too long. {listed}. Shorten it, or choose a model with a larger context window."
            return InvalidRequestError(message, code="context_length_exceeded", param="messages", details=details)
        message = (
            f"No provider here can do what this request asks. {listed}. Choose another model, or leave out what it cannot do."
        )
        return InvalidRequestError(message, code="unsupported_capability", details=details)
    return UnavailableError(f"No provider can take this request. {'; '.join(details)}.", details=details)


def _model_text(request: Request) -> str:
    return "a model for this request" if request.model == AUTO else f"the model {request.model}"


def unknown_model(
    pool: Pool,
    model: str,
    details: tuple[str, ...] = (),
    *,
    patterns: Sequence[str] = (),
    needs: frozenset[Capability] = frozenset(),
) -> NotFoundError:
    """The error for a model that no backend serves. It suggests models that the caller may use, with their capabilities.

    Those are the ones with similar names, else some that can do `needs`.
    """
    known = _usable(pool, patterns)
    names = sorted(known)
    wanted = model.casefold()
    alike = [name for name in names if wanted in name.casefold() or name.casefold()[:3] == wanted[:3]]
    near = difflib.get_close_matches(model, islice(alike or names, _COMPARED), n=_SUGGESTED, cutoff=0.4) or alike[:_SUGGESTED]
    able = (name for name in names if _can(known[name], needs))
    suggested = near or list(islice(able, _SUGGESTED)) or names[:_SUGGESTED]
    hint = f" Near: {_described(known[name] for name in suggested)}." if suggested else ""
    return NotFoundError(f"The model {model} is not known here.{hint}", code="model_not_found", param="model", details=details)


def equivalents(pool: Pool, request: Request, failed: Iterable[str]) -> str:
    """A sentence with the models of other backends that can do what a request asks, with their capabilities; "" without any.

    `failed`: the ids of the backends that failed. Only models that the caller may use, of backends that are online.
    """
    others = _usable(pool, request.models, without=frozenset(failed))
    able = [model for model in others.values() if _can(model, request.needs)][:_SUGGESTED]
    return f"Models of other providers for this: {_described(able)}." if able else ""


def _usable(pool: Pool, patterns: Sequence[str], without: frozenset[str] | None = None) -> dict[str, ModelInfo]:
    """The models that a caller may use, by id; `without`: only of enabled backends online, except these."""
    return {
        model.id: model
        for member in pool
        if without is None or (member.enabled and member.online and member.id not in without)
        for model in member.models
        if not model.virtual and (not patterns or member.served.may_use(patterns, model.id))
    }


def _can(model: ModelInfo, needs: frozenset[Capability]) -> bool:
    """Whether a model is of the needed kind, and has the capabilities or may have them."""
    if Capability.IMAGE_GENERATION in needs:
        return model.makes_images
    if Capability.TRANSCRIPTION in needs:
        return model.transcribes
    if Capability.SPEECH in needs:
        return model.speaks
    return model.for_chat is (Capability.EMBEDDINGS not in needs) and model.supports(needs - {Capability.JSON})


def _described(models: Iterable[ModelInfo]) -> str:
    """The models with their capabilities, if they are known."""
    return ", ".join(
        f"{model.id} ({', '.join(sorted(model.capabilities))})" if model.capabilities else model.id for model in models
    )
