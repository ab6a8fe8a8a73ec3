"""Errors of requests without a candidate."""

from collections.abc import Sequence
import difflib
from itertools import islice

from ...protocol.errors import ApiError, InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError
from ..pool.pool import Pool
from .eligibility import Reason, Rejection

_COMPARED = 500
"""Maximum number of models that a misspelt name is compared with: comparing is slow."""


def no_backend_error(
    pool: Pool, asked: str, *, known: bool, patterns: Sequence[str], rejections: Sequence[Rejection], also: tuple[str, ...]
) -> ApiError:
    """The error for a request without a candidate.

    `known`: whether a backend serves the requested model; `also`: why parts of a chain were left out.
    """
    details = (*map(str, rejections), *also)
    if not any(True for _ in pool):
        return UnavailableError("No provider is set up. Add one, or wait until one is found on the network.")
    if not known:
        return unknown_model(pool, asked, details, patterns=patterns)
    reasons = {rejection.reason for rejection in rejections} - {Reason.NOT_SERVED}
    lasting = reasons - {Reason.AGENT}
    if Reason.NOT_ALLOWED in lasting and lasting <= {Reason.NOT_ALLOWED, Reason.CANNOT}:
        message = f"This key may not use the model {asked}. Ask for one that /v1/models lists for it."
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


def unknown_model(pool: Pool, model: str, details: tuple[str, ...] = (), *, patterns: Sequence[str] = ()) -> NotFoundError:
    """The error for a model that no backend serves; suggests similar ones that the caller may use."""
    known = sorted(
        {
            found.id
            for member in pool
            for found in member.models
            if not found.virtual and (not patterns or member.served.may_use(patterns, found.id))
        }
    )
    wanted = model.casefold()
    alike = [name for name in known if wanted in name.casefold() or name.casefold()[:3] == wanted[:3]]
    near = difflib.get_close_matches(model, islice(alike or known, _COMPARED), n=3, cutoff=0.4) or (alike or known)[:3]
    hint = f" Near: {', '.join(near)}." if near else ""
    return NotFoundError(f"The model {model} is not known here.{hint}", code="model_not_found", param="model", details=details)
