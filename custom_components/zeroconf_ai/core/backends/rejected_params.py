"""`RejectedParams`: the parameters that a server's models have refused."""

_MAX_MODELS = 1000


class RejectedParams:
    """What each model has refused, which later requests do not have. Of more than 1,000 models the oldest is forgotten."""

    def __init__(self) -> None:
        """Belongs to one server."""
        self._known: dict[str, frozenset[str]] = {}

    def of(self, model: str) -> frozenset[str]:
        """What a model has refused."""
        return self._known.get(model, frozenset())

    def add(self, model: str, params: frozenset[str]) -> None:
        """Remember what a model has refused now."""
        self._known[model] = self.of(model) | params
        if len(self._known) > _MAX_MODELS:
            del self._known[next(iter(self._known))]
