"""The page's commands for the models of servers."""

from typing import Any

from ...admin.server_models import ServerModels
from .context import Context
from .fields import optional_text, text

_LONGEST = 256


def _which(context: Context) -> tuple[ServerModels, str, str]:
    return context.server_models, text(context.body, "backend_id", _LONGEST), text(context.body, "model", _LONGEST)


async def list_servers(context: Context) -> Any:
    """The servers whose models can be controlled, with their models and downloads."""
    return {"servers": await context.server_models.list()}


async def load(context: Context) -> Any:
    """Load a model."""
    models, server, model = _which(context)
    await models.load(server, model, optional_text(context.body, "keep_alive"), actor=context.actor)


async def unload(context: Context) -> Any:
    """Unload a model."""
    models, server, model = _which(context)
    await models.unload(server, model, actor=context.actor)


async def delete(context: Context) -> Any:
    """Delete a model from the server's disk."""
    models, server, model = _which(context)
    await models.delete(server, model, actor=context.actor)


async def pull(context: Context) -> Any:
    """Start a download, which continues when the page is closed."""
    models, server, model = _which(context)
    models.start_pull(server, model, actor=context.actor)


async def cancel(context: Context) -> Any:
    """Cancel a download."""
    models, server, model = _which(context)
    models.cancel_pull(server, model, actor=context.actor)
