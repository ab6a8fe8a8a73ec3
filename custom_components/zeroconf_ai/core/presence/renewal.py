"""Renews the client certificate for a provider, and follows the provider's own one when it was renewed."""

import asyncio
import logging

import aiohttp
from cryptography.hazmat.primitives.asymmetric import ec

from ..backends.base import Endpoint
from ..backends.enrolments import Enrolment, EnrolmentStore, moved
from ..backends.http import HttpUpstream
from ..backends.identity_probe import IdentityProbe
from ..lan.identity import Reply, Target
from ..protocol.errors import ApiError, AuthenticationError, UpstreamConnectionError, UpstreamTimeoutError
from ..protocol.hand_over import fingerprint_of
from .enrolment import presented_certificate
from .enrolment_wire import EnrolmentError, PinChangedError, post
from .signing import issued, make_csr

_LOGGER = logging.getLogger(__name__)


async def renew(session: aiohttp.ClientSession, store: EnrolmentStore, enrolment: Enrolment) -> Enrolment:
    """Renew the certificate over the present one, which is kept until the provider has accepted the new one.

    Returns the enrolment as it is stored then. Raises ClientCertificateError if the provider does not accept the present
    certificate any more, ApiError if it does not answer, OSError if the files cannot be written.
    """
    known = enrolment.provider_id
    key = ec.generate_private_key(ec.SECP256R1())
    upstream = HttpUpstream(session, await _endpoint(store, enrolment), name=enrolment.name)
    answer = await post(upstream, {"csr": await asyncio.to_thread(make_csr, key)}, upstream.headers(secret=False))
    found = await asyncio.to_thread(issued, answer, key, enrolment.name)
    if found.authority.strip() != enrolment.authority.strip():
        raise EnrolmentError(f"{enrolment.name} has another authority for clients than before: enrol with it again")
    await asyncio.to_thread(store.stage, known, found.certificate)
    upstream = HttpUpstream(session, await _endpoint(store, enrolment, staged=True), name=enrolment.name)
    try:
        await upstream.get("/models", secret=False)
    except (AuthenticationError, UpstreamConnectionError, UpstreamTimeoutError):
        raise
    except ApiError as err:  # its limits refuse the request, so the certificate is known
        _LOGGER.debug("The renewed certificate is accepted: %s", err)
    await asyncio.to_thread(store.commit, known)
    return await asyncio.to_thread(store.get, known) or enrolment


async def follow_hand_over(session: aiohttp.ClientSession, store: EnrolmentStore, enrolment: Enrolment) -> Enrolment:
    """The enrolment with the certificate that the provider presents now, if the pinned one's key signed it.

    Returns it unchanged if the pinned one is presented. Raises PinChangedError for any other one, and ApiError if the provider
    does not answer.
    """
    presented = fingerprint_of(await presented_certificate(enrolment.base_url))
    if presented == enrolment.pin:
        return enrolment
    probe = IdentityProbe(session, enrolment.name, enrolment.provider_id)
    if await probe(Target(enrolment.base_url, presented, handed_over_by=enrolment.pin)) is not Reply.HANDED_OVER:
        raise PinChangedError(
            f"{enrolment.name} presents a different certificate from the pinned one, which did not sign it. Nothing was sent to"
            " it. If its owner has made the certificate anew, enrol with it again"
        )
    followed = moved(enrolment, pin=presented)
    await asyncio.to_thread(store.update, followed)
    return followed


async def _endpoint(store: EnrolmentStore, enrolment: Enrolment, *, staged: bool = False) -> Endpoint:
    context = await asyncio.to_thread(store.context, enrolment, staged=staged)
    return Endpoint(enrolment.base_url, ssl=context)
