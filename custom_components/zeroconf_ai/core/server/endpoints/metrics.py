"""`GET /v1/metrics`: metrics for Prometheus."""

from aiohttp import web

from ...protocol.errors import NotFoundError
from ..dispatch import RequestContext
from ..gateway import Gateway
from ..metrics import CONTENT_TYPE


async def metrics(gateway: Gateway, context: RequestContext) -> web.Response:
    """All metrics in Prometheus' text format. Raises NotFoundError if metrics are disabled."""
    if gateway.metrics is None:
        raise NotFoundError("Metrics are disabled on this server.")
    return web.Response(body=gateway.metrics.render(), headers={**context.headers, "Content-Type": CONTENT_TYPE})
