"""`Plan`: the candidates of a request, worked out once for its admission and its routing."""

import asyncio

from ...protocol.request import Request
from ..policy import Policy
from ..selection.candidates import Candidate, Candidates


class Plan:
    """Made before a request is admitted. It holds for the routing where nothing else ran on the event loop in between.

    A request that waited, for a permit or for the database, is planned anew: members have changed their state and load since.
    """

    def __init__(self, policy: Policy, found: Candidates, with_less: tuple[Candidate, ...]) -> None:
        """`with_less`: the candidates for which the request's conversation would have to be shortened."""
        self.possible = tuple(dict.fromkeys((*found.ordered, *found.later, *with_less)))
        """All that may come to answer, also those that cannot right now."""
        self._policy = policy
        self._found: Candidates | None = found
        # A task that waits is resumed by a later callback than this one.
        asyncio.get_running_loop().call_soon(self.expire)

    def expire(self) -> None:
        """It holds no more."""
        self._found = None

    def candidates(self, request: Request, policy: Policy) -> Candidates | None:
        """The candidates where they still are those of the request, after admission barred some backends; else None."""
        if policy is not self._policy or any(candidate.member.id in request.barred for candidate in self.possible):
            return None
        return self._found
