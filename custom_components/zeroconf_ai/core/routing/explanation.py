"""`Explanation`: where a request would go, without sending it."""

from dataclasses import dataclass

from ..protocol.errors import ApiError
from .pricing.worst_case import WorstCase
from .selection.candidates import Candidates


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a request would go now."""

    candidates: Candidates
    costs: WorstCase
    """What each candidate may charge."""
    barred: frozenset[str] = frozenset()
    """Ids of the candidates that a budget excludes."""
    refusal: ApiError | None = None
    """Why they are excluded; None if none is."""
    refused: bool = False
    """Whether the request would be refused for this reason."""
