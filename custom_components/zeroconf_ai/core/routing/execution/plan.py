"""`Plan`: the candidates of a request, computed once for its admission and its routing."""

import asyncio

from ...protocol.request import Request
from ..policy import Policy
from ..selection.candidates import Candidate, Candidates


class Plan:
    """Made before a request is admitted. Valid for its routing if nothing else ran on the event loop in between.

    A request that waited, for a permit or for the database, is planned again: the state and load of members may have changed.
    """

    def __init__(self, policy: Policy, found: Candidates, with_less: tuple[Candidate, ...]) -> None:
        """`with_less`: the candidates for which the request's conversation would have to be shortened."""
        self.possible = tuple(dict.fromkeys((*found.ordered, *found.later, *with_less)))
        """All candidates that may answer, including those that cannot at the moment."""
        self._policy = policy
        self._found: Candidates | None = found
        # A task that waits is resumed after this callback.
        asyncio.get_running_loop().call_soon(self.expire)

    def expire(self) -> None:
        """Make the plan invalid."""
        self._found = None

    def candidates(self, request: Request, policy: Policy) -> Candidates | None:
        """The candidates, if they are still valid after admission excluded backends; else None."""
        if policy is not self._policy or any(candidate.member.id in request.barred for candidate in self.possible):
            return None
        return self._found
