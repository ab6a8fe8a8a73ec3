"""`GET /v1/metrics`: numbers for Prometheus."""

from aiohttp import web

from ...protocol.errors import NotFoundError
from ..dispatch import RequestContext
from ..gateway import Gateway
from ..metrics import CONTENT_TYPE


async def metrics(gateway: Gateway, context: RequestContext) -> web.Response:
    """The text that Prometheus reads. Raises NotFoundError where none are kept."""
    if gateway.metrics is None:
        raise NotFoundError("Metrics are not offered here.")
    return web.Response(body=gateway.metrics.render(), headers={**context.headers, "Content-Type": CONTENT_TYPE})
