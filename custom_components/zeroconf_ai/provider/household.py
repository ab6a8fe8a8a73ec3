"""`ProviderHousehold`: gives a provider of the household the token that it advertises, which changes every hour."""

import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from .. import issues
from ..const import CONF_HOUSEHOLD, CONF_PROVIDER_ID
from ..core.lan.providers import Provider
from ..core.presence.provider_backend import ProviderBackend
from ..core.protocol.household import SealError, StaleTokenError
from ..data import DATA
from ..household import UnprovenTokenError, async_household_access, async_token

_LOGGER = logging.getLogger(__name__)


class ProviderHousehold:
    """The household token of one provider. It is never stored, and no server gets it that has not proved it."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, backend: ProviderBackend) -> None:
        """`backend` gets the tokens, also after a request that was refused with the former one."""
        self._hass = hass
        self._entry = entry
        self._backend = backend
        self._problem: SealError | None = None
        backend.renew_key_by(self.renew)

    @property
    def used(self) -> bool:
        """Whether the entry uses the household token instead of an API key."""
        return CONF_HOUSEHOLD in self._entry.data

    @property
    def needs_code(self) -> bool:
        """Whether a refusal is to be asked about: the provider is advertised, with no token that could be used."""
        return self._problem is not None and not isinstance(self._problem, StaleTokenError)

    async def advertised_token(self, provider: Provider) -> str | None:
        """The token in an advertisement of the provider, which is not yet proven; None if there is no valid one."""
        if not self.used:
            return None
        access = await async_household_access(self._hass)
        for record in provider.records:
            try:
                return access.token(record)
            except SealError:
                continue
        return None

    async def renew(self) -> bool:
        """Use the newest token that is advertised, if the server proves it; returns whether it is another one than before."""
        if not self.used:
            return False
        provider = self._hass.data[DATA].discovery.get(self._entry.data.get(CONF_PROVIDER_ID) or "")
        if provider is None:
            self._problem = None  # after a start it has not been heard yet
            return False
        access = await async_household_access(self._hass)
        endpoint = self._backend.endpoint
        try:
            token = await async_token(access, provider.records, endpoint)
        except SealError as err:
            self._report(err)
            return False
        self._report(None)
        if token == self._backend.key or self._backend.endpoint.base_url != endpoint.base_url:
            return False
        self._backend.authorize(token)
        return True

    def _report(self, problem: SealError | None) -> None:
        """Log a new problem, and create or delete the issue for a token that is too old."""
        # A server that does not answer proves nothing either: that is no news about the token.
        if problem is not None and not isinstance(problem, UnprovenTokenError) and str(problem) != str(self._problem):
            _LOGGER.warning("The household token of %s is not used: %s", self._entry.title, problem)
        self._problem = problem
        if isinstance(problem, StaleTokenError):
            issues.household_token_old(self._hass, self._entry, problem.hours)
        else:
            issues.household_token_fine(self._hass, self._entry)
