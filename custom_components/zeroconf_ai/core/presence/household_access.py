"""`HouseholdAccess`: uses providers of the household by the token that they advertise, instead of by an API key."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
import logging
import time

from ..backends.base import Endpoint
from ..backends.identity_probe import proves_key
from ..backends.zeroconfai import ZeroconfAIBackend
from ..lan.identity import MAX_RECORDS
from ..protocol.household import HouseholdKey, OpenedToken, SealError, StaleTokenError, WrongPassphraseError
from ..protocol.record import Auth, ServiceRecord

_LOGGER = logging.getLogger(__name__)
_MAX_REPORTED = 256


class HouseholdAccess:
    """Opens and proves the tokens of advertisements. Nothing is sent to a server that has not proved its token."""

    def __init__(self, keys: Iterable[HouseholdKey], clock: Callable[[], float] = time.time) -> None:
        """`keys`: those of all known households. `clock` returns seconds since the epoch."""
        self._keys = tuple(keys)
        self._clock = clock
        self._reported: dict[str, str] = {}

    def applies(self, record: ServiceRecord) -> bool:
        """Whether a provider needs a key and advertises a household token, ours or another one's."""
        return record.auth is Auth.TOKEN and record.sealed_token is not None and not record.id_derived

    def token(self, record: ServiceRecord) -> str:
        """The token in an advertisement. Raises SealError, whose message says why it cannot be used."""
        return self._open(record).token

    def _open(self, record: ServiceRecord) -> OpenedToken:
        problem: SealError = WrongPassphraseError()
        for key in self._keys:
            try:
                return key.open(record.sealed_token or "", record.id, self._clock())
            except StaleTokenError as err:  # the passphrase is right, so this says more than that others are wrong
                problem = err
            except SealError:
                continue
        raise problem

    def opens(self, record: ServiceRecord) -> bool:
        """Whether the token in an advertisement can be used now; why not is logged once."""
        if not self.applies(record):
            return False
        try:
            self.token(record)
        except SealError as err:
            if self._reported.get(record.id) != str(err) and len(self._reported) < _MAX_REPORTED:
                self._reported[record.id] = str(err)
                _LOGGER.warning("%s is not used: %s", record.name, err)
            return False
        self._reported.pop(record.id, None)
        return True

    def opening(self, records: Sequence[ServiceRecord]) -> ServiceRecord | None:
        """The first of the advertisements of one id whose token can be used now; None: no token can.

        The other advertisements may come from any device.
        """
        for record in records[:MAX_RECORDS]:
            with suppress(SealError):
                if self.applies(record) and self.token(record):
                    return record
        return None

    async def proven_token(self, record: ServiceRecord, endpoint: Endpoint) -> str | None:
        """The token in an advertisement, if the server at `endpoint` proves that it knows it; else None."""
        try:
            token = self.token(record)
        except SealError:
            return None
        return token if await proves_key(endpoint, record.name, record.id, token) else None

    async def renew(self, backend: ZeroconfAIBackend, record: ServiceRecord) -> bool:
        """Have a backend use the newest token, if it has another one and the server proves it; returns whether it does."""
        former = backend.key
        token = await self.proven_token(record, backend.endpoint)
        if token is None or token == former:
            return False
        backend.authorize(token)
        return True
