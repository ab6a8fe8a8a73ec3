"""Client certificates of `serve`."""

from contextlib import AsyncExitStack

from ..accounting.store import AccountingStore
from ..protocol.record import Auth
from ..server.access.peer_certificate import CertifiedConnections
from ..server.gateway import Gateway
from .errors import CommandError
from .notices import notice


async def open_client_certificates(
    stack: AsyncExitStack, gateway: Gateway, store: AccountingStore | None
) -> CertifiedConnections | None:
    """Let clients enrol until `stack` closes; returns what the server's port tells of its connections.

    Returns None if the server has no TLS or no database of keys. Raises CommandError.
    """
    if gateway.tls is None or store is None:
        return None
    from ..server.enrolment.client_certificates import ClientCertificates  # noqa: PLC0415 - imports `cryptography`
    from ..server.tls.identity_files import TlsError  # noqa: PLC0415

    needed = gateway.access.mode is Auth.MTLS
    made = ClientCertificates(gateway.id, store, gateway.tls, gateway.codes, needed=needed)
    try:
        await made.start()
    except TlsError as err:
        raise CommandError(str(err), "Check the file and its permissions.", kind="file_error") from None
    stack.callback(made.close)
    gateway.enrolment = made.enrolment
    if needed and not any(key.certificate for key in store.keys):
        notice("No client has a certificate yet. Make a one-time code: zeroconf-ai clients code")
    return made.connections
