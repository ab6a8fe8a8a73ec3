"""`GET /ca.pem`: the certificate of the server's own authority, for programs that know no pin. It is public and needs no key."""

from aiohttp import hdrs, web

from .fallback_routes import not_found
from .gateway import Gateway

AUTHORITY_PATH = "/ca.pem"
_FILE = "zeroconf-ai-ca.pem"


async def authority_certificate(gateway: Gateway, request: web.Request) -> web.StreamResponse:
    """The certificate as a file to download; 404 if the server speaks plain HTTP, or has a certificate of another authority."""
    if gateway.tls is None or gateway.tls.authority_pem is None:
        return not_found(gateway, request)
    headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{_FILE}"', "X-Content-Type-Options": "nosniff"}
    return web.Response(body=gateway.tls.authority_pem, content_type="application/x-pem-file", headers=headers)
