"""`ClientCertificates`: the CA that signs the clients of a TLS port, their enrolment, and their open connections."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ...accounting.one_time_codes import OneTimeCodes
from ...protocol.errors import ApiError
from ...protocol.key_proof import decode
from ..access.peer_certificate import CertifiedConnections
from .enrolment import Enrolment

if TYPE_CHECKING:
    from ...accounting.store import AccountingStore
    from ..tls.server_tls import ServerTls

_FINGERPRINT_BYTES: Final = 32


class ClientCertificates:
    """From `start` to `close`, clients can enrol, and connections end with their certificates. Belongs to the event loop."""

    def __init__(
        self, provider_id: str, store: "AccountingStore", tls: "ServerTls", codes: OneTimeCodes | None = None, *, needed: bool
    ) -> None:
        """`tls` is the certificate of the port. `codes`: those of the process; None: its own. `needed`: `auth` is `mtls`."""
        from ..tls.client_authority import ClientAuthority  # noqa: PLC0415 - only servers with TLS need `cryptography`

        self.connections = CertifiedConnections()
        self._needed = needed
        self._keys = store.keys
        self._authority = ClientAuthority(tls.folder, f"ZeroConf AI {provider_id[:8]}", tls.context)
        self.enrolment = Enrolment(store, self._authority, lambda: decode(tls.fingerprint, _FINGERPRINT_BYTES), codes)
        self._stop: Callable[[], None] | None = None

    async def start(self) -> None:
        """Read or make the CA, and begin. Raises TlsError."""
        await asyncio.to_thread(self._authority.load)
        self._stop = self._keys.listen(self._keys_changed)
        self._keys_changed()

    def need(self, *, needed: bool) -> None:
        """Whether `auth` is `mtls` from now on."""
        self._needed = needed
        self._keys_changed()

    def close(self) -> None:
        """End. Open connections stay open."""
        if self._stop is not None:
            self._stop()
            self._stop = None
            self.enrolment.close()

    def _keys_changed(self) -> None:
        self._authority.ask(wanted=self._needed or any(key.certificate for key in self._keys))
        self.connections.close_invalid(self._is_valid)

    def _is_valid(self, digest: bytes) -> bool:
        with suppress(ApiError):
            self._keys.check_certificate(digest)
            return True
        return False
